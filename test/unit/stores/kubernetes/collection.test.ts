import fc from "../../../support/fc.ts";
import { describe, expect, it } from "vitest";
import type { Resource } from "../../../../src/api/resource.ts";
import { keyOf } from "../../../../src/api/resource.ts";
import { Collection } from "../../../../src/stores/kubernetes/collection.ts";
import { compareVersions } from "../../../../src/stores/kubernetes/version.ts";
import { diskOf } from "./apiServer.ts";

const shown = (collection: Collection): readonly string[] =>
  collection.list().map(({ metadata }) => `${metadata.name} ${metadata.uid} @${metadata.resourceVersion}`);

describe("what is known of a collection", () => {
  it.each([
    { why: "older is shorter", a: "99", b: "100", order: -1 },
    { why: "as numbers, of any size", a: "90071992547409921", b: "90071992547409920", order: 1 },
    { why: "equal", a: "7", b: "7", order: 0 },
    { why: "nothing is older than all", a: "", b: "1", order: -1 },
  ])("versions: $why", ({ a, b, order }) => expect(Math.sign(compareVersions(a, b))).toBe(order));

  it("wakes once for an own write and its echo", () => {
    let wakes = 0;
    const collection = new Collection(() => (wakes += 1));
    collection.replaced([diskOf("a", 5)], "5");
    collection.written(diskOf("a", 6));
    collection.changed(diskOf("a", 6));
    expect([wakes, shown(collection)]).toEqual([2, ["a uid-a @6"]]);
  });

  it("takes a server that was put back to an older state as it is", () => {
    const collection = new Collection(() => undefined);
    collection.replaced([diskOf("a", 50), diskOf("b", 60)], "70");
    collection.replaced([diskOf("a", 10)], "20");
    expect(shown(collection)).toEqual(["a uid-a @10"]);
    collection.changed(diskOf("a", 21));
    expect(shown(collection)).toEqual(["a uid-a @21"]);
  });
});

/** What happens to the objects of a small server, in its order, and when the collection is told of it. */
type Move =
  | { readonly do: "write" | "remove"; readonly name: string; readonly by: "us" | "others" }
  | { readonly do: "hear" | "answer" | "list" | "bookmark" };

const nameOf = fc.constantFrom("a", "b", "c");
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom("write", "remove"), name: nameOf, by: fc.constantFrom("us", "others") }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("hear", "answer") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("list", "bookmark") }) },
);

/** An etcd of one kind: each write gets the next version and an event. */
class Server {
  version = 1;
  readonly objects = new Map<string, Resource>();
  /** Not heard by the watch yet. */
  events: { type: "changed" | "removed"; object: Resource }[] = [];
  /** Not yet arrived answers to our own writes. */
  answers: ((collection: Collection) => void)[] = [];

  write(name: string, by: "us" | "others"): void {
    this.version += 1;
    const uid = this.objects.get(name)?.metadata.uid ?? `uid-${name}-${this.version}`;
    const object = diskOf(name, this.version, { uid });
    this.objects.set(name, object);
    this.events.push({ type: "changed", object });
    if (by === "us") this.answers.push((collection) => void collection.written(object));
  }

  remove(name: string, by: "us" | "others"): void {
    const object = this.objects.get(name);
    if (!object) return;
    this.version += 1;
    this.objects.delete(name);
    const last = diskOf(name, this.version, { uid: object.metadata.uid, deletionTimestamp: "2026-01-01T00:00:00Z" });
    this.events.push({ type: "removed", object: last });
    // Ours is the write that took off the last finalizer: its answer is the object without any.
    if (by === "us") this.answers.push((collection) => void collection.written(last));
  }

  /** A list on its way: what it tells was so when it was asked for. Nothing is heard until it is there. */
  #listing: { readonly objects: readonly Resource[]; readonly version: number } | undefined;

  hear(collection: Collection): void {
    if (this.#listing) return this.list(collection);
    const event = this.events.shift();
    if (event) collection[event.type](event.object);
  }

  /** Asks for a list, or gets the one that was asked for. */
  list(collection: Collection): void {
    const arrived = this.#listing;
    if (!arrived) {
      this.events = [];
      this.#listing = { objects: [...this.objects.values()], version: this.version };
      return;
    }
    this.#listing = undefined;
    collection.replaced(arrived.objects, String(arrived.version));
  }

  get idle(): boolean {
    return this.events.length === 0 && this.answers.length === 0 && this.#listing === undefined;
  }

  get caughtUp(): boolean {
    return this.events.length === 0 && this.#listing === undefined;
  }
}

describe("news in any order", () => {
  it("ends as the server is; no object gets older, none that we saw removed comes back", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const server = new Server();
        const newest = new Map<string, string>();
        const removed = new Set<string>();
        const collection: Collection = new Collection((key) => {
          const object = collection.get(key);
          if (!object) return;
          const { uid, resourceVersion } = object.metadata;
          expect(removed.has(uid)).toBe(false);
          expect(compareVersions(resourceVersion, newest.get(uid) ?? "")).toBeGreaterThan(0);
          newest.set(uid, resourceVersion);
        });
        collection.replaced([], "1");
        const noteRemoved = (work: () => void): void => {
          const before = collection.list();
          work();
          for (const object of before)
            if (collection.get(keyOf(object))?.metadata.uid !== object.metadata.uid) removed.add(object.metadata.uid);
        };
        for (const one of moves) noteRemoved(() => act(one, server, collection));
        while (!server.idle) {
          noteRemoved(() => server.answers.shift()?.(collection));
          noteRemoved(() => server.hear(collection));
        }
        const wanted = [...server.objects.values()].map(
          ({ metadata }) => `${metadata.name} ${metadata.uid} @${metadata.resourceVersion}`,
        );
        expect(shown(collection)).toEqual(wanted.toSorted());
      }),
      { numRuns: 5_000 },
    );
  });
});

const act = (one: Move, server: Server, collection: Collection): void => {
  switch (one.do) {
    case "write":
    case "remove":
      return server[one.do](one.name, one.by);
    case "hear":
      return server.hear(collection);
    case "list":
      return server.list(collection);
    case "answer":
      return server.answers.shift()?.(collection);
    case "bookmark":
      if (server.caughtUp) collection.bookmarked(String(server.version));
      return undefined;
    default:
      return one satisfies never;
  }
};
