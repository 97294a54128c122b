import { expect, test } from "vitest";
import { keyOf } from "../../../src/api/resource.ts";
import { ConflictError } from "../../../src/engine/ports.ts";
import { ObjectTable } from "../../../src/stores/table.ts";
import { FakeClock } from "../../support/clock.ts";
import { SeededRandom } from "../../support/random.ts";

const draft = (name: string) => ({ kind: "VirtualMachine", metadata: { namespace: "default", name }, spec: {} });

/** A table whose durable writes last until the test lets them end. */
const slowTable = () => {
  const batches: number[] = [];
  let fail: Error | undefined;
  const table = new ObjectTable({
    clock: new FakeClock(),
    random: new SeededRandom(),
    persist: async (changes) => {
      batches.push(changes.size);
      await new Promise((resolve) => setImmediate(resolve));
      if (fail) throw fail;
    },
  });
  return { table, batches, fail: (error: Error | undefined) => void (fail = error) };
};

const made = async (table: ObjectTable, count: number) =>
  await Promise.all(Array.from({ length: count }, (_, index) => table.create(draft(`vm${index}`))));

test("writes that wait for one turn are made durable together", async () => {
  const { table, batches } = slowTable();
  const objects = await made(table, 50);
  batches.length = 0;
  await Promise.all(objects.map((object) => table.putStatus({ ...object, status: { seen: true } })));
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(50);
  expect(batches.length).toBeLessThanOrEqual(2);
  for (const object of objects) expect(table.cache.get(keyOf(object))?.status).toEqual({ seen: true });
});

test("of two writes of one object in one turn the second loses", async () => {
  const { table } = slowTable();
  const [object] = await made(table, 1);
  if (!object) throw new Error("nothing was made");
  const ends = await Promise.allSettled([
    table.putStatus({ ...object, status: { by: 1 } }),
    table.putStatus({ ...object, status: { by: 2 } }),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect((ends[1] as PromiseRejectedResult).reason).toBeInstanceOf(ConflictError);
  expect(table.cache.get(keyOf(object))?.status).toEqual({ by: 1 });
});

test("a turn that can't be made durable changes nothing, and every writer is told", async () => {
  const { table, fail } = slowTable();
  const objects = await made(table, 3);
  fail(new Error("the disk is full"));
  const ends = await Promise.allSettled(
    objects.map((object) => table.putStatus({ ...object, status: { seen: true } })),
  );
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  for (const object of objects) expect(table.cache.get(keyOf(object))?.status).toBeUndefined();
  fail(undefined);
  await table.putStatus({ ...objects[0]!, status: { seen: 1 } });
  expect(table.cache.get(keyOf(objects[0]!))?.status).toEqual({ seen: 1 });
});

test("annotations are set in the order in which they were asked for, whatever else is written meanwhile, and wait for nobody", async () => {
  const { table, batches } = slowTable();
  const [object] = await made(table, 1);
  if (!object) throw new Error("nothing was made");
  const key = keyOf(object);
  batches.length = 0;
  const status = table.putStatus({ ...object, status: { by: 1 } });
  const first = [table.annotate(key, "note", "1"), table.annotate(key, "note", "2"), table.annotate(key, "other", "a")];
  await status;
  const later = [table.annotate(key, "note", "3"), table.annotate(key, "other", null)];
  await Promise.all([...first, ...later]);
  expect(table.cache.get(key)?.status).toEqual({ by: 1 });
  expect(table.cache.get(key)?.metadata.annotations).toEqual({ note: "3" });
  expect(batches.length).toBeLessThanOrEqual(3);
});

test("a write that was decided on what an annotation changed loses; the annotation of what is gone is refused", async () => {
  const { table } = slowTable();
  const [object] = await made(table, 1);
  if (!object) throw new Error("nothing was made");
  const note = table.annotate(keyOf(object), "note", "1");
  await expect(table.putStatus({ ...object, status: {} })).rejects.toBeInstanceOf(ConflictError);
  await note;
  await table.delete(keyOf(object), object.metadata.uid);
  await expect(table.annotate(keyOf(object), "note", "2")).rejects.toBeInstanceOf(ConflictError);
});
