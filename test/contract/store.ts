import { afterEach, beforeEach, expect, it } from "vitest";
import { keyOf, keyText } from "../../src/api/resource.ts";
import type { Key, Resource } from "../../src/api/resource.ts";
import { ConflictError, RefusedError } from "../../src/engine/ports.ts";
import type { Store } from "../../src/engine/ports.ts";
import type { Applied } from "../../src/stores/memory/store.ts";

/** A store under test, with the user's side of it: how manifests come and go. */
export interface StoreRig {
  readonly store: Store;
  /** Makes or changes an object as a user would; resolves when the store shows it. */
  apply(manifest: Applied): Promise<void>;
  /** Asks for the object's deletion as a user would; resolves when the store has taken it up. */
  remove(key: Key): Promise<void>;
  /** How many objects were written since the start, if the store counts it. */
  writes?(): number;
  close(): Promise<void>;
}

export const diskKey: Key = { kind: "VirtualDisk", namespace: "default", name: "data" };

export const disk = (size: string, metadata: Partial<Applied["metadata"]> = {}): Applied => ({
  kind: "VirtualDisk",
  metadata: { name: "data", namespace: "default", ...metadata },
  spec: { source: { type: "Blank" }, size },
});

const finalizers = ["aetherv.io/cleanup"];

const condition = {
  type: "Ready",
  status: "True",
  reason: "Converged",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};

/** The contract of Store: every implementation runs it. */
export const storeContract = (open: () => Promise<StoreRig>): void => {
  let rig: StoreRig;
  let stop: AbortController;

  beforeEach(async () => {
    rig = await open();
    stop = new AbortController();
  });

  afterEach(async () => {
    stop.abort();
    await rig.close();
  });

  const read = async (key: Key = diskKey): Promise<Resource> => {
    const object = await rig.store.get(key);
    if (!object) throw new Error(`${keyText(key)} is not there`);
    return object;
  };

  const withMetadata = (object: Resource, change: Partial<Resource["metadata"]>): Resource => ({
    ...object,
    metadata: { ...object.metadata, ...change },
  });

  /** Records wakes; `until` waits for one that satisfies. */
  const watching = async (): Promise<{ keys: string[]; until(key: Key): Promise<void> }> => {
    const keys: string[] = [];
    await rig.store.watch((key) => keys.push(keyText(key)), stop.signal);
    return { keys, until: (key) => expect.poll(() => keys, { timeout: 5000 }).toContain(keyText(key)) };
  };

  it("gives a new object uid, generation 1, a resourceVersion and its time of birth", async () => {
    await rig.apply(disk("1Gi"));
    const { metadata } = await read();
    expect(metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(metadata.generation).toBe(1);
    expect(metadata.resourceVersion).not.toBe("");
    expect(metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(metadata.deletionTimestamp).toBeUndefined();
  });

  it("shows an object in the cache by key and by kind", async () => {
    await rig.apply(disk("1Gi"));
    expect(rig.store.cache.get(diskKey)).toEqual(await read());
    expect(rig.store.cache.list("VirtualDisk").map(keyOf)).toEqual([diskKey]);
    expect(rig.store.cache.list("VirtualMachine")).toEqual([]);
  });

  it("answers undefined for what is not there", async () => {
    expect(await rig.store.get(diskKey)).toBeUndefined();
    expect(rig.store.cache.get(diskKey)).toBeUndefined();
  });

  it("raises generation and resourceVersion on a change of spec, and keeps the uid", async () => {
    await rig.apply(disk("1Gi"));
    const before = await read();
    await rig.apply(disk("2Gi"));
    const after = await read();
    expect(after.spec).toMatchObject({ size: "2Gi" });
    expect(after.metadata.generation).toBe(2);
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
    expect(after.metadata.uid).toBe(before.metadata.uid);
  });

  it("keeps the generation when only labels and annotations change", async () => {
    await rig.apply(disk("1Gi"));
    await rig.apply(disk("1Gi", { labels: { tier: "db" }, annotations: { note: "x" } }));
    const { metadata } = await read();
    expect(metadata).toMatchObject({ generation: 1, labels: { tier: "db" }, annotations: { note: "x" } });
  });

  it("takes the same manifest again as no change", async () => {
    await rig.apply(disk("1Gi"));
    const before = await read();
    await rig.apply(disk("1Gi"));
    expect(await read()).toEqual(before);
  });

  it("writes status without touching spec, generation and finalizers", async () => {
    await rig.apply(disk("1Gi"));
    const before = await read();
    const changed = withMetadata({ ...before, spec: { size: "9Gi" } }, { finalizers });
    const after = await rig.store.putStatus({ ...changed, status: { fileSize: 7 } });
    expect(after.status).toEqual({ fileSize: 7 });
    expect(after.spec).toEqual(before.spec);
    expect(after.metadata.generation).toBe(1);
    expect(after.metadata.finalizers).toBeUndefined();
    expect(rig.store.cache.get(diskKey)).toEqual(after);
  });

  it("writes finalizers and annotations without touching spec, labels and status", async () => {
    await rig.apply(disk("1Gi", { labels: { tier: "db" } }));
    const before = await read();
    const changed = { ...before, spec: {}, status: { x: 1 } };
    const after = await rig.store.putMetadata(
      withMetadata(changed, { finalizers, annotations: { "aetherv.io/host": "h1" }, labels: {} }),
    );
    expect(after.metadata).toMatchObject({
      finalizers,
      annotations: { "aetherv.io/host": "h1" },
      labels: { tier: "db" },
    });
    expect(after.metadata.generation).toBe(1);
    expect(after.spec).toEqual(before.spec);
    expect(after.status).toBeUndefined();
  });

  it("removes an annotation that the next metadata lacks", async () => {
    await rig.apply(disk("1Gi"));
    const set = await rig.store.putMetadata(withMetadata(await read(), { annotations: { a: "1", b: "2" } }));
    const after = await rig.store.putMetadata(withMetadata(set, { annotations: { b: "2" } }));
    expect(after.metadata.annotations).toEqual({ b: "2" });
  });

  it("keeps status, annotations and finalizers over a change of spec", async () => {
    await rig.apply(disk("1Gi"));
    const first = await rig.store.putMetadata(withMetadata(await read(), { finalizers, annotations: { a: "1" } }));
    await rig.store.putStatus({ ...first, status: { fileSize: 7 } });
    await rig.apply(disk("2Gi"));
    const after = await read();
    expect(after.status).toEqual({ fileSize: 7 });
    expect(after.metadata).toMatchObject({ finalizers, annotations: { a: "1" }, generation: 2 });
  });

  it("refuses a write that is based on an old version", async () => {
    await rig.apply(disk("1Gi"));
    const stale = await read();
    await rig.store.putStatus({ ...stale, status: { fileSize: 7 } });
    await expect(rig.store.putStatus({ ...stale, status: { fileSize: 8 } })).rejects.toThrow(ConflictError);
    await expect(rig.store.putMetadata(withMetadata(stale, { finalizers }))).rejects.toThrow(ConflictError);
    expect((await read()).status).toEqual({ fileSize: 7 });
  });

  it("lets one of two writes at the same time win", async () => {
    await rig.apply(disk("1Gi"));
    const seen = await read();
    const writes = [1, 2].map((fileSize) => rig.store.putStatus({ ...seen, status: { fileSize } }));
    const ends = (await Promise.allSettled(writes)).map((end) => end.status);
    expect(ends.sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("takes a write that changes nothing as none: same version, nobody woken", async () => {
    await rig.apply(disk("1Gi"));
    const metadata = await rig.store.putMetadata(withMetadata(await read(), { finalizers, annotations: { a: "1" } }));
    const before = await rig.store.putStatus({
      ...metadata,
      status: { parents: ["a"], conditions: [{ ...condition, observedGeneration: undefined }] },
    });
    const writes = rig.writes?.();
    const seen = await watching();
    await seen.until(diskKey);
    seen.keys.length = 0;
    expect(await rig.store.putStatus({ ...before, status: { conditions: [condition], parents: ["a"] } })).toEqual(
      before,
    );
    expect(await rig.store.putMetadata({ ...before })).toEqual(before);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen.keys).toEqual([]);
    expect(rig.writes?.()).toBe(writes);
  });

  it("removes an object without finalizers at once", async () => {
    await rig.apply(disk("1Gi"));
    await rig.remove(diskKey);
    expect(await rig.store.get(diskKey)).toBeUndefined();
    expect(rig.store.cache.list("VirtualDisk")).toEqual([]);
  });

  it("holds an object under deletion until its last finalizer is taken off", async () => {
    await rig.apply(disk("1Gi"));
    await rig.store.putMetadata(withMetadata(await read(), { finalizers: [...finalizers, "orphan"] }));
    await rig.remove(diskKey);
    const deleting = await read();
    expect(deleting.metadata.deletionTimestamp).toMatch(/Z$/);
    const one = await rig.store.putMetadata(withMetadata(deleting, { finalizers: ["orphan"] }));
    expect((await read()).metadata.finalizers).toEqual(["orphan"]);
    await rig.store.putMetadata(withMetadata(one, { finalizers: [] }));
    expect(await rig.store.get(diskKey)).toBeUndefined();
  });

  it("keeps the first deletion time when deletion is asked for again", async () => {
    await rig.apply(disk("1Gi"));
    await rig.store.putMetadata(withMetadata(await read(), { finalizers }));
    await rig.remove(diskKey);
    const before = await read();
    await rig.store.delete(diskKey, before.metadata.uid);
    expect(await read()).toEqual(before);
  });

  it("takes status of an object under deletion", async () => {
    await rig.apply(disk("1Gi"));
    await rig.store.putMetadata(withMetadata(await read(), { finalizers }));
    await rig.remove(diskKey);
    const after = await rig.store.putStatus({ ...(await read()), status: { fileSize: 1 } });
    expect(after.status).toEqual({ fileSize: 1 });
    expect(after.metadata.deletionTimestamp).toBeDefined();
  });

  it("gives an object made again a new uid", async () => {
    await rig.apply(disk("1Gi"));
    const { uid } = (await read()).metadata;
    await rig.remove(diskKey);
    await rig.apply(disk("1Gi"));
    expect((await read()).metadata.uid).not.toBe(uid);
  });

  it("refuses writes to an object that is gone", async () => {
    await rig.apply(disk("1Gi"));
    const gone = await read();
    await rig.remove(diskKey);
    await expect(rig.store.putStatus({ ...gone, status: { fileSize: 1 } })).rejects.toThrow(ConflictError);
  });

  const child = {
    kind: "VirtualDisk",
    metadata: { name: "made", namespace: "default", labels: { by: "us" }, finalizers },
    spec: { source: { type: "Blank" }, size: "1Gi" },
  };
  const childKey: Key = { kind: "VirtualDisk", namespace: "default", name: "made" };

  it("creates an object from a draft", async () => {
    const made = await rig.store.create(child);
    expect(made.metadata).toMatchObject({
      name: "made",
      namespace: "default",
      generation: 1,
      finalizers,
      labels: { by: "us" },
    });
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(await read(childKey)).toEqual(made);
    expect(rig.store.cache.get(childKey)).toEqual(made);
  });

  it("refuses to create what exists", async () => {
    await rig.store.create(child);
    await expect(rig.store.create(child)).rejects.toThrow(ConflictError);
  });

  const owner = {
    apiVersion: "aetherv.io/v1alpha1",
    kind: "ManagedDeployment",
    name: "owner",
    uid: "00000000-0000-4000-8000-00000000000a",
    controller: true,
    blockOwnerDeletion: true,
  };

  it("writes spec, labels, annotations and owners of an object that a controller made, once", async () => {
    const made = await rig.store.create(child);
    const wanted = withMetadata(
      { ...made, spec: { ...(made.spec as object), size: "2Gi" } },
      { labels: { other: "x" }, annotations: { note: "y" }, ownerReferences: [owner] },
    );
    const written = await rig.store.putDesired(wanted);
    expect(written).toMatchObject({
      spec: { size: "2Gi" },
      metadata: { generation: 2, ownerReferences: [owner], finalizers },
    });
    expect(written.metadata.labels).toEqual({ other: "x" });
    expect(written.metadata.annotations).toEqual({ note: "y" });
    expect(await rig.store.putDesired(written)).toEqual(written);
    expect(await read(childKey)).toEqual(written);
    await expect(rig.store.putDesired(wanted)).rejects.toThrow(ConflictError);
    const bare = await rig.store.putDesired(withMetadata(written, { annotations: {}, ownerReferences: [] }));
    expect(bare.metadata).toMatchObject({ generation: 2 });
    expect(bare.metadata.annotations).toBeUndefined();
    expect(bare.metadata.ownerReferences).toBeUndefined();
  });

  it("refuses what the model does not allow, for good", async () => {
    const made = await rig.store.create(child);
    const smaller = { ...made, spec: { ...(made.spec as object), source: { type: "Image", image: "x" } } };
    await expect(rig.store.putDesired(smaller)).rejects.toThrow(RefusedError);
    await expect(
      rig.store.create({ ...child, metadata: { ...child.metadata, name: "bad" }, spec: {} }),
    ).rejects.toThrow(RefusedError);
    expect((await read(childKey)).spec).toEqual(made.spec);
  });

  it("deletes a created object only under its uid", async () => {
    const made = await rig.store.create({ ...child, metadata: { name: "made", namespace: "default" } });
    await rig.store.delete(childKey, "00000000-0000-4000-8000-000000000000").catch(() => undefined);
    expect(await rig.store.get(childKey)).toBeDefined();
    await rig.store.delete(childKey, made.metadata.uid);
    expect(await rig.store.get(childKey)).toBeUndefined();
  });

  it("keeps cluster-scoped objects outside of namespaces", async () => {
    const key: Key = { kind: "VMHost", namespace: "", name: "h1" };
    await rig.apply({ kind: "VMHost", metadata: { name: "h1" }, spec: hostSpec });
    const host = await read(key);
    expect(host.metadata.namespace).toBeUndefined();
    expect(keyOf(host)).toEqual(key);
  });

  it("wakes a watcher for every object, then for changes and removals, until it is stopped", async () => {
    await rig.apply(disk("1Gi"));
    const seen = await watching();
    await seen.until(diskKey);
    const steps = [
      () => rig.apply(disk("2Gi")),
      async () => void (await rig.store.putStatus({ ...(await read()), status: { fileSize: 1 } })),
      async () => void (await rig.store.putMetadata(withMetadata(await read(), { annotations: { a: "1" } }))),
      () => rig.remove(diskKey),
    ];
    for (const step of steps) {
      seen.keys.length = 0;
      await step();
      await seen.until(diskKey);
    }
    stop.abort();
    seen.keys.length = 0;
    await rig.apply(disk("1Gi"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen.keys).toEqual([]);
  });

  it("shows the change in the cache when it wakes", async () => {
    const sizes: unknown[] = [];
    const look = (): void =>
      void sizes.push((rig.store.cache.get(diskKey)?.spec as { size?: string } | undefined)?.size);
    await rig.store.watch(look, stop.signal);
    await rig.apply(disk("1Gi"));
    await rig.apply(disk("2Gi"));
    await expect.poll(() => sizes.at(-1)).toBe("2Gi");
  });
};

/** A spec of VMHost that is valid. */
export const hostSpec = {
  driver: "Simulated",
  connection: { type: "Local", local: {} },
  virtualMachinePath: "C:\\VMs",
  storageClasses: [{ name: "fast", path: "C:\\Disks" }],
};
