import { describe, expect, it } from "vitest";
import { keyText } from "../../../src/api/resource.ts";
import { MemoryStore } from "../../../src/stores/memory/store.ts";
import { disk, diskKey, storeContract } from "../../contract/store.ts";
import { modelValidation } from "../../../src/app/validation.ts";
import type { StoreRig } from "../../contract/store.ts";
import { CountingRandom, HandClock } from "./fixed.ts";

const open = (): MemoryStore =>
  new MemoryStore({ clock: new HandClock(), random: new CountingRandom(), validation: modelValidation });

describe("memory store", () => {
  storeContract((): Promise<StoreRig> => {
    const store = open();
    return Promise.resolve({
      store,
      apply: async (manifest) => void (await store.apply(manifest)),
      remove: (key) => store.remove(key),
      writes: () => store.counters.objects,
      close: () => Promise.resolve(),
    });
  });

  it("keeps a declared annotation over one that a controller writes, and shows that one when it is no longer declared", async () => {
    const store = open();
    const first = await store.apply(disk("1Gi"));
    const set = await store.putMetadata({
      ...first,
      metadata: { ...first.metadata, annotations: { a: "controller" } },
    });
    expect(set.metadata.annotations).toEqual({ a: "controller" });
    expect((await store.apply(disk("1Gi", { annotations: { a: "yaml" } }))).metadata.annotations).toEqual({
      a: "yaml",
    });
    expect((await store.apply(disk("1Gi"))).metadata.annotations).toEqual({ a: "controller" });
  });

  it("is not changed by what callers do to their objects", async () => {
    const store = open();
    const spec = { source: { type: "Blank" }, size: "1Gi" };
    await store.apply({ ...disk("1Gi"), spec });
    spec.size = "9Gi";
    expect(store.cache.get(diskKey)?.spec).toMatchObject({ size: "1Gi" });
    const kept = store.cache.get(diskKey)?.spec as { size: string };
    expect(() => (kept.size = "9Gi")).toThrow(TypeError);
  });

  it("refuses what the model refuses, at birth and at change", async () => {
    const refused = { ok: false, errors: [{ path: "spec.size", message: "may only grow" }] } as const;
    const store = new MemoryStore({
      clock: new HandClock(),
      random: new CountingRandom(),
      validation: {
        validate: (object) => ({ ok: true, object }),
        validateUpdate: () => refused,
      },
    });
    await store.apply(disk("2Gi"));
    await store.apply(disk("2Gi"));
    await expect(store.apply(disk("1Gi"))).rejects.toThrow("VirtualDisk/data is not valid: spec.size: may only grow");
    expect(store.cache.get(diskKey)?.spec).toMatchObject({ size: "2Gi" });
  });

  it("lists by key, whatever the order of birth", async () => {
    const store = open();
    for (const name of ["c", "a", "b"]) await store.apply(disk("1Gi", { name }));
    expect(store.cache.list("VirtualDisk").map((object) => object.metadata.name)).toEqual(["a", "b", "c"]);
    expect(keyText(diskKey)).toBe("VirtualDisk/default/data");
  });
});
