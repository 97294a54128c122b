import { Session, type Profiler } from "node:inspector";

/** What ran in V8 since the last look, by the places of its blocks: tells inputs that reach something new from those that don't. */
export class Coverage implements Disposable {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    this.keep(this.fresh());
  }

  /** Blocks that ran since the last call and that nobody kept yet. */
  fresh(): readonly string[] {
    const fresh: string[] = [];
    for (const { url, functions } of this.#take()) {
      if (url === "" || url.startsWith("node:") || url.includes("/test/")) continue;
      for (const { ranges } of functions)
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue;
          const place = `${url}:${startOffset}:${endOffset}:${bucketOf(count)}`;
          if (!this.#seen.has(place)) fresh.push(place);
        }
    }
    return fresh;
  }

  keep(places: readonly string[]): void {
    for (const place of places) this.#seen.add(place);
  }

  get size(): number {
    return this.#seen.size;
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let found: readonly Profiler.ScriptCoverage[] = [];
    // Within one thread the answer comes before `post` returns.
    this.#session.post("Profiler.takePreciseCoverage", (error, { result }) => {
      if (error) throw error;
      found = result;
    });
    return found;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }
}

/** Once, a few times, often, very often: a loop that runs once more is not news. */
const bucketOf = (count: number): number => (count < 2 ? 1 : count < 8 ? 2 : count < 128 ? 3 : 4);
