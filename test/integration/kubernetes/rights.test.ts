import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { apiVersion, kinds } from "../../../src/api/kinds.ts";
import { systemClock } from "../../../src/app/clock.ts";
import { systemRandom } from "../../../src/app/random.ts";
import { KubeClient } from "../../../src/stores/kubernetes/client.ts";
import { openConnection } from "../../../src/stores/kubernetes/connection.ts";
import { collectionPath } from "../../../src/stores/kubernetes/paths.ts";
import { defaultTimes } from "../../../src/stores/kubernetes/reflector.ts";
import { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import { removeAll, startKubeApi } from "../../support/kubeApi.ts";
import { MemoryLog } from "../../unit/stores/fixed.ts";

const api = await startKubeApi();

const group = "aetherv.io";
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const plurals = (scope: "Cluster" | "Namespaced"): readonly string[] =>
  kinds.filter((info) => info.scope === scope).map(({ plural }) => plural);

describe("an account with Roles in two namespaces", { timeout: 60_000 }, () => {
  if ("skipped" in api) {
    it("works there", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, kubeconfig } = api;
  const made: string[] = [];

  const create = async (path: string, body: object): Promise<void> => {
    const { name } = (body as { metadata: { name: string } }).metadata;
    if ((await client.find(`${path}/${name}`)) !== undefined) return;
    await client.call({ verb: "create", path, body });
    made.push(`${path}/${name}`);
  };

  afterAll(async () => {
    await removeAll(client);
    for (const path of made.toReversed()) await client.call({ verb: "delete", path });
    await api.stop();
  });

  /** An account that may work in these namespaces and read the hosts, as a client. */
  const narrow = async (namespaces: readonly string[]): Promise<KubeClient> => {
    const subjects = [{ kind: "ServiceAccount", name: "narrow", namespace: "default" }];
    const verbs = ["get", "list", "watch", "patch"];
    const ref = (kind: string, name: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
    await create("/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "narrow" } });
    await create(`${rbac}/clusterroles`, {
      metadata: { name: "narrow-hosts" },
      rules: [{ apiGroups: [group], resources: plurals("Cluster"), verbs }],
    });
    await create(`${rbac}/clusterrolebindings`, {
      metadata: { name: "narrow-hosts" },
      roleRef: ref("ClusterRole", "narrow-hosts"),
      subjects,
    });
    for (const namespace of namespaces) {
      await create("/api/v1/namespaces", { metadata: { name: namespace } });
      const named = plurals("Namespaced");
      const resources = [...named, ...named.map((plural) => `${plural}/status`)];
      await create(`${rbac}/namespaces/${namespace}/roles`, {
        metadata: { name: "narrow" },
        rules: [
          { apiGroups: [group], resources, verbs },
          { apiGroups: [""], resources: ["secrets"], verbs: ["get"] },
        ],
      });
      const binding = { metadata: { name: "narrow" }, roleRef: ref("Role", "narrow"), subjects };
      await create(`${rbac}/namespaces/${namespace}/rolebindings`, binding);
    }
    const { status } = await client.call<{ status: { token: string } }>({
      verb: "create",
      path: "/api/v1/namespaces/default/serviceaccounts/narrow/token",
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [] } },
    });
    const config = parse(await readFile(kubeconfig, "utf8")) as { clusters: { name: string }[] };
    const context = { cluster: config.clusters[0]?.name, user: "narrow" };
    const path = join(dirname(kubeconfig), "kubeconfig-narrow");
    const users = [{ name: "narrow", user: { token: status.token } }];
    const own = { ...config, users, contexts: [{ name: "narrow", context }], "current-context": "narrow" };
    await writeFile(path, JSON.stringify(own), { mode: 0o600 });
    return new KubeClient(await openConnection({ kubeconfig: path }), systemClock);
  };

  const disk = (namespace: string): Promise<unknown> =>
    client.call({
      verb: "create",
      path: collectionPath("VirtualDisk", namespace),
      body: {
        apiVersion,
        kind: "VirtualDisk",
        metadata: { name: "disk" },
        spec: { source: { type: "Blank" }, size: "1Gi" },
      },
    });

  it("lists, watches and writes there; Secrets are got by name, and a rotated one is taken at the next use", async () => {
    const mine = ["team-a", "team-b"];
    const own = await narrow(mine);
    await create("/api/v1/namespaces", { metadata: { name: "team-c" } });
    for (const namespace of [...mine, "team-c"]) await disk(namespace);
    const log = new MemoryLog();
    const times = { ...defaultTimes, leastWaitMs: 50, longestWaitMs: 500 };
    const parts = { client: own, clock: systemClock, random: systemRandom, log, times };
    const store = new KubernetesStore({ ...parts, namespaces: mine });
    const ending = new AbortController();
    const running = store.run(ending.signal);
    try {
      await store.refreshed();
      const seen = store.cache.list("VirtualDisk");
      expect(seen.map(({ metadata }) => metadata.namespace)).toEqual(mine);
      const [first] = seen;
      if (!first) throw new Error("nothing was seen");
      const written = await store.putStatus({ ...first, status: { observedGeneration: 1 } });
      expect(written.status).toMatchObject({ observedGeneration: 1 });
      await expect(
        store.get({ kind: "VirtualDisk", namespace: "team-c", name: "disk" }),
        "another namespace's is refused, and its absence not concluded",
      ).rejects.toThrow(/forbidden/i);

      const secrets = "/api/v1/namespaces/team-a/secrets";
      await create(secrets, { metadata: { name: "login" }, stringData: { password: "one" } });
      const password = async (): Promise<string> =>
        new TextDecoder().decode((await store.secret("team-a", "login"))?.["password"]);
      expect(await password()).toBe("one");
      await client.call({ verb: "patch", path: `${secrets}/login`, body: { stringData: { password: "two" } } });
      expect(await password()).toBe("two");
      await expect(own.call({ verb: "list", path: secrets })).rejects.toThrow(/forbidden/i);
      // Nothing beyond its rights was asked for: nothing was refused in the background.
      expect(log.lines.filter((line) => /forbidden/i.test(JSON.stringify(line)))).toEqual([]);
    } finally {
      ending.abort();
      await running;
      await own.close();
    }
  });
});
