import { SimulatedAgent, type AgentParts } from "../../../agents/simulator/model/agent.ts";
import { behaviourOf, type BehaviourFile } from "../../../agents/simulator/model/behaviour.ts";
import { seedHost } from "../../../agents/simulator/model/seed.ts";
import { HostStore, MemoryStorage } from "../../../agents/simulator/model/state.ts";
import { World } from "../../../agents/simulator/model/world.ts";
import { seededRandom } from "../../../agents/simulator/process/random.ts";
import type { Clock } from "../../../src/engine/ports.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import type { JobRequest, JobResult, Operation, SessionLine } from "../../../src/protocol/generated/types.ts";

const check = new ProtocolCheck();

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): Date {
    return new Date(this.#now);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** Moves on step by step, letting each woken job run until it sleeps again. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const next = this.#sleepers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers = this.#sleepers.filter((one) => one !== next);
      next.wake();
    }
    this.#now = end;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const layout = {
  virtualMachinePath: "D:\\VMs",
  storageClasses: [{ name: "fast", path: "D:\\Fast" }],
  imagePaths: ["D:\\Images"],
  trashRetentionSeconds: 3600,
};

export const owner = (kind: "VirtualMachine" | "VirtualDisk" | "NetworkAdapter", name: string) => ({
  kind,
  namespace: "default",
  name,
  uid: `${name.padEnd(8, "0").slice(0, 8)}-0000-4000-8000-000000000001`,
});

/** A host in memory with agents on it. */
export class Bench {
  readonly clock = new ManualClock();
  readonly store = new HostStore(new MemoryStorage());
  readonly random = seededRandom(1);
  behaviour: BehaviourFile = {};
  readonly alive = new Set<string>();
  readonly lines: SessionLine[] = [];
  #ids = 0;

  constructor() {
    this.store.transact((tx) => seedHost(tx, this.random, { name: "host-1" }));
  }

  agent(id = "p1", more: Pick<AgentParts, "betweenEffects"> = {}): SimulatedAgent {
    this.alive.add(id);
    const parts: AgentParts = {
      check,
      store: this.store,
      clock: this.clock,
      random: this.random,
      behaviour: () => behaviourOf(this.behaviour),
      process: { id, pid: 1, alive: (other) => this.alive.has(other) },
      version: { version: "0", sha256: "0".repeat(64), os: "test" },
      ...more,
    };
    return new SimulatedAgent(parts);
  }

  request(operation: Operation, spec: object, metadata: Partial<JobRequest["metadata"]> = {}): JobRequest {
    this.#ids += 1;
    return {
      operation,
      resource_spec: spec as JobRequest["resource_spec"],
      correlation_id: String(this.#ids).padStart(26, "0"),
      metadata: {
        timestamp: this.clock.now().toISOString(),
        host: "host-1",
        control_plane: "cp",
        epoch: 1,
        deadline_seconds: 600,
        debug: false,
        dry_run: false,
        locks: [],
        ...metadata,
      },
    };
  }

  /** Runs a request while time goes on, until it is answered. */
  async finish(pending: Promise<JobResult>): Promise<JobResult> {
    let result: JobResult | undefined;
    let problem: unknown;
    void pending.then(
      (one) => (result = one),
      (error: unknown) => (problem = error ?? new Error("rejected")),
    );
    while (!result) {
      await this.clock.advance(50);
      if (problem) throw problem;
    }
    return result;
  }

  send(agent: SimulatedAgent, request: JobRequest): Promise<JobResult> {
    return this.finish(agent.handle(request, (line) => this.lines.push(line)));
  }

  world<T>(work: (world: World) => T): T {
    return this.store.read((tx) => work(new World(tx)));
  }

  change<T>(work: (world: World) => T): T {
    return this.store.transact((tx) => work(new World(tx)));
  }
}
