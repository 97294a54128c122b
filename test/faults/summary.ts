import type { Outcome } from "./sim/run.ts";

interface SummaryParts {
  readonly count: number;
  readonly trace: boolean;
  readonly out: (text: string) => void;
  readonly tty: boolean;
}

const shownProblems = 6;
const everyMs = 10_000;

/** Tells how a campaign goes: each failure as it comes, a line of progress now and then, the sums at the end. */
export class Summary {
  readonly #parts: SummaryParts;
  readonly #started = performance.now();
  readonly #failed: number[] = [];
  #brokenBy: string | undefined;
  #told = performance.now();
  #done = 0;
  #events = 0;
  #steps = 0;
  #effects = 0;
  #faults = 0;
  #seconds = 0;

  constructor(parts: SummaryParts) {
    this.#parts = parts;
  }

  add(outcome: Outcome): void {
    const { trace, out } = this.#parts;
    this.#done += 1;
    this.#events += outcome.events;
    this.#steps += outcome.steps;
    this.#effects += outcome.effects;
    this.#faults += outcome.faults;
    this.#seconds += outcome.seconds;
    if (trace) out(`${outcome.trace.join("\n")}\nseed ${outcome.seed}: hash ${outcome.hash}\n`);
    if (outcome.problems.length > 0) this.#failure(outcome);
    this.#progress();
  }

  broken(why: string): void {
    this.#brokenBy = why;
  }

  #failure({ seed, store, hash, problems }: Outcome): void {
    this.#failed.push(seed);
    const shown = problems.slice(0, shownProblems).map((text) => `\n  ${text}`);
    const more = problems.length > shownProblems ? `\n  and ${problems.length - shownProblems} more` : "";
    this.#parts.out(`FAIL seed ${seed} (${store}, hash ${hash})${shown.join("")}${more}\n${again(seed)}\n`);
  }

  #progress(): void {
    const now = performance.now();
    const { tty, out, count } = this.#parts;
    if (now - this.#told < (tty ? 500 : everyMs)) return;
    this.#told = now;
    const text = `${this.#done}/${count} seeds, ${this.#failed.length} failed, ${this.#rate()} ms a seed`;
    out(tty ? `\r${text} ` : `${text}\n`);
  }

  #rate(): string {
    return ((performance.now() - this.#started) / Math.max(1, this.#done)).toFixed(0);
  }

  /** Prints the sums, and gives the exit code. */
  end({ early }: { readonly early: boolean }): number {
    const { out, tty, count } = this.#parts;
    const expected = early ? 0 : count;
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0);
    const hours = (this.#seconds / 3600).toFixed(0);
    out(
      `${tty ? "\r" : ""}${this.#done} seeds in ${seconds} s (${this.#rate()} ms a seed): ${this.#events} events in ${hours} virtual hours, ` +
        `${this.#failed.length} failed${this.#failed.length > 0 ? `: ${this.#failed.slice(0, 20).join(", ")}` : ""}\n`,
    );
    const mean = (sum: number): string => (sum / Math.max(1, this.#done)).toFixed(1);
    out(`a seed has ${mean(this.#steps)} steps, ${mean(this.#effects)} effects and ${mean(this.#faults)} faults\n`);
    if (this.#brokenBy === undefined && this.#done < expected)
      this.broken(`only ${this.#done} of ${expected} seeds were run`);
    if (this.#brokenBy !== undefined) out(`${this.#brokenBy}\n`);
    return this.#failed.length > 0 || this.#brokenBy !== undefined ? 1 : 0;
  }
}

const again = (seed: number): string => `  again: npm run simulate -- --from ${seed} --seeds 1 --trace`;
