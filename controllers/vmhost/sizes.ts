const GiB = 2 ** 30;

/** A size as it is shown: the one shown before, until the new one is off by 5 % and by 1 GiB. */
export const steadySize = (before: number | undefined, now: number): number =>
  before !== undefined && !(Math.abs(now - before) >= GiB && Math.abs(now - before) >= before * 0.05) ? before : now;
