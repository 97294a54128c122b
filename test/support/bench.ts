import { SimulatedAgent } from "../../agents/simulator/model/agent.ts";
import { NO_LATENCY } from "../../agents/simulator/model/latency.ts";
import { seedHost } from "../../agents/simulator/model/seed.ts";
import type { HostSeed } from "../../agents/simulator/model/seed.ts";
import { HostStore, MemoryStorage } from "../../agents/simulator/model/state.ts";
import { World as HostWorld } from "../../agents/simulator/model/world.ts";
import { layoutOf } from "../../controllers/shared/layout.ts";
import { finalizer } from "../../src/api/annotations.ts";
import type { AnyResource, VMHost } from "../../src/api/generated/types.ts";
import { keyOf, keyText } from "../../src/api/resource.ts";
import type { Key, Resource } from "../../src/api/resource.ts";
import { issueText, validate } from "../../src/api/validate.ts";
import { deepEqual } from "../../src/engine/equal.ts";
import type { Clock, Decision, HostView, JobInFlight, Kind, LastFault, Step, World } from "../../src/engine/ports.ts";
import { HostSnapshot } from "../../src/engine/snapshot.ts";
import { fault } from "../../src/protocol/errors.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { InventoryData, JobResult, Operation } from "../../src/protocol/generated/types.ts";
import { SeededRandom } from "./random.ts";

/** Time that passes by being slept through; deadlines never come. */
class QuickClock implements Clock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  now(): Date {
    return new Date(this.#now);
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms < 60_000) {
      this.#now += ms;
      return Promise.resolve();
    }
    return new Promise((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
  }
  pass(ms: number): void {
    this.#now += ms;
  }
}

/** A job as it was sent, and how it ended. */
export interface Sent {
  readonly object: string;
  readonly step: Step;
  readonly code: string;
}

class BenchHost implements HostView {
  readonly name: string;
  readonly store = new HostStore(new MemoryStorage());
  readonly agent: undefined;
  readonly simulated: SimulatedAgent;
  snapshot: HostSnapshot;
  reach: HostView["reach"] = { at: "up", since: new Date(0) };
  jobs = new Map<string, JobInFlight>();
  doubts = new Map<string, ReturnType<typeof fault>>();

  constructor(seed: HostSeed, controlPlaneId: string, clock: Clock, random: SeededRandom) {
    this.name = seed.name;
    this.snapshot = new HostSnapshot(controlPlaneId);
    this.store.transact((tx) => seedHost(tx, random, seed));
    this.simulated = new SimulatedAgent({
      store: this.store,
      clock,
      random,
      behaviour: () => ({ offline: false, latency: NO_LATENCY, faults: [] }),
      process: { id: "bench", pid: 1, alive: () => true },
      version: { version: "0", sha256: "0".repeat(64), os: "bench" },
    });
  }
  job(uid: string): JobInFlight | undefined {
    return this.jobs.get(uid);
  }
  uncertain(uid: string): ReturnType<typeof fault> | undefined {
    return this.doubts.get(uid);
  }
}

type Manifest = { readonly kind: string; readonly metadata: { readonly name: string }; readonly spec: object };

/**
 * Kinds against simulated hosts in this process, in lock-step: one object after the other is decided, its writes and its job are
 * carried out at once. Deterministic by seed, without engine, queue or sessions.
 */
export class Bench {
  readonly clock = new QuickClock();
  readonly random: SeededRandom;
  readonly objects = new Map<string, Resource>();
  readonly hosts = new Map<string, BenchHost>();
  readonly sent: Sent[] = [];
  /** Decisions as last made, by key text. */
  readonly decisions = new Map<string, Decision>();
  readonly #kinds: ReadonlyMap<string, Kind>;
  readonly #faults = new Map<string, LastFault>();
  readonly #statusWrites = new Map<string, number>();

  constructor(kinds: readonly Kind[], seed = 1) {
    this.#kinds = new Map(kinds.map((kind) => [kind.kind, kind]));
    this.random = new SeededRandom(seed);
  }

  /** A simulated host with its VMHost object: classes standard (D:\Disks, default) and fast (D:\Fast), networks lan and dmz. */
  addHost(name: string, spec: object = {}, seed: Partial<HostSeed> = {}): VMHost {
    this.hosts.set(name, new BenchHost({ name, ...seed }, "cp-1", this.clock, this.random));
    return this.apply({
      kind: "VMHost",
      metadata: { name },
      spec: {
        driver: "Simulated",
        connection: { type: "Local", local: {} },
        virtualMachinePath: "D:\\VMs",
        storageClasses: [
          { name: "standard", path: "D:\\Disks", default: true },
          { name: "fast", path: "D:\\Fast" },
        ],
        networks: [
          { name: "lan", switchName: "External" },
          { name: "dmz", switchName: "External", vlanId: 20 },
          { name: "inner", switchName: "Internal" },
        ],
        imagePaths: ["D:\\Images"],
        ...spec,
      },
    }) as VMHost;
  }

  /** Applies a manifest as kubectl would: validated, defaults filled in, generation raised when spec changed. */
  apply(manifest: Manifest, namespace = "default"): AnyResource {
    const scoped = manifest.kind === "VMHost" ? {} : { namespace };
    const verdict = validate({
      apiVersion: "aetherv.io/v1alpha1",
      ...manifest,
      metadata: { ...scoped, ...manifest.metadata },
    });
    if (!verdict.valid) throw new Error(verdict.issues.map(issueText).join("\n"));
    const key = { kind: manifest.kind, namespace: scoped.namespace ?? "", name: manifest.metadata.name };
    const before = this.objects.get(keyText(key));
    const spec = verdict.object.spec;
    const changed = !deepEqual(before?.spec, spec);
    const metadata = before?.metadata ?? {
      ...scoped,
      name: key.name,
      uid: this.random.uuid(),
      generation: 0,
      resourceVersion: "1",
      creationTimestamp: this.clock.now().toISOString(),
    };
    if (changed) this.#faults.delete(keyText(key));
    const next = { ...before, ...verdict.object, spec, metadata: { ...metadata, generation: metadata.generation + (changed ? 1 : 0) } };
    this.objects.set(keyText(key), next as Resource);
    return next as unknown as AnyResource;
  }

  /** Edits fields of a spec; undefined removes one. */
  edit(kind: string, name: string, spec: object): void {
    const before = this.get(kind, name);
    const merged = Object.fromEntries(
      Object.entries({ ...(before.spec as object), ...spec }).filter(([, value]) => value !== undefined),
    );
    this.apply({ kind, metadata: { name }, spec: merged }, before.metadata.namespace);
  }

  annotate(kind: string, name: string, annotations: Readonly<Record<string, string>>): void {
    const before = this.get(kind, name);
    const metadata = { ...before.metadata, annotations: { ...before.metadata.annotations, ...annotations } };
    this.#put({ ...before, metadata });
  }

  delete(kind: string, name: string): void {
    const before = this.get(kind, name);
    this.#put({ ...before, metadata: { ...before.metadata, deletionTimestamp: this.clock.now().toISOString() } });
  }

  get<R extends AnyResource = AnyResource>(kind: string, name: string): R {
    const found = this.find(kind, name);
    if (!found) throw new Error(`no ${kind} ${name}`);
    return found as R;
  }

  find(kind: string, name: string): Resource | undefined {
    return this.objects.get(keyText({ kind, namespace: kind === "VMHost" ? "" : "default", name }));
  }

  /** "True/Converged", or what the condition is; undefined when there is none. */
  condition(kind: string, name: string, type: string): string | undefined {
    const status = this.get(kind, name).status as Resource<string, unknown, { conditions?: { type: string; status: string; reason: string }[] }>["status"];
    const found = status?.conditions?.find((one) => one.type === type);
    return found && `${found.status}/${found.reason}`;
  }

  /** The simulated host's own state, to be changed as somebody at the console would. */
  onHost<T>(name: string, work: (world: HostWorld) => T): T {
    return this.host(name).store.transact((tx) => work(new HostWorld(tx)));
  }

  host(name: string): BenchHost {
    const host = this.hosts.get(name);
    if (!host) throw new Error(`no host ${name}`);
    return host;
  }

  /** Looks at a host; at all of them without a name. */
  async look(name?: string): Promise<void> {
    for (const host of name === undefined ? this.hosts.values() : [this.host(name)]) {
      const layout = layoutOf(this.get<VMHost>("VMHost", host.name));
      const result = await this.#ask(host, "host.inventory", { layout }, []);
      host.snapshot.foldInventory(result.data as unknown as InventoryData, this.clock.now());
    }
  }

  /** Rounds over all objects until nothing changes any more, an inventory before each. Returns the rounds it took. */
  async run(rounds = 60): Promise<number> {
    for (let round = 1; round <= rounds; round += 1) {
      await this.look();
      this.clock.pass(1000);
      if (!(await this.round())) return round;
    }
    return rounds;
  }

  /** Decides every object once; whether anything was written or sent. */
  async round(): Promise<boolean> {
    let moved = false;
    for (const text of [...this.objects.keys()].sort()) if (await this.step(text)) moved = true;
    return moved;
  }

  world(resource: Resource): World {
    const lastFault = this.#faults.get(keyText(keyOf(resource)));
    return {
      now: this.clock.now(),
      controlPlaneId: "cp-1",
      objects: {
        get: (key) => this.objects.get(keyText(key)),
        list: (kind) => [...this.objects.values()].filter((one) => one.kind === kind),
      },
      referrers: (key) => this.#referrers(key),
      host: (name) => this.hosts.get(name),
      assumedHosts: new Map(),
      ...(lastFault && { lastFault }),
    };
  }

  /** One look at one object. */
  async step(text: string): Promise<boolean> {
    let moved = false;
    for (let writes = 0; writes < 8; writes += 1) {
      const resource = this.objects.get(text);
      const kind = resource && this.#kinds.get(resource.kind);
      if (!kind) return moved;
      const decision = kind.decide(resource, this.world(resource));
      this.decisions.set(text, decision);
      if (!this.#putMetadata(resource, decision)) return (await this.#carryOut(resource, decision)) || moved;
      moved = true;
    }
    throw new Error(`${text}: one metadata write after another`);
  }

  #referrers(key: Key): readonly Resource[] {
    const wanted = keyText(key);
    return [...this.objects.values()].filter((one) =>
      this.#kinds.get(one.kind)?.refs(one).some((ref) => keyText(ref) === wanted),
    );
  }

  #put(next: Resource): void {
    this.objects.set(keyText(keyOf(next)), next);
  }

  #putMetadata(resource: Resource, { metadata }: Decision): boolean {
    if (!metadata) return false;
    const annotations = { ...resource.metadata.annotations };
    for (const [name, value] of Object.entries(metadata.annotations ?? {}))
      if (value === null) delete annotations[name];
      else annotations[name] = value;
    const next = { ...resource.metadata, annotations, finalizers: metadata.finalizers ?? resource.metadata.finalizers ?? [] };
    if (deepEqual({ annotations: {}, finalizers: [], ...resource.metadata }, next)) return false;
    this.#put({ ...resource, metadata: next });
    return true;
  }

  async #carryOut(resource: Resource, decision: Decision): Promise<boolean> {
    const { act } = decision;
    if (act.do === "release") {
      const finalizers = (resource.metadata.finalizers ?? []).filter((one) => one !== finalizer);
      if (finalizers.length > 0) throw new Error("foreign finalizers are not part of this bench");
      this.objects.delete(keyText(keyOf(resource)));
      return true;
    }
    const wrote = decision.status !== undefined && !deepEqual(resource.status, decision.status);
    if (wrote) this.#writeStatus(resource, decision.status);
    if (act.do === "look") await this.look(act.host);
    return act.do === "job" ? (await this.#job(resource, act)) || wrote : wrote;
  }

  #writeStatus(resource: Resource, status: unknown): void {
    const text = keyText(keyOf(resource));
    this.#statusWrites.set(text, (this.#statusWrites.get(text) ?? 0) + 1);
    this.#put({ ...resource, status });
  }

  async #job(resource: Resource, act: Extract<Decision["act"], { do: "job" }>): Promise<boolean> {
    const text = keyText(keyOf(resource));
    const last = this.#faults.get(text);
    if (last && last.retryAt > this.clock.now()) return false;
    const host = this.host(act.host);
    const result = await this.#ask(host, act.step.operation, act.step.spec, act.locks);
    const { observed } = result.data as { observed?: object };
    if (observed) host.snapshot.fold(observed, { at: this.clock.now() });
    const code = result.status === "success" ? "Success" : (result.code ?? "InternalError");
    this.sent.push({ object: text, step: act.step, code });
    if (code === "Success") this.#faults.delete(text);
    else this.#faults.set(text, this.#faultOf(act.step.operation, code as ErrorCode, result.message, last));
    return true;
  }

  #faultOf(operation: Operation, code: ErrorCode, message: string, last: LastFault | undefined): LastFault {
    const at = this.clock.now();
    const attempts = (last?.attempts ?? 0) + 1;
    return { fault: fault(code, message), operation, at, attempts, retryAt: new Date(at.getTime() + 5000 * 2 ** attempts) };
  }

  #ask(host: BenchHost, operation: Operation, spec: object, locks: readonly string[]): Promise<JobResult> {
    return host.simulated.handle({
      operation,
      resource_spec: spec,
      correlation_id: this.random.ulid(),
      metadata: {
        timestamp: this.clock.now().toISOString(),
        host: host.name,
        control_plane: "cp-1",
        epoch: 1,
        deadline_seconds: 86_000,
        debug: false,
        dry_run: false,
        locks,
      },
    });
  }
}
