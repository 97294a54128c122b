import { readFile, stat } from "node:fs/promises";
import { createLogUpdate } from "log-update";
import { kinds } from "../api/kinds.ts";
import type { Resource } from "../api/resource.ts";
import type { RunOptions, Terminal } from "../cli/context.ts";
import { coloursFor } from "../cli/print/colour.ts";
import type { Logger } from "../engine/ports.ts";
import { exactDuration } from "../cli/print/age.ts";
import { headersOf, isReady, rowOf } from "../cli/print/objects.ts";
import { table } from "../cli/print/table.ts";
import { progressFrame, ProgressLines, reasonsText } from "../cli/progress.ts";
import { problemText } from "../cli/commands/validate.ts";
import { ControlError } from "../server/control.ts";
import { systemClock } from "./clock.ts";
import type { KubernetesOptions } from "./kubernetes.ts";
import { createLogger } from "./logger.ts";
import type { Monitoring, MonitoringOptions } from "./monitoring.ts";
import { dataPaths } from "./paths.ts";
import { leadLost, startPlane, type Plane } from "./plane.ts";
import { systemRandom } from "./random.ts";

const drawMs = 200;
/** Objects that are shown in a millisecond at most: of many, all are looked at less often. */
const shownAMs = 20;
const graceMs = 30_000;
const defaultDeadlineMs = 300_000;

/** What a run takes from the process that it is in. */
export interface RunEnvironment {
  readonly terminal: Terminal;
  /** Whether the environment asks for traces to be sent. */
  readonly traces: boolean;
}

/** `aetherv run`: works until the signal fires; resolves with the exit code. */
export const runControlPlane = async (
  options: RunOptions,
  { terminal, traces }: RunEnvironment,
  signal: AbortSignal,
): Promise<number> => {
  // Before anything works: who gave a wrong address wants no jobs sent meanwhile.
  if (options.console) (await import("./console/serve.ts")).refuseOpen(options.console);
  const logFile = dataPaths(options.data).log;
  const log = createLogger({
    file: logFile,
    pretty: terminal.errIsTerminal,
    ...(options.logLevel === undefined ? {} : { level: options.logLevel }),
  });
  const monitoring = await startMonitoring({ address: options.metricsAddress, traces }, log, signal);
  if (monitoring?.url !== undefined) terminal.err(`health and metrics: ${monitoring.url}\n`);
  try {
    const plane = await start(options, { log, monitoring }, signal);
    if (!plane) return 0;
    if (plane.console !== undefined) terminal.err(consoleText(plane.console, options));
    const showing = new Show(plane, options, terminal);
    const code = await showing.until(signal);
    terminal.err(signal.aborted ? "stopping: waiting for running jobs (machines go on as they are)\n" : "");
    await plane.stop({ graceMs: options.exitWhenReady ? 5_000 : graceMs });
    return code;
  } finally {
    await monitoring?.close();
  }
};

/** The token is told by a command of its own: what a control plane says often ends in a log. */
const consoleText = (url: string, { source, data }: RunOptions): string =>
  source.mode === "files"
    ? `console: ${url} (to log in: aetherv console --data ${data})\n`
    : `console: ${url} (to log in: a token of the cluster, as of kubectl create token)\n`;

/** Nothing is loaded, counted or watched where nobody asks for it. */
const startMonitoring = async (
  asked: MonitoringOptions,
  log: Logger,
  signal: AbortSignal,
): Promise<Monitoring | undefined> => {
  if (!asked.address && !asked.traces) return undefined;
  const { Monitoring } = await import("./monitoring.ts");
  return Monitoring.start(asked, log, signal);
};

interface Watched {
  readonly log: Logger;
  readonly monitoring: Monitoring | undefined;
}

/** Undefined when the signal fired while another process led. */
const start = async (
  { source, data, console: choice }: RunOptions,
  { log, monitoring }: Watched,
  signal: AbortSignal,
): Promise<Plane | undefined> => {
  const parts = { clock: systemClock, random: systemRandom, log, data, monitoring };
  switch (source.mode) {
    case "files":
      await refuseFiles(source.files);
      return startPlane({
        ...parts,
        files: source.files,
        deletionDelayMs: source.deletionDelayMs,
        ending: signal,
        console: choice,
      });
    case "kubernetes":
      return startKubernetes({ ...parts, ...source, console: choice }, signal);
    default:
      return source satisfies never;
  }
};

/** A folder that is not there may yet come (a volume); a file never becomes one. */
const refuseFiles = async (paths: readonly string[]): Promise<void> => {
  for (const path of paths) {
    const isFile = await stat(path).then(
      (found) => found.isFile(),
      () => false,
    );
    if (isFile) throw new ControlError("Invalid", `${path} is a file`, "--files takes the folder that holds it");
  }
};

/** Loaded where it is wanted: the client of Kubernetes is larger than all the rest. */
const startKubernetes = async (options: KubernetesOptions, signal: AbortSignal): Promise<Plane | undefined> =>
  (await import("./kubernetes.ts")).startKubernetesPlane(options, signal);

/** Shows how far all has come, live on a terminal, else line by line. */
class Show {
  readonly #plane: Plane;
  readonly #options: RunOptions;
  readonly #terminal: Terminal;
  readonly #lines = new ProgressLines();
  readonly #draw: ReturnType<typeof createLogUpdate> | undefined;
  readonly #started = Date.now();
  #saidProblems = new Set<string>();
  #welcomed = false;
  #first = true;
  #lists: readonly (readonly Resource[])[] = [];

  constructor(plane: Plane, options: RunOptions, terminal: Terminal) {
    this.#plane = plane;
    this.#options = options;
    this.#terminal = terminal;
    // With logs on the same terminal a redrawn table would tear.
    if (terminal.outIsTerminal && process.stdout.columns > 0 && options.logLevel === undefined)
      this.#draw = createLogUpdate(process.stdout);
  }

  /** The exit code: at the signal, or with --exit-when-ready once all is Ready or the deadline passed. */
  async until(signal: AbortSignal): Promise<number> {
    const { exitWhenReady, deadlineMs = defaultDeadlineMs } = this.#options;
    while (!signal.aborted) {
      if (this.#plane.lost?.aborted) return this.#lost();
      if (this.#welcomed && !this.#moved()) {
        this.#showProblems();
        await systemClock.sleep(drawMs, signal);
        continue;
      }
      const objects = this.#objects();
      const done = this.#isDone(objects);
      this.#show(objects, done);
      if (done && !this.#welcomed) await this.#welcome(objects);
      if (exitWhenReady && done) return 0;
      if (exitWhenReady && Date.now() - this.#started > deadlineMs) return this.#late(objects);
      await systemClock.sleep(Math.max(drawMs, objects.length / shownAMs), signal);
    }
    this.#draw?.done();
    return 0;
  }

  /** Whether any object changed since the last call: until one does, the store gives the same lists. */
  #moved(): boolean {
    const lists = kinds.map(({ kind }) => this.#plane.objects.list(kind));
    const moved = lists.some((list, index) => list !== this.#lists[index]);
    this.#lists = lists;
    return moved;
  }

  #objects(): readonly Resource[] {
    return kinds.flatMap(({ kind }) => this.#plane.objects.list(kind));
  }

  /** All Ready by what the hosts said since the start (not by what was stored), every file taken up, nobody at work. */
  #isDone(objects: readonly Resource[]): boolean {
    return (
      objects.length > 0 &&
      this.#plane.problems().length === 0 &&
      this.#plane.hosts.list().every(({ snapshot }) => snapshot !== undefined) &&
      this.#isIdle() &&
      objects.every((object) => isReady(object))
    );
  }

  #isIdle(): boolean {
    const { depth, working } = this.#plane.controller.counters();
    return depth === 0 && working === 0;
  }

  #show(objects: readonly Resource[], done: boolean): void {
    this.#showProblems();
    if (this.#draw && !this.#welcomed) {
      const seconds = Math.round((Date.now() - this.#started) / 1000);
      return this.#draw(done ? "" : progressFrame(objects, seconds, coloursFor(this.#terminal.outColour)));
    }
    const lines = this.#lines.next(objects);
    // A second start finds all Ready: saying so of each would drown that nothing was to do.
    if (this.#first && done) this.#first = false;
    else for (const line of lines) this.#terminal.out(`${line}\n`);
    this.#first = false;
  }

  #showProblems(): void {
    const problems = this.#plane.problems();
    const colours = coloursFor(this.#terminal.errColour);
    const texts = problems.map((problem) => problemText(problem, colours));
    for (const text of texts) if (!this.#saidProblems.has(text)) this.#terminal.err(text);
    this.#saidProblems = new Set(texts);
  }

  async #welcome(objects: readonly Resource[]): Promise<void> {
    this.#welcomed = true;
    this.#draw?.clear();
    this.#lines.next(objects);
    const { out, outColour } = this.#terminal;
    const { jobs = 0 } = this.#plane.controller.counters() as { jobs?: number };
    const took = exactDuration(Date.now() - this.#started);
    out(`\n${overview(objects, outColour)}\n`);
    out(
      jobs === 0
        ? `All ${objects.length} objects are Ready. Nothing was to do: the hosts are as declared.\n`
        : `All ${objects.length} objects are Ready after ${took} and ${jobs} jobs.\n`,
    );
    if (this.#options.welcome !== undefined) out(`\n${await readFile(this.#options.welcome, "utf8")}`);
  }

  /** Ends with an error, so that whoever started the process starts it again. */
  #lost(): number {
    this.#draw?.done();
    this.#terminal.err(`${leadLost}\n`);
    return 1;
  }

  #late(objects: readonly Resource[]): number {
    this.#draw?.done();
    const { source } = this.#options;
    const where = source.mode === "files" ? source.files.join(", ") : "the cluster";
    const why = objects.length > 0 ? reasonsText(objects) : `no object is declared in ${where}\n`;
    this.#terminal.err(`not all objects are Ready in time:\n${why}`);
    for (const text of this.#saidProblems) this.#terminal.err(text);
    return 1;
  }
}

/** One table a kind, as `aetherv get all`. */
const overview = (objects: readonly Resource[], colour: boolean): string =>
  [...Map.groupBy(objects, (object) => object.kind)]
    .map(([kind, of]) => {
      const options = {
        wide: false,
        namespaces: false,
        qualified: true,
        now: new Date(),
        colours: coloursFor(colour),
      };
      return table(
        headersOf(kind, options),
        of.map((object) => rowOf(object, options)),
      );
    })
    .join("\n");
