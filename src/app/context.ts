import type { Context, Terminal } from "../cli/context.ts";
import type { HostTools } from "../cli/hostTools.ts";
import { simulatorCommand } from "../cli/simulator/command.ts";
import { answers, SocketClient } from "../server/client.ts";
import { ControlError, type ControlPlane } from "../server/control.ts";
import { systemClock } from "./clock.ts";
import { onFolder } from "./dataFolder.ts";
import type { Parts } from "./parts.ts";
import { dataPaths } from "./paths.ts";
import { systemRandom } from "./random.ts";
import { version } from "./version.ts";

/** The environment, read here and nowhere else. */
export interface Environment {
  readonly AETHERV_DATA?: string;
  readonly NO_COLOR?: string;
  readonly FORCE_COLOR?: string;
  readonly TERM?: string;
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "";

/** https://no-color.org: any value but the empty one turns colours off. */
const wantsColour = (isTerminal: boolean, env: Environment): boolean => {
  if (isSet(env.NO_COLOR)) return false;
  if (isSet(env.FORCE_COLOR)) return env.FORCE_COLOR !== "0";
  return isTerminal && env.TERM !== "dumb";
};

const terminalOf = (env: Environment): Terminal => {
  const { stdout, stderr } = process;
  // Node leaves isTTY out where there is no terminal, whatever its types say.
  const outIsTerminal = Boolean(stdout.isTTY);
  const errIsTerminal = Boolean(stderr.isTTY);
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    outIsTerminal,
    errIsTerminal,
    outColour: wantsColour(outIsTerminal, env),
    errColour: wantsColour(errIsTerminal, env),
  };
};

/** What the CLI gets from this process. `onRun` is called when the process becomes a control plane. */
export const processContext = (env: Environment, signal: AbortSignal, onRun: () => void): Context => {
  const terminal = terminalOf(env);
  return {
    version,
    terminal,
    signal,
    defaultData: isSet(env.AETHERV_DATA) ? (env.AETHERV_DATA ?? "") : "aetherv-data",
    now: () => new Date(),
    // The stores, the model's validators and the server are loaded by what needs them: `get` is quick without.
    connect: (data) => reach(data, async () => (await import("./offline.ts")).openStopped(data, quiet), signal),
    connectRunning: async (data) => (await running(data)) ?? notRunning(data),
    connectForPlan: (data) => reach(data, async () => (await import("./offline.ts")).openForPlan(data, quiet), signal),
    readManifests: async (paths) => (await import("./manifests.ts")).readManifests(paths, readInput),
    readInput,
    run: async (options) => {
      onRun();
      const { runControlPlane } = await import("./run.ts");
      return onFolder(options.data, () => runControlPlane(options, terminal, signal));
    },
    writeBackup: async (folder, backup) => (await import("./backup.ts")).writeBackup(folder, backup),
    readBackup: async (folder, data) => (await import("./backup.ts")).restoreBackup(folder, data),
    hosts: lazyHostTools,
    simulator: simulatorCommand,
  };
};

const lazyHostTools: HostTools = {
  async *check(...given) {
    yield* (await import("./hostTools.ts")).hostTools.check(...given);
  },
  prepareScript: async (...given) => (await import("./hostTools.ts")).hostTools.prepareScript(...given),
  async *runScript(...given) {
    yield* (await import("./hostTools.ts")).hostTools.runScript(...given);
  },
  takeOver: async (...given) => (await import("./hostTools.ts")).hostTools.takeOver(...given),
};

/** Commands that only read say what they have to say themselves. */
const silent = (): void => undefined;
const quiet: Parts = {
  clock: systemClock,
  random: systemRandom,
  log: { debug: silent, info: silent, warn: silent, error: silent },
};

const running = async (data: string): Promise<ControlPlane | undefined> => {
  const { socket } = dataPaths(data);
  return (await answers(socket)) ? new SocketClient(socket) : undefined;
};

/** How long the store of a stopped control plane is waited for: other commands, or one that starts, may have it. */
const lockedMs = 3_000;

/** The running control plane, or else what `open` makes of its data folder. */
const reach = async (data: string, open: () => Promise<ControlPlane>, signal: AbortSignal): Promise<ControlPlane> => {
  for (const until = Date.now() + lockedMs; ; await systemClock.sleep(100, signal)) {
    const found = await running(data);
    if (found) return found;
    try {
      return await onFolder(data, open);
    } catch (error) {
      const locked = error instanceof ControlError && error.code === "Conflict";
      if (!locked || signal.aborted || Date.now() > until) throw error;
    }
  }
};

const notRunning = (data: string): never => {
  throw new ControlError(
    "Unavailable",
    `no control plane runs on ${data}`,
    "start one with `aetherv run --files DIR`, or name its data folder with --data",
  );
};

const readInput = async (): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
};
