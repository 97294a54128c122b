import { describe, expect, it } from "vitest";
import { nextMove, type ShardMove } from "../../../../src/stores/kubernetes/shardPlan.ts";

const members = ["a", "b", "c"];

const cases: readonly {
  readonly why: string;
  readonly self: string;
  readonly members?: readonly string[];
  readonly holders: readonly (string | undefined)[];
  readonly next: ShardMove;
}[] = [
  {
    why: "alone, takes what is free",
    self: "a",
    members: ["a"],
    holders: ["a", undefined],
    next: { do: "take", shard: 1 },
  },
  { why: "with the fewest, takes", self: "b", holders: ["a", undefined, undefined], next: { do: "take", shard: 1 } },
  { why: "others have fewer", self: "a", holders: ["a", undefined, undefined], next: { do: "nothing" } },
  {
    why: "one more than others is fair",
    self: "a",
    members: ["a", "b"],
    holders: ["a", "b", "a"],
    next: { do: "nothing" },
  },
  {
    why: "two more than another",
    self: "a",
    members: ["a", "b"],
    holders: ["a", "a", "a"],
    next: { do: "give", shard: 2 },
  },
  { why: "of two that have most, the first gives", self: "b", holders: ["a", "a", "b", "b"], next: { do: "nothing" } },
  { why: "the first of them", self: "a", holders: ["a", "a", "b", "b"], next: { do: "give", shard: 1 } },
  {
    why: "keeps what it has while somebody has yet to take",
    self: "a",
    holders: ["a", "a", undefined],
    next: { do: "nothing" },
  },
];

describe("the next move of a replica", () => {
  it.each(cases)("$why", ({ self, members: alive = members, holders, next }) => {
    expect(nextMove({ self, members: alive, holders })).toEqual(next);
  });
});

/** All replicas move in turn, as they see the Leases at that moment, until nobody moves. */
const settle = (alive: readonly string[], start: readonly (string | undefined)[]): readonly (string | undefined)[] => {
  const holders = start.map((holder) => (holder !== undefined && alive.includes(holder) ? holder : undefined));
  for (let still = 0, turn = 0; still < alive.length; turn += 1) {
    if (turn > 1000) throw new Error(`they never rest: ${holders.join()}`);
    const self = alive[turn % alive.length] ?? "";
    const move = nextMove({ self, members: alive, holders });
    still = move.do === "nothing" ? still + 1 : 0;
    if (move.do === "take") holders[move.shard] = self;
    if (move.do === "give") holders[move.shard] = undefined;
  }
  return holders;
};

describe("any number of replicas and shards", () => {
  it("comes to rest with equal shares, moving no shard without need", () => {
    for (let count = 1; count <= 6; count += 1)
      for (let shards = 1; shards <= 9; shards += 1) {
        const all = Array.from({ length: count }, (_, index) => `r${index}`);
        const first = settle(
          all,
          Array.from({ length: shards }, () => undefined),
        );
        // One dies: only its shards move. It comes back.
        const left = settle(all.slice(1), count === 1 ? [] : first);
        for (const [found, alive] of [
          [first, all],
          [left, all.slice(1)],
          [settle(all, left), all],
        ] as const) {
          const shares = alive.map((one) => found.filter((holder) => holder === one).length);
          expect(found).not.toContain(undefined);
          if (shares.length > 0 && found.length > 0) expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(2);
        }
        for (const [shard, holder] of left.entries()) if (first[shard] !== "r0") expect(holder).toBe(first[shard]);
      }
  });
});
