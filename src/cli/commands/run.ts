import { Command } from "commander";
import type { Tools } from "../context.ts";
import { collect, parseDuration } from "../options.ts";

interface Options {
  readonly files: readonly string[];
  readonly deletionDelay: number;
  readonly logLevel?: string;
  readonly exitWhenReady?: true;
  readonly deadline?: number;
  readonly welcome?: string;
}

const notes = `
Files are watched: saving an edit is all it takes. A document that disappears is deleted after --deletion-delay, unless
it comes back. Ctrl-C ends the process; machines go on as they are.

Examples:
  aetherv run --files manifests --data ./aetherv-data
  aetherv run --files manifests --exit-when-ready --deadline 5m   as a step of a pipeline`;

/** `aetherv run`: the control plane. */
export const runCommand = (tools: Tools): Command =>
  new Command("run")
    .description("Run the control plane over a folder of YAML files")
    .requiredOption("-f, --files <dir>", "folder with manifest files (again for more)", collect)
    .option(
      "--deletion-delay <time>",
      "wait so long before deleting what a removed document declared",
      parseDuration,
      30_000,
    )
    .option("--log-level <level>", "also log to STDERR: debug, info, warn or error")
    .option("--exit-when-ready", "end with 0 once all objects are Ready; 1 with the reasons after --deadline")
    .option("--deadline <time>", "for --exit-when-ready (default 5m)", parseDuration)
    .option("--welcome <file>", "text to show once all objects are Ready the first time")
    .addHelpText("after", notes)
    .action(async (options: Options) => {
      tools.exit(
        await tools.context.run({
          files: options.files,
          data: tools.data(),
          deletionDelayMs: options.deletionDelay,
          exitWhenReady: options.exitWhenReady === true,
          ...(options.deadline === undefined ? {} : { deadlineMs: options.deadline }),
          ...(options.logLevel === undefined ? {} : { logLevel: options.logLevel }),
          ...(options.welcome === undefined ? {} : { welcome: options.welcome }),
        }),
      );
    });
