export interface Again {
  readonly do: "again";
  readonly ms: number;
  /** Since another write of the object won. */
  readonly raced?: true;
}

/** When a key comes again. gone: never, its object does not exist. */
export type Next = { readonly do: "done" } | { readonly do: "gone" } | Again;

export const done: Next = { do: "done" };
export const gone: Next = { do: "gone" };

export const earliest = (all: readonly Next[]): Next => {
  const times = all.flatMap((next) => (next.do === "again" ? [next.ms] : []));
  return times.length === 0 ? done : { do: "again", ms: Math.min(...times) };
};
