import { Command } from "commander";
import { ControlError } from "../../server/control.ts";
import type { ClusterTools } from "../clusterTools.ts";
import { withControl, type Tools } from "../context.ts";
import { keyShort } from "../names.ts";
import { plural } from "./validate.ts";

interface Options {
  readonly restore?: true;
  readonly withSecrets?: true;
  readonly reclaim?: true;
  readonly controlPlaneNamespace?: string;
}

const notes = `
Of a data folder, the backup holds the control plane's identity, its epoch, the key that signs guest configurations (keep the
backup as safe as the folder) and the whole store (uids, status, annotations), not the manifest files and no disk. It can be made while the control plane runs. To start from it, run with the same
manifest files.

Of a cluster (--kubeconfig, --context, or as kubectl plugin), it holds all objects with their status and the ConfigMap
aetherv-identity, and the names of the Secrets that they use; --with-secrets: their values, too. Restored objects get new
uids, so what is on the hosts is taken back with \`aetherv reclaim all\` once the control plane runs, or by itself with
--reclaim.

Examples:
  aetherv backup /backups/monday
  aetherv backup --restore /backups/monday --data /srv/aetherv-new
  aetherv run --files manifests --data /srv/aetherv-new
  kubectl aetherv backup /backups/cluster --context old
  kubectl aetherv backup --restore /backups/cluster --context new --reclaim`;

/** `aetherv backup`: what a new data folder, or an empty cluster, needs to go on as this control plane. */
export const backupCommand = (tools: Tools): Command =>
  new Command("backup")
    .description("Save identity and objects of the control plane to a folder, or restore them")
    .argument("<folder>", "folder to write to (must be new or empty), or to restore from")
    .option("--restore", "restore from the folder into the data folder or cluster, which must be empty")
    .option("--with-secrets", "of a cluster: also the values of the Secrets that objects name")
    .option("--reclaim", "with --restore into a cluster: objects take back what is on the hosts by themselves")
    .option("--control-plane-namespace <name>", "of a cluster: where the control plane is, or shall be")
    .addHelpText("after", notes)
    .action(async (folder: string, options: Options) => {
      const where = tools.where();
      if (where.at === "data") return ofData(tools, folder, { data: where.data, options });
      const cluster = await tools.context.openCluster(where.cluster);
      try {
        await (options.restore ? restoreCluster : saveCluster)(tools, cluster, { folder, options });
      } finally {
        await cluster.close();
      }
    });

const ofData = async (
  { context }: Tools,
  folder: string,
  { data, options }: { readonly data: string; readonly options: Options },
): Promise<void> => {
  const { out } = context.terminal;
  const ofClusters = ["withSecrets", "reclaim", "controlPlaneNamespace"] as const;
  if (ofClusters.some((name) => options[name] !== undefined))
    throw new ControlError("Invalid", "--with-secrets, --reclaim and --control-plane-namespace are for clusters");
  if (options.restore) {
    const { controlPlaneId, entries } = await context.readBackup(folder, data);
    const count = plural(entries.length, "entry").replace("entrys", "entries");
    return out(`restored control plane ${controlPlaneId} (${count}) into ${data}\n`);
  }
  const backup = await withControl(context.connect({ at: "data", data }), (control) => control.backup());
  await context.writeBackup(folder, backup, data);
  out(`saved control plane ${backup.controlPlaneId} to ${folder}\n`);
};

interface Work {
  readonly folder: string;
  readonly options: Options;
}

const saveCluster = async ({ context }: Tools, cluster: ClusterTools, { folder, options }: Work): Promise<void> => {
  const { controlPlaneNamespace: namespace, withSecrets } = options;
  const saved = await cluster.backup(folder, {
    secrets: withSecrets === true,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const { out, err } = context.terminal;
  out(`saved ${plural(saved.objects, "object")} and control plane ${saved.controlPlaneId} to ${folder}\n`);
  if (saved.secrets.length > 0 && withSecrets !== true)
    err(`not saved (--with-secrets): the values of ${saved.secrets.join(", ")}\n`);
};

const restoreCluster = async ({ context }: Tools, cluster: ClusterTools, { folder, options }: Work): Promise<void> => {
  const { controlPlaneNamespace: namespace, reclaim } = options;
  const made = await cluster.restore(folder, {
    reclaim: reclaim === true,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const { out, err } = context.terminal;
  out(
    `restored ${plural(made.objects, "object")} and control plane ${made.controlPlaneId} (namespace ${made.namespace})\n`,
  );
  if (made.namespacesMade.length > 0) out(`made namespaces: ${made.namespacesMade.join(", ")}\n`);
  if (made.missingSecrets.length > 0) err(`bring these Secrets back: ${made.missingSecrets.join(", ")}\n`);
  if (made.deleting.length > 0)
    err(`these were being deleted, and are not any more: ${made.deleting.map(keyShort).join(", ")}\n`);
  out(
    reclaim === true
      ? "next: start the control plane; the objects take back what is on the hosts\n"
      : "next: start the control plane, then `aetherv reclaim all` takes back what is on the hosts\n",
  );
};
