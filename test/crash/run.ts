import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { World as HostWorld } from "../../agents/simulator/model/world.ts";
import type { HostStore } from "../../agents/simulator/model/state.ts";
import { openHost } from "../../agents/simulator/process/host.ts";
import type { Resource } from "../../src/api/resource.ts";
import { reasonsText } from "../../src/cli/progress.ts";
import { Invariants } from "../support/invariants.ts";
import { standingOf } from "../support/plane.ts";
import { hostWork, type Bench } from "./bench.ts";
import { endOf, type End } from "./end.ts";
import { pointText, type CrashOrder, type Point } from "./points.ts";
import { declared, edited, isWorld, type World } from "./world.ts";

const hook = fileURLToPath(new URL("hook.ts", import.meta.url));

/** A crash takes a Lease of 15 s with it, and a machine under load takes its time. */
const PATIENCE_MS = 180_000;
/** Longer than the interval between two inventories, which is where endless work shows. */
const SILENCE_MS = 6_500;

export interface Run {
  /** Whether the kill came: what time brings may differ from the run in which the point was seen. */
  readonly struck: boolean;
  readonly end: End;
  /** What happened, a label a line; of a recording run. */
  readonly log: string;
}

/** One life of the small world, from declaration through edit and deletion to silence, killed at the point. Throws what went wrong. */
export const run = async (bench: Bench, point?: Point): Promise<Run> => {
  const life = new Life(bench, point);
  try {
    await life.reach(declared);
    await life.reach(edited);
    await life.silence();
    return await life.result();
  } catch (error) {
    throw new Error(`${point ? pointText(point) : "without a kill"}: ${String(error)}\n${life.said.slice(-3000)}`, {
      cause: error,
    });
  } finally {
    await life.end();
  }
};

class Life {
  readonly #bench: Bench;
  readonly #order: CrashOrder;
  readonly #invariants = new Invariants();
  /** Of all objects there ever were: what is in the trash is told by them. */
  readonly #names = new Map<string, string>();
  #child: ChildProcess;
  #host: HostStore | undefined;
  #ending = false;
  #failure: Error | undefined;
  said = "";

  constructor(bench: Bench, point: Point | undefined) {
    this.#bench = bench;
    const at = (name: string): string => join(bench.folder, name);
    this.#order = point ? { struck: at("struck"), point } : { struck: at("struck"), log: at("log") };
    const options = `${process.env["NODE_OPTIONS"] ?? ""} --import=${hook}`;
    this.#child = this.#launch({ NODE_OPTIONS: options, AETHERV_CRASH: JSON.stringify(this.#order) });
  }

  #launch(env: Readonly<Record<string, string>>): ChildProcess {
    const child = this.#bench.launch(env);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (part: Buffer) => (this.said += String(part)));
    // Not "exit": what it said last is to be heard before.
    child.once("close", (code, signal) => this.#ended(code, signal));
    return child;
  }

  /**
   * The one kill that was asked for is followed by a start without it, and so is the end of a process that lost the lead (on a
   * machine at its limits the Lease can't be renewed in time): a Deployment does the same. Any other end is a failure.
   */
  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#ending) return;
    const killed = signal === "SIGKILL" && this.#struck() && !this.said.includes(RESTARTED);
    const lost = code === 1 && this.said.trimEnd().endsWith("this one ends");
    if (!killed && !lost) this.#failure = new Error(`the control plane ended with ${signal ?? code}`);
    else {
      if (killed) this.said += RESTARTED;
      this.#child = this.#launch({});
    }
  }

  #struck(): boolean {
    return existsSync(this.#order.struck);
  }

  /** Declares a world and waits until all of it is Ready for what was declared. */
  async reach(world: World): Promise<void> {
    await this.#bench.declare(world);
    await this.#until(async () => {
      const objects = await this.#objects();
      return isWorld(objects, world) && objects.every(isConverged) ? undefined : reasonsText(objects);
    });
  }

  async #objects(): Promise<readonly Resource[]> {
    const objects = await this.#bench.objects();
    for (const { kind, metadata } of objects) this.#names.set(metadata.uid, `${kind}/${metadata.name}`);
    return objects;
  }

  /** Waits until an inventory's time passes without a write or a job. */
  async silence(): Promise<void> {
    let since = Date.now();
    let mark = "";
    await this.#until(async () => {
      const objects = await this.#objects();
      const versions = objects.map(({ metadata }) => metadata.resourceVersion);
      const next = `${versions.join(" ")} ${await hostWork(this.#bench)}`;
      if (next !== mark) since = Date.now();
      mark = next;
      return Date.now() - since > SILENCE_MS ? undefined : `no silence: ${next}`;
    });
  }

  /** Undefined means reached. What must always hold on the host is looked at each time. */
  async #until(why: () => Promise<string | undefined>): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      if (this.#failure) throw this.#failure;
      this.#check();
      // No process answers in between.
      const open = await why().catch((error: unknown) => String(error));
      if (open === undefined) return;
      if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${open}`);
      await sleep(this.#bench.pollMs);
    }
  }

  #read<T>(work: (world: HostWorld) => T): T {
    // Kept open: each one that is opened takes a handle for good.
    this.#host ??= openHost(this.#bench.host);
    return this.#host.read((tx) => work(new HostWorld(tx)));
  }

  #check(): void {
    this.#invariants.check({ name: "hv1", read: (work) => this.#read(work) });
  }

  async result(): Promise<Run> {
    this.#check();
    const end = this.#read((world) => endOf(world, this.#names));
    const { log } = this.#order;
    return { struck: this.#struck(), end, log: log === undefined ? "" : await readFile(log, "utf8") };
  }

  async end(): Promise<void> {
    this.#ending = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await exit;
  }
}

/** Ready for the present spec, with nothing pending: a change that is only told of is not made. */
export const isConverged = (object: Resource): boolean =>
  standingOf(object) === "Ready" && object.metadata.deletionTimestamp === undefined;

const RESTARTED = "\n--- started again ---\n";
