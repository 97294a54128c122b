import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
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

it("two stores that begin with the same list have each their own index afterwards", () => {
  const [one, other] = [storeOf(), storeOf()];
  const first = [object("a", 1)];
  one.become(first);
  other.become(first);
  const uids = textsOf("VirtualMachine", ({ metadata }) => metadata.uid);
  expect([uids(one.objects).has("uid-1"), uids(other.objects).has("uid-1")]).toEqual([true, true]);
  one.become([object("a", 2)]);
  expect([uids(one.objects).has("uid-1"), uids(other.objects).has("uid-1")]).toEqual([false, true]);
  other.become([object("a", 3)]);
  expect([uids(one.objects).has("uid-2"), uids(other.objects).has("uid-0")]).toEqual([true, true]);
});

it("an index that nobody asks for any more keeps no object of a list that the store has left", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { objects, become } = storeOf();
  const index = indexed<Resource, Set<Resource>>({
    kind: "VirtualMachine",
    make: () => new Set(),
    update: (set, gone, come) => {
      for (const one of gone) set.delete(one);
      for (const one of come) set.add(one);
    },
  });
  const old = (() => {
    const list = [object("a", 1)];
    become(list);
    expect(index(objects).size).toBe(1);
    return new WeakRef(list[0] as Resource);
  })();
  become([object("a", 2)]);
  // A WeakRef holds its target up to the end of the turn in which it was made or read.
  await new Promise((resolve) => void setImmediate(resolve));
  collect();
  expect(old.deref()).toBeUndefined();
  expect([...index(objects)].map(({ metadata }) => metadata.resourceVersion)).toEqual(["2"]);
});

it("two stores have an index each", () => {
  const [one, other] = [storeOf(), storeOf()];
  one.become([object("a", 1)]);
  const uids = textsOf("VirtualMachine", ({ metadata }) => metadata.uid);
  expect([uids(one.objects).has("uid-1"), uids(other.objects).has("uid-1")]).toEqual([true, false]);
});
