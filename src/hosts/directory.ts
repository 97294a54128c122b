import type { Hosts, HostSettings, HostView, JobOrder, JobOutcome } from "../engine/ports.ts";
import { fault } from "../protocol/errors.ts";
import { ManagedHost, type HostCounts, type HostOptions } from "./host.ts";

/** All hosts that VMHost objects name. */
export class HostDirectory implements Hosts {
  readonly #options: HostOptions;
  readonly #hosts = new Map<string, ManagedHost>();
  #stopped = false;
  /** Hosts given up, whose jobs still run. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /**
   * Makes the directory match: adds hosts, passes changed settings on, lets go of those no longer named. Jobs of a host that is another
   * replica's from now on may end within `graceMs`: see `left`.
   */
  apply(settings: readonly HostSettings[], { graceMs } = { graceMs: 0 }): void {
    if (this.#stopped) return;
    const named = new Set(settings.map(({ name }) => name));
    for (const [name, host] of this.#hosts) if (!named.has(name)) this.#remove(name, host, 0);
    for (const next of settings) this.#applyOne(next, graceMs);
  }

  #applyOne(next: HostSettings, graceMs: number): void {
    const present = this.#hosts.get(next.name);
    const isSame = present?.settings.uid === next.uid;
    if (isSame && roleOf(present.settings) === roleOf(next)) return present.update(next);
    if (present) this.#remove(next.name, present, isSame ? graceMs : 0);
    this.#hosts.set(next.name, new ManagedHost(next, this.#options));
  }

  #remove(name: string, host: ManagedHost, graceMs: number): void {
    this.#hosts.delete(name);
    const leaving = host.stop({ graceMs }).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** Resolves once no host that was given up has a job of this process. */
  async left(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  host(name: string): HostView | undefined {
    return this.#hosts.get(name);
  }

  list(): readonly HostView[] {
    return [...this.#hosts.values()];
  }

  submit(order: JobOrder, done: (outcome: JobOutcome) => void): void {
    const host = this.#hosts.get(order.host);
    if (host) return host.submit(order, done);
    const { clock, random } = this.#options;
    const outcome: JobOutcome = {
      id: random.ulid(),
      operation: order.step.operation,
      fault: fault("HostUnreachable", `there is no VMHost named ${order.host}`),
      finishedAt: clock.now(),
    };
    queueMicrotask(() => done(outcome));
  }

  refresh(name: string): void {
    this.#hosts.get(name)?.refresh();
  }

  /** Counters by host name; they show that steady state asks one question an interval. */
  counts(): ReadonlyMap<string, HostCounts> {
    return new Map([...this.#hosts].map(([name, host]) => [name, host.counts]));
  }

  /** From now on no job starts; running ones go on. */
  drain(): void {
    this.#stopped = true;
    for (const host of this.#hosts.values()) host.drain();
  }

  /** Ends everything: no new job starts, running ones are waited for at most `graceMs`, then the sessions close. */
  async stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.drain();
    await Promise.all([...this.#hosts.values()].map((host) => host.stop({ graceMs })));
  }
}

const roleOf = ({ role = "manage" }: HostSettings): "manage" | "observe" => role;
