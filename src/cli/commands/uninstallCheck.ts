import { Command } from "commander";
import { kindNamed } from "../names.ts";
import type { ClusterTools, HeldObjects } from "../clusterTools.ts";
import type { Tools } from "../context.ts";
import { plural } from "./validate.ts";

interface Options {
  readonly force?: true;
  readonly release?: true;
}

const notes = `
Every object of the group holds a finalizer until its machine, disk or adapter is gone from the host, or given up. Only a
running control plane takes it off: uninstalled before, the objects could not be deleted any more.

With --release, the finalizers are taken off instead: the objects can go, and what is on the hosts stays as it is, without
an owner. Stop the control plane first. Both options end with 0.

Examples:
  aetherv uninstall-check                    1 while objects are there, and which
  aetherv uninstall-check -n web,db          of these namespaces only
  aetherv uninstall-check --release          give up what is on the hosts`;

/** `aetherv uninstall-check`: what the chart's pre-delete hook asks before the control plane goes. */
export const uninstallCheckCommand = (tools: Tools): Command =>
  new Command("uninstall-check")
    .description("Refuse (exit code 1) while a cluster has objects that only a running control plane can let go")
    .option("--force", "tell what is there, but do not refuse")
    .option("--release", "take the finalizers off; machines, disks and adapters stay on their hosts")
    .addHelpText("after", notes)
    .action(async (options: Options) => {
      const cluster = await tools.context.openCluster(tools.cluster());
      try {
        await check(tools, cluster, options);
      } finally {
        await cluster.close();
      }
    });

const check = async (tools: Tools, cluster: ClusterTools, options: Options): Promise<void> => {
  const { out, err } = tools.context.terminal;
  const held = await cluster.held(tools.namespaces());
  if (held.length === 0) return out("No object needs the control plane any more: it can be uninstalled.\n");
  if (options.release) {
    let released = 0;
    for (const key of held.flatMap(({ keys }) => keys)) if (await cluster.release(key)) released += 1;
    return out(`${plural(released, "object")} released; what is on the hosts stays there, without an owner\n`);
  }
  const total = held.reduce((sum, { keys }) => sum + keys.length, 0);
  const listed = held.map((one) => `  ${heldText(one)}\n`).join("");
  const text = `${plural(total, "object")} would be left with a finalizer that nobody takes off:\n${listed}`;
  if (options.force)
    return err(`${text}Uninstalled all the same (--force): they stay until a control plane runs again.\n`);
  err(
    `${tools.colours.red("error:")} ${text}` +
      "Delete them first (kubectl delete), orphan them, or see `aetherv uninstall-check --help`.\n",
  );
  tools.exit(1);
};

const examples = 3;

const heldText = ({ kind, keys }: HeldObjects): string => {
  const name = kindNamed(kind)?.plural ?? kind;
  const shown = keys
    .slice(0, examples)
    .map((key) => (key.namespace === "" ? key.name : `${key.namespace}/${key.name}`));
  const more = keys.length > examples ? `, and ${keys.length - examples} more` : "";
  return `${keys.length} ${name}: ${shown.join(", ")}${more}`;
};
