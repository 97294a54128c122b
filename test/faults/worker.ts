import { simulate } from "./sim/run.ts";
import type { Order } from "./simulate.ts";

process.once("message", (order: Order) => {
  const run = async (): Promise<void> => {
    const { from, to, step, store, trace } = order;
    for (let seed = from; seed < to; seed += step) {
      const outcome = await simulate(seed, { trace: trace ? "keep" : "drop", stores: store && [store] });
      process.send?.(outcome);
    }
    process.disconnect();
  };
  void run();
});
