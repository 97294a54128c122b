import { afterAll, describe, it } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { systemRandom } from "../../../src/app/random.ts";
import { apiVersion } from "../../../src/api/kinds.ts";
import type { Key } from "../../../src/api/resource.ts";
import { collectionPath, objectPath } from "../../../src/stores/kubernetes/paths.ts";
import { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import { storeContract, type StoreRig } from "../../contract/store.ts";
import { eventually, removeAll, startKubeApi, type KubeApi } from "../../support/kubeApi.ts";
import { MemoryLog } from "../../unit/stores/fixed.ts";

const api = await startKubeApi();

const open = async ({ client }: KubeApi): Promise<StoreRig> => {
  await removeAll(client);
  const store = new KubernetesStore({
    client,
    namespaces: "all",
    clock: systemClock,
    random: systemRandom,
    log: new MemoryLog(),
  });
  const stop = new AbortController();
  const running = store.run(stop.signal);
  await store.refreshed();
  const path = (key: Key): string => objectPath(key);
  const writes = (): number =>
    ["create", "patch", "delete"].reduce((sum, verb) => sum + (client.counts.get(verb as never) ?? 0), 0);
  /** As `kubectl apply`: makes or merges, and what the manifest no longer has goes. */
  const apply: StoreRig["apply"] = async ({ kind, metadata, spec }) => {
    const namespace = kind === "VMHost" ? "" : (metadata.namespace ?? "default");
    const key: Key = { kind, namespace, name: metadata.name };
    const body = { apiVersion, kind, metadata, spec };
    const old = await client.find<{ metadata: { resourceVersion: string } }>(path(key));
    const answer = old
      ? await client.call<{ metadata: { resourceVersion: string } }>({ verb: "patch", path: path(key), body })
      : await client.call<{ metadata: { resourceVersion: string } }>({
          verb: "create",
          path: collectionPath(kind, namespace),
          body,
        });
    if (stop.signal.aborted) return;
    await eventually("the store shows it", () =>
      Promise.resolve(store.cache.get(key)?.metadata.resourceVersion === answer.metadata.resourceVersion),
    );
  };
  return {
    store,
    apply,
    async remove(key) {
      await client.call({ verb: "delete", path: path(key) });
      await eventually("the store has taken it up", () => {
        const object = store.cache.get(key);
        return Promise.resolve(object === undefined || object.metadata.deletionTimestamp !== undefined);
      });
    },
    writes,
    async close() {
      stop.abort();
      await running;
    },
  };
};

describe("Kubernetes store", () => {
  if ("skipped" in api) {
    it("passes the contract of stores", ({ skip }) => skip(api.skipped));
    return;
  }
  afterAll(async () => {
    await removeAll(api.client);
    await api.stop();
  });
  storeContract(() => open(api));
});
