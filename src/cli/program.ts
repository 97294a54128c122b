import { Command, CommanderError } from "commander";
import { ControlError } from "../server/control.ts";
import { annotateCommands } from "./commands/annotate.ts";
import { backupCommand } from "./commands/backup.ts";
import { completeCommand, completionCommand } from "./commands/completion.ts";
import { consoleCommand } from "./commands/console.ts";
import { describeCommand } from "./commands/describe.ts";
import { eventsCommand } from "./commands/events.ts";
import { expandCommand } from "./commands/expand.ts";
import { explainCommand } from "./commands/explain.ts";
import { getCommand } from "./commands/get.ts";
import { guestCommand } from "./commands/guest.ts";
import { hostCommand } from "./commands/host.ts";
import { importCommand } from "./commands/import.ts";
import { jobsCommand } from "./commands/jobs.ts";
import { planCommand } from "./commands/plan.ts";
import { restoreCommand } from "./commands/restore.ts";
import { runCommand } from "./commands/run.ts";
import { statusCommand } from "./commands/status.ts";
import { tokenCommand } from "./commands/token.ts";
import { uninstallCheckCommand } from "./commands/uninstallCheck.ts";
import { validateCommand } from "./commands/validate.ts";
import { colours, type ClusterChoice, type Context, type Tools, type Where } from "./context.ts";
import { coloursFor } from "./print/colour.ts";

const notes = `
Kinds: VMHost (avh), VirtualMachine (avm), VirtualDisk (avd), NetworkAdapter (avn), ManagedDeployment (avdep).
\`aetherv explain KIND\` tells their fields, \`aetherv COMMAND --help\` each command's options and examples.`;

/** Runs one command line. Resolves with the exit code: 0 done, 1 error, and what single commands say (plan: 2 changes). */
export const runCli = async (words: readonly string[], context: Context): Promise<number> => {
  let code = 0;
  const program = buildProgram(context, (next) => (code = next));
  try {
    await program.parseAsync(words, { from: "user" });
    return code;
  } catch (error) {
    return failed(error, context);
  }
};

export const buildProgram = (context: Context, exit: (code: number) => void): Command => {
  const isPlugin = context.program !== "aetherv";
  const program = new Command(context.program)
    .description("Declarative management of Hyper-V virtual machines, disks and network adapters")
    .version(context.version, "-V, --version")
    .option("--data <dir>", "data folder of the control plane ($AETHERV_DATA)", context.defaultData)
    .option("-n, --namespace <name>", "namespace of the objects", "default")
    .option("--kubeconfig <file>", "speak to the cluster of this kubeconfig, with your own rights there")
    .option("--context <name>", "speak to the cluster of this context of the kubeconfig")
    .option("--service <where>", "the cluster's control plane: NAMESPACE/NAME[:PORT] of its Service, or a URL")
    .addHelpText("after", notes);
  let contextNamespace: string | undefined;
  const tools: Tools = {
    context,
    colours: colours(context),
    data: () => program.opts<{ data: string }>().data,
    where: () => whereOf(program, isPlugin),
    cluster: () => clusterOf(program),
    namespace: () => contextNamespace ?? program.opts<{ namespace: string }>().namespace,
    namespaces: () => (program.getOptionValueSource("namespace") === "default" ? "all" : splitList(tools.namespace())),
    exit,
  };
  program.hook("preAction", async (_, action) => {
    const where = tools.where();
    if (where.at !== "cluster" || program.getOptionValueSource("namespace") !== "default" || isLocal.has(action.name()))
      return;
    contextNamespace = await context.namespaceOf(where.cluster);
  });
  for (const command of commands(tools)) program.addCommand(command);
  program.addCommand(context.simulator(tools.data));
  program.addCommand(
    completeCommand(tools, () => program),
    { hidden: true },
  );
  eachCommand(program, (command) => settle(command, context));
  return program;
};

/** Commands that read no object of a cluster, and `run`, which takes all namespaces where none is named. */
const isLocal: ReadonlySet<string> = new Set([
  "run",
  "validate",
  "expand",
  "explain",
  "completion",
  "simulator",
  "uninstall-check",
  "rotate-signer",
]);

const clusterOf = (program: Command): ClusterChoice => {
  const { kubeconfig, context, service } = program.opts<ClusterChoice>();
  return {
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ...(service === undefined ? {} : { service }),
  };
};

/** A kubectl plugin is about a cluster unless a data folder is named; `aetherv` is about one only if it is told so. */
const whereOf = (program: Command, isPlugin: boolean): Where => {
  const cluster = clusterOf(program);
  const named = program.getOptionValueSource("data") !== "default";
  const isCluster = Object.keys(cluster).length > 0 || (isPlugin && !named);
  return isCluster ? { at: "cluster", cluster } : { at: "data", data: program.opts<{ data: string }>().data };
};

const splitList = (text: string): readonly string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

const commands = (tools: Tools): readonly Command[] => [
  runCommand(tools),
  validateCommand(tools),
  expandCommand(tools),
  planCommand(tools),
  getCommand(tools),
  describeCommand(tools),
  statusCommand(tools),
  eventsCommand(tools),
  jobsCommand(tools),
  ...annotateCommands(tools),
  restoreCommand(tools),
  consoleCommand(tools),
  tokenCommand(tools),
  backupCommand(tools),
  uninstallCheckCommand(tools),
  importCommand(tools),
  hostCommand(tools),
  guestCommand(tools),
  explainCommand(tools),
  completionCommand(tools),
];

const eachCommand = (command: Command, change: (command: Command) => void): void => {
  change(command);
  for (const child of command.commands) eachCommand(child, change);
};

const settle = (command: Command, { terminal }: Context): void => {
  command
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError(true);
};

/** One line for people, and a hint where there is one; a defect shows where it happened. */
const failed = (error: unknown, { terminal }: Context): number => {
  const { red, dim } = coloursFor(terminal.errColour);
  // commander has printed its own errors and help by now.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1;
  if (error instanceof ControlError) {
    terminal.err(`${red("error:")} ${error.message}\n${error.hint === undefined ? "" : dim(`hint: ${error.hint}\n`)}`);
    return 1;
  }
  terminal.err(`${red("error:")} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
};
