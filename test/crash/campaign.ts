import { isDeepStrictEqual, inspect } from "node:util";
import type { Bench } from "./bench.ts";
import { pointsOf, pointText, type Point } from "./points.ts";
import { run, type Run } from "./run.ts";

export interface Tally {
  /** Points of the run that was recorded. */
  readonly points: readonly Point[];
  readonly tried: number;
  /** Kills that came; the others' moments did not come in their runs. */
  readonly struck: number;
  readonly failures: readonly string[];
}

export interface CrashCampaign {
  readonly benches: readonly (() => Promise<Bench>)[];
  /** Which points to try. */
  readonly choose: (points: readonly Point[]) => readonly Point[];
  readonly told?: (line: string) => void;
}

/** Records one run without a kill, then runs again with each of the points; every end must be the recorded one. Each bench takes one run at a time. */
export const crashAt = async ({ benches, choose, told }: CrashCampaign): Promise<Tally> => {
  const [first] = benches;
  if (!first) throw new Error("no bench to run at");
  const whole = await on(first, undefined);
  const points = pointsOf(whole.log);
  const waiting = [...choose(points)];
  const tried = waiting.length;
  const failures: string[] = [];
  let struck = 0;
  let done = 0;
  const work = async (bench: () => Promise<Bench>): Promise<void> => {
    for (let point = waiting.shift(); point; point = waiting.shift()) {
      const fault = await on(bench, point).then(
        (end) => {
          if (end.struck) struck += 1;
          done += 1;
          told?.(`${done}/${tried} ${end.struck ? "" : "(not reached) "}${pointText(point)}`);
          return difference(whole, end);
        },
        (error: unknown) => String(error),
      );
      if (fault === undefined) continue;
      failures.push(`${pointText(point)}: ${fault}`);
      told?.(`FAIL ${failures.at(-1)}`);
    }
  };
  await Promise.all(benches.map(work));
  return { points, tried, struck, failures };
};

const on = async (make: () => Promise<Bench>, point: Point | undefined): Promise<Run> => {
  const bench = await make();
  try {
    return await run(bench, point);
  } finally {
    await bench.dispose();
  }
};

const difference = (wanted: Run, found: Run): string | undefined =>
  isDeepStrictEqual(wanted.end, found.end)
    ? undefined
    : `another end:\n${inspect(found.end, { depth: 9 })}\ninstead of\n${inspect(wanted.end, { depth: 9 })}`;
