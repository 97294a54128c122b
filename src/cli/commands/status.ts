import { Command, Option } from "commander";
import { ControlError, type ControlPlane } from "../../server/control.ts";
import type { ControlStatus, FilesReport, HostReport } from "../../server/control.ts";
import { withControl, type Tools } from "../context.ts";
import { keyShort } from "../names.ts";
import { age, duration } from "../print/age.ts";
import { table } from "../print/table.ts";
import { toJson } from "../print/yaml.ts";
import { plural, problemText } from "./validate.ts";

/** `aetherv status`: the control plane itself, its hosts, and what is wrong with the manifest files. */
export const statusCommand = (tools: Tools): Command =>
  new Command("status")
    .description("Show the control plane, its hosts, and problems of the manifest files")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json"]))
    .addHelpText("after", "\nExample:\n  aetherv status")
    .action(({ output }: { output?: string }) =>
      withControl(tools.context.connect(tools.where()), async (control) => {
        const [status, hosts, files] = await Promise.all([
          control.status(),
          hostsOf(control, tools),
          control.problems(),
        ]);
        const { out } = tools.context.terminal;
        if (output === "json") return out(toJson({ ...status, hosts, ...files }));
        out([controlText(status, tools), hostsText(hosts, tools), filesText(files, tools)].filter(Boolean).join("\n"));
      }),
    );

/** Who may not read the cluster's hosts is told so, and shown the rest. */
const hostsOf = async (control: ControlPlane, { context }: Tools): Promise<readonly HostReport[]> => {
  try {
    return await control.hosts();
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== "Forbidden") throw error;
    context.terminal.err(`hosts are not shown: ${error.message}\n`);
    return [];
  }
};

const controlText = (status: ControlStatus, tools: Tools): string => {
  const rows = [
    ...(status.controlPlaneId === "" ? [] : [["Control plane:", status.controlPlaneId]]),
    ["Version:", status.version],
    ["Running:", runningText(status, tools)],
    ...(status.folders.length > 0 ? [["Files:", status.folders.join(", ")]] : []),
  ];
  return table([], rows);
};

const runningText = ({ mode, leader, pid, startedAt, epoch }: ControlStatus, { context, colours }: Tools): string => {
  switch (mode) {
    case "running":
      return `pid ${pid}, for ${age(startedAt, context.now())}, epoch ${epoch}`;
    case "standby":
      return `a standby; ${leader === undefined ? "nobody leads at the moment" : `the leader is ${leader}`}`;
    case "store":
      return colours.yellow("no: the store is read, nothing changes until `aetherv run`");
    default:
      return mode satisfies never;
  }
};

const hostsText = (hosts: readonly HostReport[], { context, colours }: Tools): string => {
  if (hosts.length === 0) return "";
  const rows = hosts.map(({ name, reach, agent = "", observedAt, complete, fault }) => [
    name,
    reach === "up" ? colours.green(reach) : colours.yellow(reach),
    agent,
    observedAt === undefined ? "never" : `${age(observedAt, context.now())} ago${complete ? "" : " (incomplete)"}`,
    fault ? `${fault.code}: ${fault.message}` : "",
  ]);
  return table(["HOST", "REACH", "AGENT", "SEEN", "FAULT"], rows);
};

const filesText = ({ problems, missing }: FilesReport, { context, colours }: Tools): string => {
  const gone = missing.map(({ key, since, deletesAt }) => {
    const when =
      deletesAt === undefined
        ? "held back"
        : `deletion starts in ${duration(Date.parse(deletesAt) - context.now().getTime())}`;
    return `${keyShort(key)}: its document is missing for ${age(since, context.now())}; ${when}\n`;
  });
  const errors = problems.map((problem) => problemText(problem, colours));
  const head = errors.length > 0 ? `${plural(errors.length, "problem")} in the manifest files:\n` : "";
  return [head, ...errors, ...gone].join("");
};
