import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kindInfo, kinds } from "../../../src/api/kinds.ts";
import type { Resource } from "../../../src/api/resource.ts";
import { clusterSigner } from "../../../src/app/clusterSigner.ts";
import { systemClock } from "../../../src/app/clock.ts";
import { systemRandom } from "../../../src/app/random.ts";
import type { Logger } from "../../../src/engine/ports.ts";
import { KubeClient } from "../../../src/stores/kubernetes/client.ts";
import { openConnection } from "../../../src/stores/kubernetes/connection.ts";
import { KubeError } from "../../../src/stores/kubernetes/error.ts";
import { KubeEvents } from "../../../src/stores/kubernetes/events.ts";
import { clusterIdentity } from "../../../src/stores/kubernetes/identity.ts";
import { acquireLease } from "../../../src/stores/kubernetes/lease.ts";
import { deleteLease, listLeases } from "../../../src/stores/kubernetes/leaseObject.ts";
import { collectionPath, objectPath } from "../../../src/stores/kubernetes/paths.ts";
import { Reflector } from "../../../src/stores/kubernetes/reflector.ts";
import { Reviews } from "../../../src/stores/kubernetes/reviews.ts";
import { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import { accountKubeconfig, installChart, releaseNamespace } from "../../support/chartAccount.ts";
import { removeAll, startKubeApi } from "../../support/kubeApi.ts";
import { kubeTools, type AnyObject } from "../../support/kubeTools.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
interface Role extends AnyObject {
  readonly rules: readonly Rule[];
}

/** One verb on one resource, of one rule of one role. */
interface Right {
  readonly role: Role;
  readonly rule: Rule;
  readonly resource: string;
  readonly verb: string;
}

const space = "web";
const clock = systemClock;
const random = systemRandom;

/** Rejects with what a loop in the background only logs. */
class Refusal implements Logger {
  readonly seen: Promise<never>;
  #refuse: (error: unknown) => void = () => undefined;

  constructor() {
    this.seen = new Promise((_, reject) => (this.#refuse = reject));
    this.seen.catch(() => undefined);
  }
  debug(): void {}
  info(): void {}
  warn(fields: Readonly<Record<string, unknown>>, text: string): void {
    this.#refuse(fields["err"] ?? new KubeError(/forbidden|cannot/.test(text) ? 403 : 0, text));
  }
  error = this.warn.bind(this);
}

/** The least object of each kind. */
const specs: Readonly<Record<string, unknown>> = {
  VMHost: {
    connection: {
      type: "SSH",
      ssh: {
        address: "hv1",
        user: "aetherv",
        credentialsSecretRef: { namespace: space, name: "login" },
        hostKeys: [`SHA256:${"A".repeat(43)}`],
      },
    },
  },
  VirtualMachine: { cpu: { count: 1 }, memory: { startup: "1Gi" }, powerState: "Stopped" },
  VirtualDisk: { source: { type: "Blank" }, size: "1Gi" },
  NetworkAdapter: { virtualMachine: "one", network: "lan" },
  ManagedDeployment: { virtualMachine: { cpu: { count: 1 }, memory: { startup: "1Gi" }, powerState: "Stopped" } },
};

const keyOfKind = (kind: string, name = "one"): { kind: string; namespace: string; name: string } => ({
  kind,
  namespace: kind === "VMHost" ? "" : space,
  name,
});

const api = await startKubeApi();
const tools = await kubeTools();

describe.each([
  { where: "the whole cluster", values: { rbac: { secretNames: ["login"] } } },
  { where: "listed namespaces", values: { namespaces: [space], rbac: { secretNames: ["login"] } } },
  { where: "the cluster, shared by shards", values: { shards: 3 }, only: /leases$/ },
  { where: "the cluster, asked by kubectl aetherv", values: { cli: { enabled: true } }, only: /reviews$/ },
])("each right of the control plane in $where", { timeout: 300_000 }, async ({ values, only = /./ }) => {
  if ("skipped" in api || "skipped" in tools) {
    it("is needed", ({ skip }) => skip("skipped" in api ? api.skipped : "skipped" in tools ? tools.skipped : ""));
    return;
  }
  const admin = api.client;
  let client: KubeClient;
  const roles = (await tools.template(values)).filter(
    ({ kind, metadata }) => kind.endsWith("Role") && !/-(view|edit|cli|ask)$/.test(metadata.name),
  ) as unknown as readonly Role[];
  const namespaces = "namespaces" in values ? [space] : "all";

  const storeOf = (log: Logger): KubernetesStore => new KubernetesStore({ client, namespaces, clock, random, log });

  const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${releaseNamespace}/leases/aetherv`;
  const signerPath = `/api/v1/namespaces/${releaseNamespace}/secrets/aetherv-signer`;
  const identityPath = `/api/v1/namespaces/${releaseNamespace}/configmaps/aetherv-identity`;

  const remove = async (path: string): Promise<void> => {
    if ((await admin.find(path)) !== undefined) await admin.call({ verb: "delete", path });
  };

  const one = async (kind: string): Promise<Resource> => {
    const found = await admin.find<Resource>(objectPath(keyOfKind(kind)));
    if (found) return found;
    const metadata = kind === "VMHost" ? { name: "one" } : { name: "one", namespace: space };
    const body = { apiVersion: "aetherv.io/v1alpha1", kind, metadata, spec: specs[kind] };
    return admin.call<Resource>({ verb: "create", path: collectionPath(kind, metadata.namespace), body });
  };

  /** A right that goes between taking the Lease and giving it back leaves it taken, which is waited for instead of refused. */
  const freeLease = async (): Promise<void> => {
    if ((await admin.find(leasePath)) !== undefined)
      await admin.call({ verb: "patch", path: leasePath, body: { spec: { holderIdentity: "" } } });
  };

  const lead = async (): Promise<void> => {
    await freeLease();
    const log = new Refusal();
    const stop = new AbortController();
    const options = { client, clock, random, log, namespace: releaseNamespace, name: "aetherv", identity: "test" };
    try {
      await (await Promise.race([acquireLease(options, stop.signal), log.seen]))?.release();
    } finally {
      stop.abort();
    }
  };

  /** Two Events of one series: a create and a patch. */
  const tell = async (): Promise<void> => {
    const log = new Refusal();
    const events = new KubeEvents({ client, clock, random, log, instance: "test" });
    const note = { type: "Normal", reason: "Started", message: "once more" } as const;
    for (const kind of ["VirtualMachine", "VMHost"]) {
      events.record(keyOfKind(kind), `uid-${random.uuid()}`, note);
      const uid = random.uuid();
      events.record(keyOfKind(kind), uid, note);
      events.record(keyOfKind(kind), uid, note);
    }
    await events.close(5_000);
    await Promise.race([log.seen, Promise.resolve()]);
  };

  /** Lists, then hears of a change. */
  const follow = async (kind: string): Promise<void> => {
    const log = new Refusal();
    const stop = new AbortController();
    const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
    const nothing = (): void => undefined;
    const sink = { replaced: nothing, changed: () => hear(), removed: nothing, bookmarked: nothing };
    const namespace = namespaces === "all" || kind === "VMHost" ? undefined : space;
    const object = await one(kind);
    const reflector = new Reflector({ client, path: collectionPath(kind, namespace), sink, clock, random, log });
    const running = reflector.run(stop.signal);
    try {
      await Promise.race([reflector.listed(), log.seen]);
      const body = { metadata: { annotations: { "test/at": random.uuid() } } };
      await admin.call({ verb: "patch", path: objectPath(keyOfKind(object.kind)), body });
      await Promise.race([heard, log.seen]);
    } finally {
      stop.abort();
      await running;
    }
  };

  /** What of the control plane needs a right: the very code that it runs. */
  const acts: Readonly<Record<string, () => Promise<unknown>>> = {
    "get leases": lead,
    "update leases": lead,
    "create leases": async () => {
      await remove(leasePath);
      await lead();
    },
    "list leases": () =>
      listLeases({ client, namespace: releaseNamespace, group: "aetherv" }, AbortSignal.timeout(30_000)),
    "delete leases": async () => {
      await lead();
      await deleteLease(client, releaseNamespace, "aetherv");
    },
    "get configmaps": () => clusterIdentity(client, releaseNamespace, random),
    "create configmaps": async () => {
      await remove(identityPath);
      await clusterIdentity(client, releaseNamespace, random);
    },
    "create events": tell,
    "patch events": tell,
    "get secrets aetherv-signer": () => clusterSigner(client, releaseNamespace),
    "update secrets aetherv-signer": async () => {
      await admin.call({ verb: "patch", path: signerPath, body: { data: null } });
      await clusterSigner(client, releaseNamespace);
    },
    "create tokenreviews": () => new Reviews(client, "aetherv.io").caller("nobody's"),
    "create subjectaccessreviews": () => {
      const apiVersion = "authorization.k8s.io/v1";
      const resourceAttributes = { verb: "get", group: "aetherv.io", resource: "virtualmachines" };
      const body = { apiVersion, kind: "SubjectAccessReview", spec: { user: "somebody", resourceAttributes } };
      return client.call({ verb: "create", path: `/apis/${apiVersion}/subjectaccessreviews`, body });
    },
    // A Secret of a host's login, in each namespace whose Secrets may be read.
    "get secrets": async () => {
      const store = storeOf(new Refusal());
      for (const namespace of namespaces === "all" ? [releaseNamespace] : [releaseNamespace, space])
        await store.secret(namespace, "login");
    },
    ...Object.fromEntries(
      kinds.flatMap(({ kind }) => {
        const { plural } = kindInfo(kind);
        return [
          [`get ${plural}`, () => storeOf(new Refusal()).get(keyOfKind(kind))],
          [`list ${plural}`, () => follow(kind)],
          [`watch ${plural}`, () => follow(kind)],
          [
            `patch ${plural}`,
            async () => {
              const object = await one(kind);
              const annotations = { ...object.metadata.annotations, "test/at": random.uuid() };
              const next = { ...object, metadata: { ...object.metadata, annotations } };
              const body = { metadata: { annotations, resourceVersion: object.metadata.resourceVersion } };
              await client.call({ verb: "patch", path: objectPath(keyOfKind(next.kind)), body });
            },
          ],
          [
            `patch ${plural}/status`,
            async () => {
              const object = await one(kind);
              const body = { status: { observedGeneration: object.metadata.generation } };
              await client.call({ verb: "patch", path: `${objectPath(keyOfKind(kind))}/status`, body });
            },
          ],
          [
            `create ${plural}`,
            async () => {
              await remove(objectPath(keyOfKind(kind, "child")));
              const metadata = { name: "child", namespace: space };
              await storeOf(new Refusal()).create({ kind, metadata, spec: specs[kind] as never });
            },
          ],
          [
            `delete ${plural}`,
            async () => {
              const object = await one(kind);
              await storeOf(new Refusal()).delete(keyOfKind(kind), object.metadata.uid);
            },
          ],
        ] as const;
      }),
    ),
  };

  const rolePath = ({ kind, metadata }: Role): string => {
    const within = metadata.namespace === undefined ? "" : `namespaces/${metadata.namespace}/`;
    return `/apis/rbac.authorization.k8s.io/v1/${within}${kind.toLowerCase()}s/${metadata.name}`;
  };

  const write = (role: Role): Promise<unknown> => admin.call({ verb: "update", path: rolePath(role), body: role });

  const without = ({ role, rule, resource, verb }: Right): Role => ({
    ...role,
    rules: role.rules.flatMap((one) => {
      if (one !== rule) return [one];
      const rest = one.resources.filter((other) => other !== resource);
      const verbs = one.verbs.filter((other) => other !== verb);
      return [
        { ...one, resources: rest },
        { ...one, resources: [resource], verbs },
      ].filter(({ resources, verbs: left }) => resources.length > 0 && left.length > 0);
    }),
  });

  const rights: readonly Right[] = roles.flatMap((role) =>
    role.rules.flatMap((rule) =>
      rule.resources.flatMap((resource) => rule.verbs.map((verb) => ({ role, rule, resource, verb }))),
    ),
  );
  const tried = rights.filter(({ resource }) => only.test(resource));

  const outcome = async (act: () => Promise<unknown>): Promise<number> => {
    try {
      await act();
      return 200;
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof KubeError ? error.cause : error;
      if (cause instanceof KubeError && cause.code > 0) return cause.code;
      throw error;
    }
  };

  beforeAll(async () => {
    await installChart(api, tools, values);
    client = new KubeClient(await openConnection({ kubeconfig: await accountKubeconfig(api, tools) }), clock);
    if ((await admin.find(`/api/v1/namespaces/${space}`)) === undefined)
      await admin.call({ verb: "create", path: "/api/v1/namespaces", body: { metadata: { name: space } } });
  });
  afterAll(async () => {
    await client.close();
    await removeAll(admin);
    for (const { role } of rights) await remove(rolePath(role));
  });

  it.each(tried.map((right) => ({ ...right, name: `${right.verb} ${right.resource}`, at: right.role.metadata.name })))(
    "$name, of $at",
    async ({ name, ...right }) => {
      const act = acts[`${name} ${right.rule.resourceNames?.join(" ")}`] ?? acts[name];
      if (!act) throw new Error(`no part of the control plane is known to need "${name}": drop it from the role`);
      // The authorizer reads a role's change a moment later.
      const is = async (code: number): Promise<void> =>
        expect.poll(() => outcome(act), { timeout: 15_000, message: `"${name}"` }).toBe(code);
      await is(200);
      try {
        await write(without(right));
        await is(403);
      } finally {
        await write(right.role);
      }
      await is(200);
    },
  );

  it("and there is none for what no rule names", async () => {
    const path = `/api/v1/namespaces/${releaseNamespace}`;
    const refusals = [
      { verb: "list", path: `${path}/secrets` },
      { verb: "watch", path: `${path}/secrets` },
      { verb: "list", path: `${path}/configmaps` },
      ...("shards" in values ? [] : [{ verb: "delete", path: leasePath } as const]),
      { verb: "get", path: `${path}/configmaps/another` },
      { verb: "update", path: objectPath(keyOfKind("VirtualMachine")), body: await one("VirtualMachine") },
      { verb: "delete", path: objectPath(keyOfKind("ManagedDeployment")) },
    ] as const;
    for (const call of refusals)
      expect({ ...call, code: await outcome(() => client.call(call)) }).toEqual({ ...call, code: 403 });
  });
});

afterAll(async () => {
  if (!("skipped" in api)) await api.stop();
});
