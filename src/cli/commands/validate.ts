import { Command, Option } from "commander";
import type { FileProblem } from "../../server/control.ts";
import type { Tools } from "../context.ts";
import type { Colours } from "../print/colour.ts";
import { toJson } from "../print/yaml.ts";

/** `aetherv validate`: every error of manifest files with its place. */
export const validateCommand = (tools: Tools): Command =>
  new Command("validate")
    .description("Check manifest files as `run` would, without a control plane or host")
    .argument("<paths...>", "files or folders; - for STDIN")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json"]))
    .addHelpText("after", "\nExamples:\n  aetherv validate manifests/\n  cat web.yaml | aetherv validate -")
    .action(async (paths: string[], { output }: { output?: string }) => {
      const { documents, problems, files } = await tools.context.readManifests(paths);
      const { out, err } = tools.context.terminal;
      if (problems.length > 0) tools.exit(1);
      if (output === "json")
        return out(toJson({ valid: problems.length === 0, documents: documents.length, problems }));
      for (const problem of problems) err(problemText(problem, tools.colours));
      const counts = `${plural(documents.length, "valid document")} in ${plural(files, "file")}`;
      if (problems.length > 0) return err(`${plural(problems.length, "error")}; ${counts}\n`);
      out(`${counts}\n`);
    });

/** `file:line:column: spec.memory.startup: message (hint)`, the form that editors jump to. */
export const problemText = (problem: FileProblem, colours: Colours): string => {
  const { file, line, column, path, message, hint } = problem;
  const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(":");
  // Messages in the API server's form begin with the path already.
  const field = path === undefined || path === "" || message.includes(path) ? "" : `${path}: `;
  return `${colours.bold(place)}: ${colours.red("error:")} ${field}${message}${hint === undefined ? "" : ` (${hint})`}\n`;
};

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
