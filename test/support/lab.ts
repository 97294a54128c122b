import { kinds } from "../../controllers/index.ts";
import { SimulatedAgent } from "../../agents/simulator/model/agent.ts";
import type { Behaviour } from "../../agents/simulator/model/faults.ts";
import { NO_LATENCY } from "../../agents/simulator/model/latency.ts";
import { seedHost } from "../../agents/simulator/model/seed.ts";
import type { HostSeed } from "../../agents/simulator/model/seed.ts";
import { HostStore, MemoryStorage } from "../../agents/simulator/model/state.ts";
import { World as SimWorld } from "../../agents/simulator/model/world.ts";
import { keyOf, keyText } from "../../src/api/resource.ts";
import type { Key, Resource } from "../../src/api/resource.ts";
import type { VMHost } from "../../src/api/generated/types.ts";
import { deepEqual } from "../../src/engine/equal.ts";
import { mergeMetadata } from "../../src/engine/metadata.ts";
import { HostSnapshot } from "../../src/engine/snapshot.ts";
import type {
  Act,
  Decision,
  FinishedJob,
  GuestConfigs,
  HostView,
  JobInFlight,
  Kind,
  LastFault,
  Reach,
  World,
} from "../../src/engine/ports.ts";
import { fault, isErrorCode } from "../../src/protocol/errors.ts";
import type { Delta, InventoryData, JobRequest, JobResult, Operation } from "../../src/protocol/generated/types.ts";
import { layoutOf } from "../../controllers/shared/layout.ts";
import { FakeClock } from "./clock.ts";
import { SeededRandom } from "./random.ts";

export const controlPlane = "cp-1";

/** One simulated host, its agent in this process, and what the control plane knows of it. */
export class LabHost implements HostView {
  readonly name: string;
  readonly snapshot = new HostSnapshot(controlPlane);
  reach: Reach = { at: "up", since: new Date(0) };
  readonly problems: { field: string; code: string; message: string }[] = [];
  readonly jobs = new Map<string, JobInFlight>();
  behaviour: Behaviour = { offline: false, latency: NO_LATENCY, faults: [] };
  readonly store: HostStore;
  readonly #agent: SimulatedAgent;
  readonly #clock: FakeClock;
  readonly #random: SeededRandom;

  constructor(seed: HostSeed, clock: FakeClock, random: SeededRandom) {
    this.name = seed.name;
    this.#clock = clock;
    this.#random = random;
    this.store = new HostStore(new MemoryStorage(seed.name));
    this.store.transact((tx) => seedHost(tx, random, seed));
    this.#agent = new SimulatedAgent({
      store: this.store,
      clock,
      random,
      behaviour: () => this.behaviour,
      process: { id: "lab", pid: 1, alive: () => true },
      version: { version: "0", sha256: "0".repeat(64), os: "lab" },
    });
  }

  readonly agent = {
    agent: "simulator" as const,
    version: "0",
    sha256: "0".repeat(64),
    pid: 1,
    platform: { os: "lab" },
    sessionConcurrency: 1,
    epochs: {},
    running: [],
    results: [],
  };

  job(uid: string): JobInFlight | undefined {
    return this.jobs.get(uid);
  }

  uncertain(): undefined {
    return undefined;
  }

  /** Changes the host as an admin would, behind the control plane's back. */
  admin(change: (world: SimWorld) => void): void {
    this.store.transact((tx) => change(new SimWorld(tx)));
  }

  async run(operation: Operation, spec: object, locks: readonly string[], deadline = 3600): Promise<JobResult> {
    const request: JobRequest = {
      operation,
      resource_spec: spec as JobRequest["resource_spec"],
      correlation_id: this.#random.ulid(),
      metadata: {
        timestamp: this.#clock.now().toISOString(),
        host: this.name,
        control_plane: controlPlane,
        epoch: 1,
        deadline_seconds: deadline,
        debug: false,
        dry_run: false,
        locks: [...locks],
      },
    };
    let result: JobResult | undefined;
    const done = this.#agent.handle(request).then((answer) => (result = answer));
    for (let turn = 0; result === undefined && turn < 10_000; turn += 1) await this.#clock.advance(turn < 4 ? 10 : 500);
    return await done;
  }

  /** A complete inventory, folded in. */
  async inventory(host: VMHost): Promise<void> {
    const answer = await this.run("host.inventory", { layout: layoutOf(host) }, []);
    if (answer.status !== "success") throw new Error(`${answer.code}: ${answer.message}`);
    this.snapshot.foldInventory(answer.data as unknown as InventoryData, this.#clock.now());
  }
}

interface Remembered {
  lastFault?: LastFault;
  lastJob?: FinishedJob;
}

export interface Draft {
  readonly kind: Resource["kind"];
  readonly name: string;
  readonly spec: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The kinds over simulated hosts, without the engine: one object after the other, each job at once, until nothing moves. */
export class Lab {
  readonly clock = new FakeClock();
  readonly random: SeededRandom;
  readonly objects = new Map<string, Resource>();
  readonly hosts = new Map<string, LabHost>();
  /** Every job sent, as "vm.create web". */
  readonly sent: string[] = [];
  /** What each of them held alone, in the same order. */
  readonly held: (readonly string[])[] = [];
  readonly #remembered = new Map<string, Remembered>();
  readonly #kinds: ReadonlyMap<string, Kind> = new Map(kinds.map((kind) => [kind.kind, kind]));
  massDelete?: World["massDelete"];

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
  }

  /** A VMHost with a simulated host behind it. */
  addHost(name: string, spec: object = {}, seed: Partial<HostSeed> = {}): LabHost {
    const host = new LabHost({ name, ...seed }, this.clock, this.random);
    this.hosts.set(name, host);
    this.apply({
      kind: "VMHost",
      name,
      spec: {
        managementPolicy: "Manage",
        deletionProtection: false,
        driver: "Simulated",
        connection: { type: "Local" },
        virtualMachinePath: "D:\\VMs",
        storageClasses: [{ name: "standard", path: "D:\\Disks", default: true }],
        networks: [{ name: "lan", switchName: "External" }],
        imagePaths: ["D:\\Images"],
        unschedulable: false,
        concurrency: 4,
        longConcurrency: 2,
        inventoryInterval: "30s",
        trashRetention: "24h",
        ...spec,
      },
    });
    return host;
  }

  key(kind: string, name: string): Key {
    return { kind, namespace: kind === "VMHost" ? "" : "default", name };
  }

  get<R extends Resource>(kind: R["kind"], name: string): R {
    const found = this.objects.get(keyText(this.key(kind, name)));
    if (!found) throw new Error(`no ${kind} ${name}`);
    return found as R;
  }

  find(kind: string, name: string): Resource | undefined {
    return this.objects.get(keyText(this.key(kind, name)));
  }

  /** As kubectl apply: a new object, or a new spec of the present one; annotations are added. */
  apply({ kind, name, spec, annotations }: Draft): void {
    const key = this.key(kind, name);
    const present = this.objects.get(keyText(key));
    const metadata = present?.metadata ?? {
      name,
      ...(key.namespace && { namespace: key.namespace }),
      uid: this.random.uuid(),
      generation: 0,
      resourceVersion: "1",
      creationTimestamp: this.clock.now().toISOString(),
    };
    const changed = !deepEqual(present?.spec, spec);
    this.objects.set(keyText(key), {
      apiVersion: "aetherv.io/v1alpha1",
      kind,
      ...present,
      metadata: {
        ...metadata,
        generation: metadata.generation + (changed ? 1 : 0),
        ...(annotations && { annotations: { ...present?.metadata.annotations, ...annotations } }),
      },
      spec,
    });
    this.#remembered.delete(metadata.uid);
  }

  annotate(kind: string, name: string, annotations: Readonly<Record<string, string>>): void {
    const { spec } = this.get(kind, name);
    this.apply({ kind, name, spec: spec as object, annotations });
  }

  delete(kind: string, name: string): void {
    const object = this.get(kind, name);
    const deletionTimestamp = this.clock.now().toISOString();
    const key = keyText(this.key(kind, name));
    if ((object.metadata.finalizers ?? []).length === 0) this.objects.delete(key);
    else this.objects.set(key, { ...object, metadata: { ...object.metadata, deletionTimestamp } });
  }

  /** Guest configuration, where a test is about it. */
  guests?: GuestConfigs;

  world(resource: Resource): World {
    const { lastFault, lastJob } = this.#remembered.get(resource.metadata.uid) ?? {};
    const all = [...this.objects.values()];
    const { massDelete } = this;
    return {
      now: this.clock.now(),
      controlPlaneId: controlPlane,
      objects: {
        get: (key) => this.objects.get(keyText(key)),
        list: (kind) => all.filter((one) => one.kind === kind),
      },
      referrers: (key) =>
        all.filter((one) =>
          this.#kinds
            .get(one.kind)
            ?.refs(one)
            .some((ref) => keyText(ref) === keyText(key)),
        ),
      host: (name) => this.hosts.get(name),
      assumedHosts: new Map(),
      guests: this.guests,
      ...(lastFault && { lastFault }),
      ...(lastJob && { lastJob }),
      ...(massDelete && resource.metadata.deletionTimestamp !== undefined && { massDelete }),
    };
  }

  decide(kind: string, name: string): Decision {
    const resource = this.get(kind, name);
    const decision = this.#kinds.get(kind)?.decide(resource, this.world(resource));
    if (!decision) throw new Error(`no kind ${kind}`);
    return decision;
  }

  async inventory(): Promise<void> {
    for (const host of this.hosts.values()) {
      const object = this.find("VMHost", host.name) as VMHost | undefined;
      if (object && host.reach.at === "up") await host.inventory(object);
    }
  }

  /** Rounds over all objects, with an inventory before each, until one changes nothing. Throws when that does not come. */
  async settle(rounds = 60): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      await this.inventory();
      let moved = false;
      for (const key of [...this.objects.keys()].sort()) moved = (await this.#step(key)) || moved;
      if (!moved) return;
      await this.clock.advance(5_000);
    }
    const states = [...this.objects.values()].map((one) => `${one.kind}/${one.metadata.name}: ${readyText(one)}`);
    throw new Error(`no end after ${rounds} rounds\n${states.join("\n")}\n${this.sent.slice(-20).join("\n")}`);
  }

  async #step(key: string): Promise<boolean> {
    const resource = this.objects.get(key);
    if (!resource) return false;
    const kind = this.#kinds.get(resource.kind);
    const decision = kind?.decide(resource, this.world(resource));
    if (!decision) return false;
    const merged = mergeMetadata(resource, decision.metadata);
    const base = merged ?? resource;
    const status = decision.status ?? base.status;
    const next = { ...base, ...(status !== undefined && { status }) };
    const differs = merged !== undefined || !deepEqual(next.status, resource.status);
    this.objects.set(key, next);
    if (merged) return true;
    return (await this.#act(next, decision.act)) || differs;
  }

  async #act(resource: Resource, act: Act): Promise<boolean> {
    switch (act.do) {
      case "nothing":
        return false;
      case "look":
        return true;
      case "release":
        this.objects.delete(keyText(keyOf(resource)));
        return true;
      case "job":
        return await this.#job(resource, act);
      case "objects":
        throw new Error("no kind of this stage writes other objects: use the plane");
      default:
        return act satisfies never;
    }
  }

  async #job(resource: Resource, act: Extract<Act, { do: "job" }>): Promise<boolean> {
    const { uid, name } = resource.metadata;
    const before = this.#remembered.get(uid);
    if (before?.lastFault && before.lastFault.retryAt > this.clock.now()) return false;
    const host = this.hosts.get(act.host);
    if (!host) throw new Error(`a job for host ${act.host}, which does not exist`);
    const { operation, spec } = act.step;
    this.sent.push(`${operation} ${name}`);
    this.held.push(act.locks);
    const result = await host.run(operation, spec, act.locks, act.deadlineSeconds);
    const observed = result.data["observed"] as Delta | undefined;
    const at = this.clock.now();
    if (observed) host.snapshot.fold(observed, { at });
    const lastJob: FinishedJob = { id: result.correlation_id, operation, code: result.code ?? "Success", at };
    const failed = isErrorCode(result.code) ? fault(result.code, result.message) : undefined;
    const retryAt = new Date(at.getTime() + 3_600_000);
    const lastFault = failed && { fault: failed, operation, at, attempts: 1, retryAt };
    this.#remembered.set(uid, { lastJob, ...(lastFault && { lastFault }) });
    return true;
  }

  /** Lets failed jobs be sent again now; the failures stay known. */
  retry(): void {
    for (const remembered of this.#remembered.values())
      if (remembered.lastFault) remembered.lastFault = { ...remembered.lastFault, retryAt: this.clock.now() };
  }

  /** Forgets failures, so that failed jobs are sent again. */
  forgive(): void {
    for (const [uid, { lastJob }] of this.#remembered) this.#remembered.set(uid, lastJob ? { lastJob } : {});
  }
}

type WithConditions = { conditions?: { type: string; status: string; reason: string; message: string }[] } | undefined;

export const conditionOf = (resource: Resource, type: string) =>
  (resource.status as WithConditions)?.conditions?.find((one) => one.type === type);

/** "True Converged: message" */
export const readyText = (resource: Resource): string => {
  const ready = conditionOf(resource, "Ready");
  return ready ? `${ready.status} ${ready.reason}: ${ready.message}` : "none";
};
