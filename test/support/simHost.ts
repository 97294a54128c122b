import { SimulatedAgent, type Delivery } from "../../agents/simulator/model/agent.ts";
import type { Audit } from "../../agents/simulator/model/audit.ts";
import { behaviourOf, type BehaviourFile } from "../../agents/simulator/model/behaviour.ts";
import { CrashError } from "../../agents/simulator/model/job.ts";
import { seedHost, type HostSeed } from "../../agents/simulator/model/seed.ts";
import { HostStore, StateTable, type StateRecord, type StateStorage } from "../../agents/simulator/model/state.ts";
import { World } from "../../agents/simulator/model/world.ts";
import type { Clock, Random } from "../../src/engine/ports.ts";
import { TransportError, type AgentChannel, type Transport } from "../../src/engine/ports.ts";
import { ProtocolCheck } from "../../src/protocol/check.ts";
import { fault, type Fault } from "../../src/protocol/errors.ts";
import type { JobRequest, SessionLine } from "../../src/protocol/generated/types.ts";

const HEARTBEAT_MS = 5000;

/** Compiled once: the schemas take longest. */
const check = new ProtocolCheck();

/** State that several agent processes of one host share, as a folder is. */
class SharedState {
  readonly table = new StateTable();
  readonly instance: string;
  readonly onChange: (record: StateRecord) => void;
  #records: StateRecord[] = [];

  constructor(instance: string, onChange: (record: StateRecord) => void) {
    this.instance = instance;
    this.table.instance = instance;
    this.onChange = onChange;
  }

  append(record: StateRecord): void {
    this.table.apply(record);
    this.#records.push(record);
    if (this.#records.length > 2000) this.#records = this.#records.slice(-1000);
    this.onChange(record);
  }

  catchUp(table: StateTable): void {
    if (table.rev === this.table.rev && table.instance !== "") return;
    const missing = this.#records.filter(({ rev }) => rev > table.rev);
    const whole = missing.length === this.table.rev - table.rev;
    if (table.instance === "" || !whole) table.load(this.table.snapshot());
    else for (const record of missing) table.apply(record);
  }
}

/** What one agent process sees of the state. Once the process is dead nothing that it does counts. */
class ProcessState implements StateStorage {
  readonly #shared: SharedState;
  dead = false;

  constructor(shared: SharedState) {
    this.#shared = shared;
  }

  locked<T>(work: () => T): T {
    if (this.dead) throw new CrashError("the process is dead");
    return work();
  }

  catchUp(table: StateTable): void {
    this.#shared.catchUp(table);
  }

  append(record: StateRecord): void {
    this.#shared.append(record);
  }
}

/** A job as a host got it. */
export interface Received {
  readonly at: number;
  readonly request: JobRequest;
}

export interface SimHostParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly seed: HostSeed;
  readonly behaviour?: BehaviourFile;
  /** Called after each change of the host's state. */
  readonly onChange?: (host: SimHost, changed: StateRecord["set"]) => void;
  readonly audit?: Audit;
  /** What passes between two effects of a job. */
  readonly betweenEffects?: () => Promise<void>;
}

/** A simulated Hyper-V host in this process: a state that survives, agents that come and go, a transport to them. */
export class SimHost implements Transport {
  readonly name: string;
  readonly received: Received[] = [];
  behaviour: BehaviourFile;
  readonly #parts: SimHostParts;
  readonly #state: SharedState;
  readonly #store: HostStore;
  readonly #alive = new Map<string, AgentProcess>();
  #processes = 0;

  constructor(parts: SimHostParts) {
    this.#parts = parts;
    this.name = parts.seed.name;
    this.behaviour = parts.behaviour ?? {};
    this.#state = new SharedState(`${parts.seed.name}0`, ({ set }) => parts.onChange?.(this, set));
    this.#store = new HostStore(new ProcessState(this.#state));
    this.change((world) => seedHost(world.tx, parts.random, parts.seed));
  }

  /** Reads the host as it is, past every agent. */
  read<T>(work: (world: World) => T): T {
    return this.#store.read((tx) => work(new World(tx)));
  }

  /** Changes the host past every agent, as an admin at its console does. */
  change<T>(work: (world: World) => T): T {
    return this.#store.transact((tx) => work(new World(tx)));
  }

  /** Every agent process ends at once, as after a power cut of the agent. */
  kill(): void {
    for (const process of this.#alive.values()) process.die("the agent was killed");
  }

  session(signal: AbortSignal): Promise<AgentChannel> {
    if (this.behaviour.offline) return Promise.reject(offline());
    const process = this.#start();
    const close = (): void => process.channel.close();
    signal.addEventListener("abort", close, { once: true });
    return Promise.resolve(process.channel);
  }

  async oneShot(input: string, onError: (line: string) => void) {
    if (this.behaviour.offline) throw offline();
    const process = this.#start();
    try {
      const emit = (line: SessionLine): void => void (line.type === "log" && onError(JSON.stringify(line.log)));
      const delivery = await process.run(input, emit);
      return { stdout: delivered(delivery, JSON.stringify(delivery.result)).join("\n"), exitCode: 0 };
    } catch {
      return { stdout: "", exitCode: 137 };
    } finally {
      process.die("done");
    }
  }

  #start(): AgentProcess {
    this.#processes += 1;
    const id = `${this.name}/${this.#processes}`;
    const { clock, random, audit, betweenEffects } = this.#parts;
    const state = new ProcessState(this.#state);
    const agent = new SimulatedAgent({
      check,
      store: new HostStore(state),
      clock,
      random,
      behaviour: () => behaviourOf(this.behaviour),
      process: { id, pid: this.#processes, alive: (other) => this.#alive.has(other) },
      version: { version: "0.1.0", sha256: "0".repeat(64), os: "simulation" },
      ...(audit && { audit }),
      ...(betweenEffects && { betweenEffects }),
    });
    const process = new AgentProcess({
      agent,
      clock,
      received: (request) => void this.received.push({ at: clock.now().getTime(), request }),
      ended: () => {
        state.dead = true;
        this.#alive.delete(id);
      },
    });
    this.#alive.set(id, process);
    return process;
  }
}

const offline = (): TransportError => new TransportError(fault("HostUnreachable", "the simulated host is offline"));

/** Lines that the fault of a delivery leaves of its text. An empty list: nothing comes. */
const delivered = ({ how }: Delivery, text: string): readonly string[] => {
  switch (how) {
    case "whole":
      return [text];
    case "duplicate":
      return [text, text];
    case "garbage":
      return [`?? ${text.slice(0, 20)} not JSON`];
    case "cut":
      return [text.slice(0, text.length / 2)];
    case "lost":
      return [];
    default:
      return how satisfies never;
  }
};

interface ProcessParts {
  readonly agent: SimulatedAgent;
  readonly clock: Clock;
  readonly received: (request: JobRequest) => void;
  readonly ended: () => void;
}

/** One agent process with its channel. */
class AgentProcess {
  readonly channel: Channel;
  readonly #parts: ProcessParts;
  readonly #over = new AbortController();

  constructor(parts: ProcessParts) {
    this.#parts = parts;
    this.channel = new Channel({ send: (line) => void this.#serve(line), close: () => this.#inputEnded() });
    void this.#beat();
  }

  run(text: string, emit: (line: SessionLine) => void): Promise<Delivery> {
    const request = JSON.parse(text) as JobRequest;
    this.#parts.received(request);
    return this.#parts.agent.run(request, emit);
  }

  async #serve(text: string): Promise<void> {
    try {
      const delivery = await this.run(text, (line) => this.channel.say(JSON.stringify(line)));
      for (const line of delivered(delivery, JSON.stringify({ type: "result", result: delivery.result })))
        this.channel.say(line);
      if (delivery.how === "cut") this.die("the agent ended in the middle of an answer");
    } catch (error) {
      if (!(error instanceof CrashError)) throw error;
      this.die(`the agent crashed: ${error.message}`);
    }
  }

  async #beat(): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#over.signal.aborted) {
      this.channel.say(JSON.stringify({ type: "heartbeat", time: clock.now().toISOString() }));
      await clock.sleep(HEARTBEAT_MS, this.#over.signal);
    }
  }

  /** STDIN ended: running jobs end before their next effect. */
  #inputEnded(): void {
    this.#parts.agent.close();
    this.#end("the session was closed");
  }

  die(why: string): void {
    this.#parts.ended();
    this.#parts.agent.close();
    this.#end(why);
  }

  #end(why: string): void {
    this.#over.abort();
    this.#parts.ended();
    this.channel.gone(fault("HostUnreachable", why));
  }
}

interface Peer {
  readonly send: (line: string) => void;
  readonly close: () => void;
}

/** The two directions of a session; every line takes one turn of the microtask queue. */
class Channel implements AgentChannel {
  readonly #peer: Peer;
  readonly #lines: ((line: string) => void)[] = [];
  readonly #closers: ((fault: Fault) => void)[] = [];
  #gone: Fault | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  send(line: string): void {
    if (!this.#gone) queueMicrotask(() => this.#gone ?? this.#peer.send(line));
  }

  onLine(callback: (line: string) => void): void {
    this.#lines.push(callback);
  }

  onErrorLine(): void {}

  onClose(callback: (fault: Fault) => void): void {
    if (this.#gone) callback(this.#gone);
    else this.#closers.push(callback);
  }

  close(): void {
    if (!this.#gone) this.#peer.close();
  }

  leave(): void {
    this.close();
  }

  say(line: string): void {
    if (!this.#gone) for (const callback of this.#lines) callback(line);
  }

  gone(why: Fault): void {
    if (this.#gone) return;
    this.#gone = why;
    for (const callback of this.#closers) callback(why);
  }
}
