import { HostSnapshot } from "../../../src/engine/snapshot.ts";
import type { HostSettings, JobOrder, JobOutcome, JobRecord, Logger } from "../../../src/engine/ports.ts";
import { HostDirectory } from "../../../src/hosts/directory.ts";
import type { HostChange } from "../../../src/hosts/parts.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import type {
  Delta,
  InventoryData,
  JobRequest,
  LogLine,
  Operation,
  OperationSpecs,
} from "../../../src/protocol/generated/types.ts";
import { FakeClock, settle } from "../../support/clock.ts";
import { FakeAgent, type Reaction } from "../../support/fakeAgent.ts";
import { SeededRandom } from "../../support/random.ts";
import { guid, vmState } from "../../support/states.ts";

export const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Compiled once: the schemas take longest. */
export const check = new ProtocolCheck();

export const settings = (over: Partial<HostSettings> = {}): HostSettings => ({
  name: "hv1",
  uid: "host-uid",
  layout: { virtualMachinePath: "D:\\VMs", storageClasses: [], imagePaths: [], trashRetentionSeconds: 3600 },
  networks: [],
  concurrency: 2,
  longConcurrency: 1,
  inventoryIntervalMs: 30_000,
  connectionHash: "a",
  ...over,
});

export const inventory = (observed: Delta, over: Partial<InventoryData> = {}): Reaction => ({
  data: { digest: "d1", full: true, complete: true, unknown: [], observed, ...over },
});

export const noChange = (digest = "d1"): Reaction => inventory({}, { full: false, digest });

/** The state of machine number `n`. */
export const vm = (n: number, over: Parameters<typeof vmState>[0] | object = {}) =>
  vmState({ id: guid(n), name: `vm${n}`, ...over });

export const observedVm = (n: number, over: object = {}): Reaction => ({
  data: { observed: { vms: { upsert: [vm(n, over)] } } },
});

type React = (request: JobRequest) => Reaction | Promise<Reaction>;

/** One host with a scripted agent; time passes only when the test says so. */
export class Rig {
  readonly clock = new FakeClock();
  readonly random = new SeededRandom(7);
  readonly agent = new FakeAgent();
  readonly changes: HostChange[] = [];
  readonly records = new Map<string, JobRecord>();
  readonly logs: { id: string; line: LogLine }[] = [];
  readonly outcomes: JobOutcome[] = [];
  readonly raised: number[] = [];
  epoch = 1;
  noTransport: Error | undefined;
  readonly directory = new HostDirectory({
    clock: this.clock,
    random: this.random,
    log: quiet,
    journal: {
      put: (record) => void this.records.set(record.id, record),
      log: (id, line) => void this.logs.push({ id, line }),
    },
    check,
    controlPlaneId: "cp-1",
    epoch: () => this.epoch,
    raiseEpoch: async (min) => {
      this.raised.push(min);
      return (this.epoch = Math.max(this.epoch, min));
    },
    transportFor: () => {
      if (this.noTransport) throw this.noTransport;
      return this.agent;
    },
    newSnapshot: () => new HostSnapshot("cp-1"),
    onChange: (_, change) => void this.changes.push(change),
  });
  /** By operation; anything else answers with an empty observation. */
  readonly script: Partial<Record<Operation, React>> = {
    "host.validate": () => ({ data: { problems: [] } }),
    "host.inventory": () => noChange(),
    "job.cancel": () => ({ data: { state: "Cancelling" } }),
  };
  #beating = true;

  constructor() {
    this.agent.react = (request) => this.script[request.operation]?.(request) ?? { data: { observed: {} } };
  }

  async start(over: Partial<HostSettings> = {}): Promise<this> {
    this.directory.apply([settings(over)]);
    await this.pass(100);
    return this;
  }

  get host() {
    return this.directory.host("hv1")!;
  }

  /** Lets time pass; the living agents' hearts beat. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 2000) {
      if (this.#beating) for (const channel of this.agent.channels) channel.beat();
      await this.clock.advance(Math.min(left, 2000));
      await settle();
      await settle();
    }
  }

  stopHeart(): void {
    this.#beating = false;
  }

  /** Submits vm.power for machine `n`, or what `over` says; gives the outcomes' list position. */
  submit<O extends Operation = "vm.power">(
    n: number,
    over: Partial<JobOrder> & { operation?: O; spec?: OperationSpecs[O] } = {},
  ): void {
    const { operation = "vm.power", spec, ...order } = over;
    const owner = { kind: "VirtualMachine", namespace: "default", name: `vm${n}`, uid: `uid-${n}` };
    this.directory.submit(
      {
        key: { kind: "VirtualMachine", namespace: "default", name: `vm${n}` },
        uid: `uid-${n}`,
        host: "hv1",
        step: { operation, spec: (spec ?? { owner, vmId: guid(n), state: "Running" }) as OperationSpecs[Operation] },
        locks: [`uid-${n}`],
        deadlineSeconds: 60,
        ...order,
      },
      (outcome) => void this.outcomes.push(outcome),
    );
  }

  /** Codes of the ended jobs in the order of their end; "ok" for success. */
  get ends(): readonly string[] {
    return this.outcomes.map(({ fault }) => fault?.code ?? "ok");
  }
}
