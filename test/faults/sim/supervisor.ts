import type { Chance } from "./chance.ts";
import type { Climate } from "./climate.ts";
import type { RunningPlane } from "./controlPlane.ts";
import { Process } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

interface Incarnation {
  readonly process: Process;
  readonly ending: AbortController;
  readonly plane: Promise<RunningPlane | undefined>;
  running: RunningPlane | undefined;
}

export interface SupervisorParts {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly climate: Climate;
  readonly replicas: number;
  /** Another process can't begin while one is there. */
  readonly exclusive: boolean;
  /** Whether processes crash by themselves, at some dealing with the world. */
  readonly crashes: boolean;
  readonly start: (process: Process, ending: AbortSignal) => Promise<RunningPlane | undefined>;
  readonly abandoned: (process: Process) => void;
  /** A start that failed. */
  readonly failed: (error: unknown) => void;
}

/** Keeps so many processes of the control plane alive: one that ended is started again after a while. */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #slots: (Incarnation | undefined)[];
  /** All that there ever were. */
  readonly #past: Incarnation[] = [];
  #count = 0;
  #calm = false;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#slots = Array.from({ length: parts.replicas }, () => undefined);
  }

  begin(): void {
    for (const slot of this.#slots.keys()) this.#start(slot);
  }

  /** Those that are up, leading or not. */
  get processes(): readonly Process[] {
    return this.#slots.flatMap((one) => (one && !one.process.ended ? [one.process] : []));
  }

  /** The plane that decides now, as far as anybody can tell from outside. */
  get plane(): RunningPlane | undefined {
    return this.#leading?.running;
  }

  get leader(): Process | undefined {
    return this.#leading?.process;
  }

  get #leading(): Incarnation | undefined {
    return this.#slots.findLast((one) => one !== undefined && !one.process.ended && one.running !== undefined);
  }

  /** From now on no process crashes, and those that are paused go on. */
  calm(): void {
    this.#calm = true;
    for (const process of this.processes) {
      process.steady();
      process.resume();
    }
  }

  /** The run is over: nothing that a process waited for may keep this world in memory. */
  bury(): void {
    for (const { ending, process } of this.#past) {
      process.bury();
      ending.abort();
    }
  }

  crash(slot: number): void {
    this.#slots[slot % this.#slots.length]?.process.end("is killed");
  }

  stop(slot: number): void {
    this.#slots[slot % this.#slots.length]?.ending.abort();
  }

  /** Another process takes the place while this one, which stands still for a while, does not know; it ends later. */
  supplant(slot: number, ms: { readonly frozen: number; readonly lives: number }): void {
    const { scheduler } = this.#parts;
    const at = slot % this.#slots.length;
    const old = this.#slots[at]?.process;
    if (!old || old.ended) return;
    old.pause();
    if (this.#parts.exclusive) {
      scheduler.at(ms.frozen, "", () => old.end("is killed as it hangs"));
      return;
    }
    scheduler.at(ms.frozen, "", () => old.resume());
    scheduler.at(ms.frozen + ms.lives, "", () => old.end("is killed at last"));
    this.#slots[at] = undefined;
    this.#start(at);
  }

  #start(slot: number): void {
    const { scheduler, chance, climate, crashes, start, abandoned, failed } = this.#parts;
    this.#count += 1;
    const name = `p${this.#count}`;
    const ending = new AbortController();
    const process = new Process({
      name,
      scheduler,
      chance: chance.fork(name),
      climate,
      endsAt: crashes && !this.#calm && chance.is(0.7) ? Math.round(chance.wide(2, 400)) : undefined,
      onEnd: () => {
        abandoned(process);
        const pause = this.#calm ? 1000 : chance.wide(10, 20_000);
        scheduler.at(pause, "", () => this.#slots[slot] === incarnation && this.#start(slot));
      },
    });
    scheduler.note(`${name} starts`);
    const plane = start(process, ending.signal);
    const incarnation: Incarnation = { process, ending, plane, running: undefined };
    this.#slots[slot] = incarnation;
    this.#past.push(incarnation);
    void plane.then(
      (running) => {
        incarnation.running = running;
        if (!running) process.end("has ended before it led");
      },
      (error: unknown) => {
        failed(error);
        process.end("could not start");
      },
    );
  }
}
