import { Command, Option } from "commander";
import type { Tools } from "../context.ts";
import { documentsToYaml, toJson } from "../print/yaml.ts";
import { problemText } from "./validate.ts";

const notes = `
A deployment owns what it makes: these objects go with it. To work them by hand, set spec.deletionPolicy: Orphan on the
deployment, remove it, and keep what this command printed as files: the objects are then theirs, with what is on the host.

Examples:
  aetherv expand web.yaml
  aetherv expand web.yaml -o json | jq .items[].metadata.name`;

/** `aetherv expand`: the machine, disks and adapters that ManagedDeployments of manifest files stand for. */
export const expandCommand = (tools: Tools): Command =>
  new Command("expand")
    .description("Print the objects that the ManagedDeployments in manifest files stand for")
    .argument("<paths...>", "files or folders; - for STDIN")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["yaml", "json"]).default("yaml"))
    .addHelpText("after", notes)
    .action(async (paths: string[], { output }: { output: string }) => {
      const { documents, problems } = await tools.context.readManifests(paths);
      const { out, err } = tools.context.terminal;
      for (const problem of problems) err(problemText(problem, tools.colours));
      if (problems.length > 0) tools.exit(1);
      const objects = await tools.context.expand(documents.map(({ object }) => object));
      if (output === "json") return out(toJson({ apiVersion: "v1", kind: "List", items: objects }));
      if (objects.length > 0) return out(documentsToYaml(objects));
      if (problems.length === 0) err("no ManagedDeployment in these files\n");
    });
