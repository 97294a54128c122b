import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../../src/api/resource.ts";
import { systemRandom } from "../../../src/app/random.ts";
import type { Call } from "../../../src/stores/kubernetes/client.ts";
import { KubeError } from "../../../src/stores/kubernetes/error.ts";
import { ApiModel } from "../../faults/sim/kube/apiModel.ts";
import { Chance } from "../../faults/sim/chance.ts";
import { removeAll, startKubeApi } from "../../support/kubeApi.ts";

const api = await startKubeApi();

type Ask = (call: Call) => Promise<{ readonly code: number; readonly body: unknown }>;

const methods = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
};

const modelAsk = (model: ApiModel): Ask => {
  return ({ verb, path, query = {}, body }) => {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const asked = { method: methods[verb], path, query: Object.fromEntries(given) };
    const sent = body === undefined ? asked : { ...asked, body: structuredClone(body) };
    return Promise.resolve(structuredClone(model.answer(sent)));
  };
};

const disks = "/apis/aetherv.io/v1alpha1/namespaces/default/virtualdisks";
const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const names = ["a", "b", "c"];

/** What the sequence knows of each side: the versions and uids that it was told, by path. */
type Told = Map<string, { version: string; uid: string }>;

/** An operation as words, so that both sides can be asked it with their own versions and uids. */
interface Operation {
  readonly verb: "create" | "get" | "list" | "spec" | "meta" | "status" | "delete" | "lease";
  readonly name: string;
  readonly value: number;
  /** Whether the version that is sent along is the one of now. */
  readonly version: "present" | "old" | "none";
  readonly uid: "present" | "other" | "none";
}

const body = (name: string, value: number): object => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualDisk",
  metadata: { name, ...(value % 2 === 0 && { finalizers: ["aetherv.io/cleanup"] }) },
  // A source that is no source at all is refused.
  spec: value % 7 === 6 ? { source: { type: "Image" } } : { source: { type: "Blank" }, size: `${10 + value}Gi` },
});

const callOf = ({ verb, name, value, version, uid }: Operation, told: Told, old: Told): Call => {
  const path = `${disks}/${name}`;
  const present = told.get(path);
  const resourceVersion = version === "none" ? undefined : (version === "old" ? old : told).get(path)?.version;
  const id = uid === "none" ? undefined : uid === "present" ? present?.uid : "00000000-0000-4000-8000-000000000000";
  const pre = { ...(resourceVersion !== undefined && { resourceVersion }), ...(id !== undefined && { uid: id }) };
  switch (verb) {
    case "create":
      return { verb: "create", path: disks, body: body(name, value) };
    case "get":
      return { verb: "get", path };
    case "list":
      return { verb: "list", path: disks, query: value % 2 === 0 ? { limit: "1" } : {} };
    case "spec":
      return { verb: "patch", path, body: { metadata: pre, spec: { size: `${10 + value}Gi` } } };
    case "meta": {
      const finalizers = value % 3 === 0 ? [] : ["aetherv.io/cleanup", ...(value % 3 === 1 ? ["other.io/held"] : [])];
      return {
        verb: "patch",
        path,
        body: { metadata: { ...pre, finalizers, annotations: { "a.io/b": value % 2 === 0 ? "x" : null } } },
      };
    }
    case "status":
      return {
        verb: "patch",
        path: `${path}/status`,
        body: { metadata: pre, status: { fileSize: value, host: "hv1" } },
      };
    case "delete":
      return {
        verb: "delete",
        path,
        body: { apiVersion: "v1", kind: "DeleteOptions", preconditions: id === undefined ? {} : { uid: id } },
      };
    case "lease": {
      const at = `${leases}/l`;
      const known = told.get(at);
      const metadata = {
        name: "l",
        ...(version !== "none" && { resourceVersion: (version === "old" ? old : told).get(at)?.version }),
      };
      const lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata,
        spec: { holderIdentity: `p${value}`, leaseDurationSeconds: 15 },
      };
      return known
        ? { verb: "update", path: at, body: lease }
        : { verb: "create", path: leases, body: { ...lease, metadata: { name: "l" } } };
    }
    default:
      return verb satisfies never;
  }
};

/** What both must answer alike: the code and reason, and of objects all that is not made up by the server. */
const comparable = ({ code, body: answer }: { readonly code: number; readonly body: unknown }): unknown => {
  const { reason, kind, items, metadata } = answer as {
    reason?: string;
    kind?: string;
    items?: Resource[];
    metadata?: { continue?: string };
  };
  if (code >= 300) return { code, reason };
  if (items)
    return { code, items: items.map(objectOf), more: metadata?.continue !== undefined && metadata.continue !== "" };
  return kind === "Status" ? { code, kind } : { code, object: objectOf(answer as Resource) };
};

const objectOf = ({ kind, metadata, spec, status }: Resource): unknown => {
  const { name, generation, labels, annotations, finalizers, deletionTimestamp } = metadata;
  return {
    kind,
    spec,
    status,
    name,
    generation,
    labels,
    annotations,
    finalizers,
    deleting: deletionTimestamp !== undefined,
  };
};

/** One side of the comparison, and what it has told so far. */
class Side {
  readonly #ask: Ask;
  #told: Told = new Map();
  #old: Told = new Map();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async do(operation: Operation): Promise<unknown> {
    const call = callOf(operation, this.#told, this.#old);
    const answered = await this.#ask(call);
    const before = new Map(this.#told);
    const { metadata, items, kind } = answered.body as Partial<Resource> & { items?: Resource[] };
    const path = call.path.replace(/\/status$/, "");
    const at = call.verb === "create" ? `${path}/${metadata?.name}` : path;
    if (answered.code < 300 && items === undefined && kind !== "Status" && metadata) {
      const { resourceVersion, uid } = metadata;
      const changed = before.get(at)?.version !== resourceVersion;
      this.#told.set(at, { version: resourceVersion, uid });
      const last = before.get(at);
      if (changed && last) this.#old.set(at, last);
      return { ...(comparable(answered) as object), changed };
    }
    return comparable(answered);
  }
}

const operationOf = (chance: Chance): Operation => ({
  verb: chance.pick([
    "create",
    "create",
    "get",
    "list",
    "spec",
    "meta",
    "meta",
    "status",
    "status",
    "delete",
    "lease",
  ] as const),
  name: chance.pick(names) ?? "a",
  value: chance.int(0, 20),
  version: chance.pick(["present", "present", "old", "none"] as const),
  uid: chance.pick(["present", "present", "none", "other"] as const),
});

describe("the simulation's model of an API server", () => {
  if ("skipped" in api) {
    it("answers as a real one does", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client } = api;
  const serverAsk: Ask = async (call) => {
    try {
      const answer = await client.call<{ kind?: string }>(call);
      return { code: call.verb === "create" ? 201 : 200, body: answer };
    } catch (error) {
      if (!(error instanceof KubeError) || error.code === 0) throw error;
      return { code: error.code, body: { reason: error.reason } };
    }
  };
  const clean = async (): Promise<void> => {
    await removeAll(client);
    await client.call({ verb: "delete", path: `${leases}/l` }).catch(() => undefined);
  };
  beforeAll(clean);
  afterAll(() => api.stop());

  it.each(Array.from({ length: 12 }, (_, index) => index + 1))("answers as a real one does (seed %i)", async (seed) => {
    const chance = new Chance(seed);
    const model = new Side(modelAsk(new ApiModel({ random: systemRandom, now: () => new Date() })));
    const server = new Side(serverAsk);
    const done: string[] = [];
    try {
      for (let count = 0; count < 40; count += 1) {
        const operation = operationOf(chance);
        done.push(JSON.stringify(operation));
        const [ours, theirs] = [await model.do(operation), await server.do(operation)];
        expect(ours, done.join("\n")).toEqual(theirs);
      }
    } finally {
      await clean();
    }
  });
});
