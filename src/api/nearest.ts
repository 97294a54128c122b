/** The candidate nearest to `typed` by edit distance (case ignored), or undefined if none is near: a third of its length at most. */
export const nearest = (typed: string, candidates: readonly string[]): string | undefined => {
  const limit = Math.max(1, Math.floor(typed.length / 3));
  let best: { name: string; far: number } | undefined;
  for (const name of candidates) {
    const far = distance(typed.toLowerCase(), name.toLowerCase(), limit);
    if (far <= limit && (best === undefined || far < best.far)) best = { name, far };
  }
  return best?.name;
};

/** Optimal string alignment distance (a swap of neighbours counts one); above `limit` its value is only "too far". */
const distance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) row.push(cell({ a, b, i, j, row, last, before }));
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
};

interface Cell {
  a: string;
  b: string;
  i: number;
  j: number;
  row: readonly number[];
  last: readonly number[];
  before: readonly number[];
}

const cell = ({ a, b, i, j, row, last, before }: Cell): number => {
  const at = (values: readonly number[], index: number): number => values[index] ?? Infinity;
  const changed = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
  const plain = Math.min(at(row, j - 1) + 1, at(last, j) + 1, changed);
  const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
  return swapped ? Math.min(plain, at(before, j - 2) + 1) : plain;
};
