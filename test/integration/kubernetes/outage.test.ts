import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { systemRandom } from "../../../src/app/random.ts";
import { apiVersion } from "../../../src/api/kinds.ts";
import type { Resource } from "../../../src/api/resource.ts";
import { KubeClient } from "../../../src/stores/kubernetes/client.ts";
import { openConnection } from "../../../src/stores/kubernetes/connection.ts";
import { collectionPath, objectPath } from "../../../src/stores/kubernetes/paths.ts";
import { defaultTimes } from "../../../src/stores/kubernetes/reflector.ts";
import { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import { eventually, installCrds, removeAll, startKubeApi } from "../../support/kubeApi.ts";
import { MemoryLog } from "../../unit/stores/fixed.ts";

const api = await startKubeApi();

describe("Kubernetes store and its server", { timeout: 60_000 }, () => {
  if ("skipped" in api) {
    it("survives an outage", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, own, kubeconfig } = api;
  const stops: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await removeAll(client);
  });
  afterAll(() => api.stop());

  const opened = async (
    namespaces: "all" | readonly string[] = "all",
  ): Promise<{ store: KubernetesStore; seen: KubeClient }> => {
    const seen = new KubeClient(await openConnection({ kubeconfig }), systemClock);
    const times = { ...defaultTimes, pageSize: 3, leastWaitMs: 50, longestWaitMs: 500 };
    const common = { clock: systemClock, random: systemRandom, log: new MemoryLog(), times };
    const store = new KubernetesStore({ client: seen, namespaces, ...common });
    const ending = new AbortController();
    const running = store.run(ending.signal);
    stops.push(async () => {
      ending.abort();
      await running;
      await seen.close();
    });
    await store.refreshed();
    return { store, seen };
  };

  const make = (name: string, namespace = "default"): Promise<Resource> =>
    client.call<Resource>({
      verb: "create",
      path: collectionPath("VirtualDisk", namespace),
      body: { apiVersion, kind: "VirtualDisk", metadata: { name }, spec: { source: { type: "Blank" }, size: "1Gi" } },
    });

  const names = (store: KubernetesStore): readonly string[] =>
    store.cache.list("VirtualDisk").map(({ metadata }) => metadata.name);

  it("lists in pages", async () => {
    for (let n = 0; n < 8; n += 1) await make(`disk-${n}`);
    const { store, seen } = await opened();
    expect(names(store)).toHaveLength(8);
    expect(seen.counts.get("list")).toBeGreaterThanOrEqual(5 + 2);
  });

  it("sees what changed while the server was away, an object made again included, with few requests", async ({
    skip,
  }) => {
    if (!own) return skip("TEST_KUBECONFIG: that server is not ours to kill");
    const { store, seen } = await opened();
    for (const name of ["stays", "again", "goes"]) await make(name);
    await eventually("all are seen", () => Promise.resolve(names(store).length === 3));
    const old = store.cache.get({ kind: "VirtualDisk", namespace: "default", name: "again" });
    await own.kill();
    const before = [...seen.counts.values()].reduce((sum, count) => sum + count, 0);
    await systemClock.sleep(2_000);
    const tried = [...seen.counts.values()].reduce((sum, count) => sum + count, 0) - before;
    // Five collections, each tried with pauses of up to 500 ms.
    expect(tried).toBeLessThan(80);
    await expect(store.get({ kind: "VirtualDisk", namespace: "default", name: "stays" })).rejects.toThrow(
      "does not answer",
    );
    expect(names(store)).toHaveLength(3);
    await own.start();
    // It serves the kinds of CRDs a moment later.
    await installCrds(client);
    for (const name of ["again", "goes"])
      await client.call({ verb: "delete", path: objectPath({ kind: "VirtualDisk", namespace: "default", name }) });
    const made = await make("again");
    await eventually("the cache is as the server", () => Promise.resolve(names(store).join() === "again,stays"));
    await eventually("with the new object", () => {
      const uid = store.cache.get({ kind: "VirtualDisk", namespace: "default", name: "again" })?.metadata.uid;
      return Promise.resolve(uid === made.metadata.uid && uid !== old?.metadata.uid);
    });
  });

  it("works in the namespaces that it was given only", async () => {
    for (const namespace of ["one", "two", "three"]) {
      const path = "/api/v1/namespaces";
      if ((await client.find(`${path}/${namespace}`)) === undefined)
        await client.call({
          verb: "create",
          path,
          body: { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        });
      await make(`in-${namespace}`, namespace);
    }
    const { store } = await opened(["two", "one"]);
    expect(names(store)).toEqual(["in-one", "in-two"]);
    expect(store.cache.get({ kind: "VirtualDisk", namespace: "three", name: "in-three" })).toBeUndefined();
    expect(store.cache.list("VirtualDisk")).toBe(store.cache.list("VirtualDisk"));
  });

  it("reads a Secret's values by get, and does not know others", async () => {
    const { store, seen } = await opened();
    const path = "/api/v1/namespaces/default/secrets";
    const body = { apiVersion: "v1", kind: "Secret", metadata: { name: "login" }, stringData: { password: "pä55" } };
    await client.call({ verb: "create", path, body });
    const [lists, watches] = [seen.counts.get("list"), seen.counts.get("watch")];
    const values = await store.secret("default", "login");
    expect(new TextDecoder().decode(values?.["password"])).toBe("pä55");
    expect(await store.secret("default", "nobody")).toBeUndefined();
    expect([seen.counts.get("list"), seen.counts.get("watch")]).toEqual([lists, watches]);
    await client.call({ verb: "delete", path: `${path}/login` });
  });

  it("keeps neither managedFields nor kubectl's copy of the manifest, and does not touch the latter", async () => {
    const copy = "kubectl.kubernetes.io/last-applied-configuration";
    const { store } = await opened();
    const { metadata } = await make("kept");
    const key = { kind: "VirtualDisk", namespace: "default", name: metadata.name };
    await client.call({ verb: "patch", path: objectPath(key), body: { metadata: { annotations: { [copy]: "{}" } } } });
    const live = await store.get(key);
    expect(Object.keys(live?.metadata ?? {})).not.toContain("managedFields");
    expect(live?.metadata.annotations).toBeUndefined();
    if (!live) throw new Error("it is gone");
    await store.putMetadata({ ...live, metadata: { ...live.metadata, annotations: { own: "1" } } });
    const raw = await client.call<Resource>({ verb: "get", path: objectPath(key) });
    expect(raw.metadata.annotations).toEqual({ [copy]: "{}", own: "1" });
  });
});
