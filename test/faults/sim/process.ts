import type { Clock } from "../../../src/engine/ports.ts";
import type { Chance } from "./chance.ts";
import type { Climate } from "./climate.ts";
import { sleeping, type Pending, type Scheduler } from "./scheduler.ts";

/** A failure that the simulation made: whoever logs it has done nothing wrong. */
export class InjectedError extends Error {
  override readonly name = "InjectedError";
}

export interface ProcessParts {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly climate: Climate;
  /** It ends right before or after its so manieth dealing with the world; never if absent. */
  readonly endsAt?: number | undefined;
  readonly onEnd?: () => void;
}

export interface CallOptions {
  /** local: by the machine itself, which does nothing for a process that has ended. */
  readonly where?: "remote" | "local";
}

/**
 * A process of the control plane. All that it has of the world passes through here: once it is ended nothing reaches it and nothing of it
 * reaches the world, wherever it was; while it is paused (SIGSTOP, a frozen machine) all that comes waits.
 */
export class Process {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly climate: Climate;
  readonly clock: Clock;
  /** Its wall clock against the true time, milliseconds. */
  skewMs = 0;
  #state: "running" | "paused" | "ended" = "running";
  #backlog: (() => void)[] = [];
  #endsAt: number;
  readonly #onEnd: () => void;
  #deals = 0;
  #buried = false;
  readonly #burials: (() => void)[] = [];

  constructor({ name, scheduler, chance, climate, endsAt, onEnd }: ProcessParts) {
    this.name = name;
    this.scheduler = scheduler;
    this.chance = chance;
    this.climate = climate;
    this.#endsAt = endsAt ?? Infinity;
    this.#onEnd = onEnd ?? (() => undefined);
    this.clock = {
      now: () => new Date(scheduler.ms + this.skewMs),
      // A graceful stop at the burial waits for nothing.
      sleep: (ms, signal) =>
        this.#buried && ms === 0 ? Promise.resolve() : sleeping((run) => this.later(ms, "", run), signal),
    };
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  get paused(): boolean {
    return this.#state === "paused";
  }

  /** Something arrives at this process. */
  deliver(run: () => void): void {
    if (this.#state === "running") run();
    else if (this.#state === "paused") this.#backlog.push(run);
  }

  later(ms: number, label: string, run: () => void): Pending {
    return this.scheduler.at(ms, label && `${this.name} ${label}`, () => this.deliver(run));
  }

  /**
   * A dealing with the world: the request leaves, is carried out there, and the answer comes back, each at its time. It may be carried
   * out though the process has ended since; it may fail before, or its answer may get lost after it was carried out.
   */
  call<T>(label: string, work: () => T | Promise<T>, { where = "remote" }: CallOptions = {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#deal();
    if (this.ended) return promise;
    const { climate, chance } = this;
    const drawn = climate.fate(chance);
    // A disk that says no has not written: nobody but this process could have seen it otherwise.
    const fate = where === "local" && drawn === "after" ? "before" : drawn;
    const answer = (run: () => void): void => {
      this.scheduler.at(climate.delay(chance), "", () =>
        this.deliver(() => {
          this.#deal();
          if (!this.ended) run();
        }),
      );
    };
    const carryOut = async (): Promise<void> => {
      if (where === "local" && this.ended) return;
      if (fate === "before") return answer(() => reject(new InjectedError(`${label} failed`)));
      try {
        const value = await work();
        if (fate === "after") answer(() => reject(new InjectedError(`the answer to ${label} got lost`)));
        else answer(() => resolve(value));
      } catch (error) {
        answer(() => reject(error as Error));
      }
    };
    const text = fate === "well" ? label : `${label} (fails ${fate})`;
    this.scheduler.at(climate.delay(chance), `${this.name} ${text}`, () => void carryOut());
    return promise;
  }

  #deal(): void {
    this.#deals += 1;
    if (this.#deals >= this.#endsAt) this.end("crashes");
  }

  /** From now on it never ends by itself. */
  steady(): void {
    this.#endsAt = Infinity;
  }

  end(how: string): void {
    if (this.ended) return;
    this.#state = "ended";
    this.#backlog = [];
    this.scheduler.note(`${this.name} ${how}`);
    this.#onEnd();
  }

  /**
   * What lets go of this process's world, once the run is over. Node keeps every signal made of others that somebody listens to, and a killed
   * process never ends its own.
   */
  atBurial(letGo: () => void): void {
    this.#burials.push(letGo);
  }

  bury(): void {
    this.#buried = true;
    for (const letGo of this.#burials.splice(0)) letGo();
  }

  pause(): void {
    if (this.#state !== "running") return;
    this.#state = "paused";
    this.scheduler.note(`${this.name} is paused`);
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.scheduler.note(`${this.name} goes on`);
    // What came meanwhile comes in its order, each with all that it wakes.
    const backlog = this.#backlog.splice(0);
    for (const [index, run] of backlog.entries()) this.scheduler.at(index * 0.001, "", () => this.deliver(run));
  }
}
