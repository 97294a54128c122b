import type { Context, Terminal, Where } from "../cli/context.ts";
import type { ConsoleTools } from "../cli/consoleTools.ts";
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
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  readonly OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?: string;
  readonly OTEL_SDK_DISABLED?: string;
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "";

/** https://no-color.org: any value but the empty one turns colours off. */
const wantsColour = (isTerminal: boolean, env: Environment): boolean => {
  if (isSet(env.NO_COLOR)) return false;
  if (isSet(env.FORCE_COLOR)) return env.FORCE_COLOR !== "0";
  return isTerminal && env.TERM !== "dumb";
};

/** Where to is the exporter's to read; see OpenTelemetry's "Environment Variable Specification". */
const wantsTraces = (env: Environment): boolean =>
  (isSet(env.OTEL_EXPORTER_OTLP_ENDPOINT) || isSet(env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)) &&
  env.OTEL_SDK_DISABLED?.toLowerCase() !== "true";

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

/** The process that the CLI runs in. `onRun` is called when it becomes a control plane. */
export interface Process extends Pick<Context, "program" | "signal"> {
  readonly onRun: () => void;
}

/** What the CLI gets from this process. */
export const processContext = (env: Environment, { program, signal, onRun }: Process): Context => {
  const terminal = terminalOf(env);
  return {
    version,
    program,
    terminal,
    signal,
    defaultData: isSet(env.AETHERV_DATA) ? (env.AETHERV_DATA ?? "") : "aetherv-data",
    now: () => new Date(),
    // The stores, the model's validators and the server are loaded by what needs them: `get` is quick without.
    connect: (where) => reach(where, async (data) => (await import("./offline.ts")).openStopped(data, quiet), signal),
    connectRunning: async (where) =>
      where.at === "cluster" ? ofCluster(where) : ((await running(where.data)) ?? notRunning(where.data)),
    connectForPlan: (where) =>
      reach(where, async (data) => (await import("./offline.ts")).openForPlan(data, quiet), signal),
    namespaceOf: async (cluster) => (await clusterModule()).namespaceOf(cluster),
    openCluster: async (cluster) => (await clusterModule()).clusterTools(cluster),
    readManifests: async (paths) => (await import("./manifests.ts")).readManifests(paths, readInput),
    expand: async (objects) => (await import("./expand.ts")).expandAll(objects),
    readInput,
    run: async (options) => {
      onRun();
      const { runControlPlane } = await import("./run.ts");
      return onFolder(options.data, () => runControlPlane(options, { terminal, traces: wantsTraces(env) }, signal));
    },
    writeBackup: async (...given) => (await import("./backup.ts")).writeBackup(...given),
    readBackup: async (folder, data) => (await import("./backup.ts")).restoreBackup(folder, data),
    rotateSigner: async (data) => (await import("./rotateSigner.ts")).rotateSigner(data),
    hosts: lazyHostTools,
    console: lazyConsoleTools,
    simulator: simulatorCommand,
  };
};

const consoleModule = async (): Promise<ConsoleTools> => (await import("./consoleTools.ts")).consoleTools;

const lazyConsoleTools: ConsoleTools = {
  link: async (data) => (await consoleModule()).link(data),
  tokens: async (choice) => (await consoleModule()).tokens(choice),
  createToken: async (...given) => (await consoleModule()).createToken(...given),
  revokeToken: async (...given) => (await consoleModule()).revokeToken(...given),
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
const reach = async (
  where: Where,
  open: (data: string) => Promise<ControlPlane>,
  signal: AbortSignal,
): Promise<ControlPlane> => {
  if (where.at === "cluster") return ofCluster(where);
  const { data } = where;
  for (const until = Date.now() + lockedMs; ; await systemClock.sleep(100, signal)) {
    const found = await running(data);
    if (found) return found;
    try {
      return await onFolder(data, () => open(data));
    } catch (error) {
      const locked = error instanceof ControlError && error.code === "Conflict";
      if (!locked || signal.aborted || Date.now() > until) throw error;
    }
  }
};

/** The client of Kubernetes is larger than all the rest. */
const clusterModule = () => import("./cluster/index.ts");

const ofCluster = async ({ cluster }: Extract<Where, { at: "cluster" }>): Promise<ControlPlane> =>
  (await clusterModule()).connectCluster(cluster);

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
