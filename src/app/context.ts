import type { Context, Terminal } from "../cli/context.ts";
import { simulatorCommand } from "../cli/simulator/command.ts";
import { answers, SocketClient } from "../server/client.ts";
import { ControlError, type ControlPlane } from "../server/control.ts";
import { systemClock } from "./clock.ts";
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
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    outIsTerminal: stdout.isTTY,
    errIsTerminal: stderr.isTTY,
    outColour: wantsColour(stdout.isTTY, env),
    errColour: wantsColour(stderr.isTTY, env),
  };
};

/** What the CLI gets from this process. */
export const processContext = (env: Environment, signal: AbortSignal): Context => {
  const terminal = terminalOf(env);
  return {
    version,
    terminal,
    signal,
    defaultData: isSet(env.AETHERV_DATA) ? (env.AETHERV_DATA ?? "") : "aetherv-data",
    now: () => new Date(),
    // The stores, the model's validators and the server are loaded by what needs them: `get` is quick without.
    connect: async (data) => (await running(data)) ?? (await import("./offline.ts")).openStopped(data, quiet),
    connectRunning: async (data) => (await running(data)) ?? notRunning(data),
    connectForPlan: async (data) => (await running(data)) ?? (await import("./offline.ts")).openForPlan(data, quiet),
    readManifests: async (paths) => (await import("./manifests.ts")).readManifests(paths, readInput),
    readInput,
    run: async (options) => (await import("./run.ts")).runControlPlane(options, terminal, signal),
    writeBackup: async (folder, backup) => (await import("./backup.ts")).writeBackup(folder, backup),
    readBackup: async (folder, data) => (await import("./backup.ts")).restoreBackup(folder, data),
    simulator: simulatorCommand,
  };
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
