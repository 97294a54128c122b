import { expect, it } from "vitest";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { watchedStore } from "../../../src/telemetry/storage.ts";

it("knows whether it can be written, and finds out by itself when it can be again", async () => {
  const inner = new MemoryKeyValue();
  let full = false;
  let failures = 0;
  const write = inner.write.bind(inner);
  inner.write = (batch) => (full ? Promise.reject(new Error("no space is left")) : write(batch));
  const store = watchedStore(inner, () => (failures += 1));
  await store.write(new Map([["a", "1"]]));
  expect(await store.writeError()).toBeUndefined();
  full = true;
  await expect(store.write(new Map([["b", "2"]]))).rejects.toThrow("no space");
  expect(await store.writeError()).toBe("no space is left");
  full = false;
  expect(await store.writeError()).toBeUndefined();
  expect(failures).toBe(2);
  const entries = [];
  for await (const entry of store.entries("")) entries.push(entry);
  expect(entries).toEqual([["a", "1"]]);
});
