import { simulate } from "./sim/run.ts";
import type { Order } from "./simulate.ts";

process.once("message", (order: Order) => {
  // Who waits for the outcomes was ended: without this the seeds left would go on for nobody.
  const end = (): never => process.exit(1);
  process.once("disconnect", end);
  const run = async (): Promise<void> => {
    const { from, to, step, store, trace } = order;
    // Every fault and every signal that fires would note where it was made; the replay of a seed that failed tells it.
    if (!trace) Error.stackTraceLimit = 0;
    for (let seed = from; seed < to; seed += step) {
      const outcome = await simulate(seed, { trace: trace ? "keep" : "drop", stores: store && [store] });
      // A long trace takes its time on the way: whoever disconnects before would lose it.
      await new Promise((resolve) => process.send?.(outcome, resolve));
    }
    process.off("disconnect", end);
    process.disconnect();
  };
  void run();
});
