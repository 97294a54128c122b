import { describe, expect, test } from "vitest";
import { modelValidation } from "../../src/app/validation.ts";
import { MemoryStore } from "../../src/stores/memory/store.ts";
import { FakeClock } from "../support/clock.ts";
import { SeededRandom } from "../support/random.ts";
import { allEdits, merged, world, type Declared } from "./edits.ts";
import { allFields, fieldText, type Field } from "./fields.ts";
import { placeIn, valueAt, withValue } from "./place.ts";
import { wrongFor } from "./wrong.ts";

/** Objects as new ones: the world's own, and each with one edit. Together they have every field. */
const objects: readonly Declared[] = [
  ...world,
  ...allEdits.map(({ kind, name, patch }): Declared => {
    const base = world.find((one) => one.kind === kind && one.metadata.name === name);
    if (!base) throw new Error(`no ${kind} ${name}`);
    return { ...base, spec: merged(base.spec, patch) as Declared["spec"] };
  }),
];

const newStore = (): MemoryStore =>
  new MemoryStore({ clock: new FakeClock(), random: new SeededRandom(1), validation: modelValidation });

const fields = allFields();

/** An object that has the field. */
const holderOf = (field: Field): Declared | undefined =>
  objects.find(({ kind, spec }) => kind === field.kind && placeIn(spec, field.path) !== undefined);

test.each(objects.map((one, index) => [`${index} ${one.kind} ${one.metadata.name}`, one] as const))(
  "the campaign's object %s is accepted",
  async (_, object) => {
    const store = newStore();
    const made = await store.apply(object);
    expect(made.spec).toMatchObject(object.spec as object);
  },
);

test("every field of every spec is in one of them", () => {
  const missing = fields.filter((field) => holderOf(field) === undefined).map(fieldText);
  console.log(`${fields.length} fields, ${missing.length} without a value`);
  expect(missing).toEqual([]);
});

describe.each(world.map(({ kind }) => kind).filter((kind, index, all) => all.indexOf(kind) === index))("%s", (kind) => {
  test("what a field must not hold is refused, and changes nothing", { timeout: 300_000 }, async () => {
    const accepted: string[] = [];
    let tried = 0;
    for (const field of fields.filter((one) => one.kind === kind)) {
      const holder = holderOf(field);
      const steps = holder && placeIn(holder.spec, field.path);
      if (!holder || !steps) continue;
      const store = newStore();
      const before = await store.apply(holder);
      for (const { why, value } of wrongFor(field, valueAt(holder.spec, steps))) {
        const spec = withValue(holder.spec, steps, value);
        const refused = await store.apply({ ...holder, spec }).then(
          () => undefined,
          (error: Error) => error.message,
        );
        tried += 1;
        if (refused === undefined) accepted.push(`${fieldText(field)} ${why}`);
        else expect(store.cache.list(kind)).toEqual([before]);
      }
    }
    console.log(`${kind}: ${tried} wrong values`);
    expect(accepted).toEqual([]);
  });
});
