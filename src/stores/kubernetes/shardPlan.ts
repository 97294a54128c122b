/** Who holds what, as one replica sees it. */
export interface ShardView {
  readonly self: string;
  /** Replicas that are alive, this one too. */
  readonly members: readonly string[];
  /** By shard; undefined where nobody holds it. */
  readonly holders: readonly (string | undefined)[];
}

export type ShardMove =
  | { readonly do: "take"; readonly shard: number }
  | { readonly do: "give"; readonly shard: number }
  | { readonly do: "nothing" };

const nothing: ShardMove = { do: "nothing" };

/**
 * What this replica does next, so that all have the same share, or one more than others. A free shard goes to one with the fewest; with
 * none free, one with the most gives one up when somebody has two less. Of several alike the first by name acts.
 */
export const nextMove = ({ self, members, holders }: ShardView): ShardMove => {
  const counts = new Map(members.map((member) => [member, holders.filter((holder) => holder === member).length]));
  const [mine, fewest, most] = [counts.get(self) ?? 0, Math.min(...counts.values()), Math.max(...counts.values())];
  const free = holders.indexOf(undefined);
  if (free >= 0) return mine === fewest ? { do: "take", shard: free } : nothing;
  const [giver] = [...counts]
    .filter(([, count]) => count === most)
    .map(([member]) => member)
    .sort();
  if (giver !== self || most - fewest < 2) return nothing;
  return { do: "give", shard: holders.lastIndexOf(self) };
};
