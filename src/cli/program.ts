import { Command, CommanderError } from "commander";
import { ControlError } from "../server/control.ts";
import { annotateCommands } from "./commands/annotate.ts";
import { backupCommand } from "./commands/backup.ts";
import { completeCommand, completionCommand } from "./commands/completion.ts";
import { describeCommand } from "./commands/describe.ts";
import { eventsCommand } from "./commands/events.ts";
import { explainCommand } from "./commands/explain.ts";
import { getCommand } from "./commands/get.ts";
import { hostCommand } from "./commands/host.ts";
import { importCommand } from "./commands/import.ts";
import { jobsCommand } from "./commands/jobs.ts";
import { planCommand } from "./commands/plan.ts";
import { restoreCommand } from "./commands/restore.ts";
import { runCommand } from "./commands/run.ts";
import { statusCommand } from "./commands/status.ts";
import { validateCommand } from "./commands/validate.ts";
import { colours, type Context, type Tools } from "./context.ts";
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
  const program = new Command("aetherv")
    .description("Declarative management of Hyper-V virtual machines, disks and network adapters")
    .version(context.version, "-V, --version")
    .option("--data <dir>", "data folder of the control plane ($AETHERV_DATA)", context.defaultData)
    .option("-n, --namespace <name>", "namespace of the objects", "default")
    .addHelpText("after", notes);
  const tools: Tools = {
    context,
    colours: colours(context),
    data: () => program.opts<{ data: string }>().data,
    namespace: () => program.opts<{ namespace: string }>().namespace,
    namespaces: () => (program.getOptionValueSource("namespace") === "default" ? "all" : splitList(tools.namespace())),
    exit,
  };
  for (const command of commands(tools)) program.addCommand(command);
  program.addCommand(context.simulator(tools.data));
  program.addCommand(
    completeCommand(tools, () => program),
    { hidden: true },
  );
  eachCommand(program, (command) => settle(command, context));
  return program;
};

const splitList = (text: string): readonly string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

const commands = (tools: Tools): readonly Command[] => [
  runCommand(tools),
  validateCommand(tools),
  planCommand(tools),
  getCommand(tools),
  describeCommand(tools),
  statusCommand(tools),
  eventsCommand(tools),
  jobsCommand(tools),
  ...annotateCommands(tools),
  restoreCommand(tools),
  backupCommand(tools),
  importCommand(tools),
  hostCommand(tools),
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
