import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SocketClient, answers } from "../../src/server/client.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const TICKS_PER_SECOND = 100;

/** Memory and processor time of a group of processes so far. */
export interface Usage {
  readonly processes: number;
  readonly rssMiB: number;
  readonly peakMiB: number;
  readonly cpuSeconds: number;
}

export interface Usages {
  readonly plane: Usage;
  readonly agents: Usage;
}

interface StartOptions {
  readonly data: string;
  /** From the source instead of dist. */
  readonly source: boolean;
  /** File that gets what the process writes. */
  readonly log: string;
  /** Where its objects are. */
  readonly args: readonly string[];
  /** Folder that gets a processor profile at its end (node --cpu-prof); none if not given. */
  readonly profile?: string | undefined;
}

/** A control plane as people run it, in a process of its own. */
export class RunningPlane {
  readonly child: ChildProcess;
  readonly client: SocketClient;
  readonly startedAt: number;
  readonly #socket: string;

  private constructor(child: ChildProcess, socket: string, startedAt: number) {
    this.child = child;
    this.client = new SocketClient(socket);
    this.#socket = socket;
    this.startedAt = startedAt;
  }

  /** Starts `aetherv run` (of dist, or of the source) and waits until it answers. */
  static async start(options: StartOptions): Promise<RunningPlane> {
    const program = options.source ? join(root, "src/app/main.ts") : join(root, "dist/src/app/main.js");
    if (!existsSync(program)) throw new Error(`${program} is missing: run \`npm run build\` first`);
    const startedAt = Date.now();
    const out = openSync(options.log, "a");
    const { profile } = options;
    const node = profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profile];
    const args = [...node, program, "run", "--data", options.data, ...options.args];
    const child = spawn(process.execPath, args, { stdio: ["ignore", out, out] });
    closeSync(out);
    // A bench that is stopped leaves nobody at work; the agents end with their control plane.
    process.once("exit", () => void child.kill("SIGKILL"));
    const plane = new RunningPlane(child, join(options.data, "aetherv.sock"), startedAt);
    await plane.#answering(options.log);
    return plane;
  }

  async #answering(log: string): Promise<void> {
    while (!(await answers(this.#socket))) {
      if (this.child.exitCode !== null) throw new Error(`the control plane ended: ${readFileSync(log, "utf8")}`);
      if (Date.now() - this.startedAt > 300_000) throw new Error("the control plane does not answer after 5 minutes");
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    const gone = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await gone;
  }

  get #pid(): number {
    return this.child.pid ?? 0;
  }

  /** The other processes that this one has started: servers that the bench needs. */
  servers(): Usage {
    return usageOf(childrenOf(process.pid).filter((pid) => pid !== this.#pid));
  }

  usage(): Usages {
    return { plane: usageOf([this.#pid]), agents: usageOf(childrenOf(this.#pid)) };
  }
}

const procFile = (pid: number, name: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
};

/** Fields of /proc/<pid>/stat from the third on: the name before them may hold blanks. */
const statOf = (pid: number): readonly string[] =>
  procFile(pid, "stat")
    .replace(/^.*\) /, "")
    .split(" ");

const childrenOf = (parent: number): readonly number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && Number(statOf(pid)[1]) === parent);

const usageOf = (pids: readonly number[]): Usage => {
  const kib = (pid: number, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(procFile(pid, "status"))?.[1] ?? 0);
  const sum = (of: (pid: number) => number): number => pids.reduce((total, pid) => total + of(pid), 0);
  return {
    processes: pids.length,
    rssMiB: Math.round(sum((pid) => kib(pid, "VmRSS")) / 1024),
    peakMiB: Math.round(sum((pid) => kib(pid, "VmHWM")) / 1024),
    cpuSeconds: sum((pid) => Number(statOf(pid)[11] ?? 0) + Number(statOf(pid)[12] ?? 0)) / TICKS_PER_SECOND,
  };
};
