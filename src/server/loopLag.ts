/** How late the event loop is: the worst of the last ten seconds or so, milliseconds. */
export interface LoopLag {
  worstMs(): number;
  stop(): void;
}

const beatMs = 500;
const kept = 20;

/** Watches the event loop by a timer that should fire twice a second. */
export const watchLoop = (): LoopLag => {
  const late: number[] = [];
  let due = performance.now() + beatMs;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    if (late.length > kept) late.shift();
    due = now + beatMs;
  }, beatMs);
  timer.unref();
  return {
    // What is late now has not been counted yet.
    worstMs: () => Math.max(0, performance.now() - due, ...late),
    stop: () => clearInterval(timer),
  };
};
