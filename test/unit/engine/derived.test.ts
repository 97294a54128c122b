import fc from "../../support/fc.ts";
import { expect, it } from "vitest";
import type { Objects, Resource } from "../../../src/engine/ports.ts";
import { indexed, textsOf } from "../../../src/engine/derived.ts";

const object = (name: string, version: number): Resource => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualMachine",
  metadata: {
    name,
    uid: `uid-${version % 3}`,
    generation: 1,
    resourceVersion: String(version),
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec: {},
});

/** A store's cache: another list after each change, in the order of names. */
const storeOf = () => {
  let list: readonly Resource[] = [];
  const objects: Objects = { get: () => undefined, list: () => list };
  return { objects, become: (next: readonly Resource[]) => (list = next) };
};

const names = fc.uniqueArray(fc.constantFrom(..."abcdefgh"), { maxLength: 8 });
/** States of the store one after another: which objects there are, and which of them changed. */
const states = fc.array(fc.tuple(names, names), { minLength: 1, maxLength: 12 });

it("an index kept along the changes has what one made anew has, and is told of each object once", () => {
  fc.assert(
    fc.property(states, (steps) => {
      const { objects, become } = storeOf();
      const index = indexed<Resource, Set<Resource>>({
        kind: "VirtualMachine",
        make: () => new Set(),
        update: (set, gone, come) => {
          for (const one of gone) expect(set.delete(one)).toBe(true);
          for (const one of come) expect(set.size).toBe(set.has(one) ? NaN : set.size);
          for (const one of come) set.add(one);
        },
      });
      const uids = textsOf("VirtualMachine", ({ metadata }) => metadata.uid);
      const known = new Map<string, Resource>();
      let version = 0;
      for (const [present, changed] of steps) {
        for (const name of known.keys()) if (!present.includes(name)) known.delete(name);
        for (const name of present)
          if (!known.has(name) || changed.includes(name)) known.set(name, object(name, (version += 1)));
        const list = [...known.values()].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
        become(list);
        expect(index(objects)).toEqual(new Set(list));
        for (const uid of ["uid-0", "uid-1", "uid-2"])
          expect(uids(objects).has(uid)).toBe(list.some(({ metadata }) => metadata.uid === uid));
      }
    }),
  );
});

it("two stores have an index each", () => {
  const [one, other] = [storeOf(), storeOf()];
  one.become([object("a", 1)]);
  const uids = textsOf("VirtualMachine", ({ metadata }) => metadata.uid);
  expect([uids(one.objects).has("uid-1"), uids(other.objects).has("uid-1")]).toEqual([true, false]);
});
