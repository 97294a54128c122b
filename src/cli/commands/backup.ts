import { Command } from "commander";
import { withControl, type Tools } from "../context.ts";
import { plural } from "./validate.ts";

const notes = `
The backup holds the control plane's identity, its epoch and the whole store (uids, status, annotations), not the
manifest files and no disk. It can be made while the control plane runs.

To start from a backup, run with the same manifest files.

Examples:
  aetherv backup /backups/monday
  aetherv backup --restore /backups/monday --data /srv/aetherv-new
  aetherv run --files manifests --data /srv/aetherv-new`;

/** `aetherv backup`: what a new data folder needs to go on as this control plane. */
export const backupCommand = (tools: Tools): Command =>
  new Command("backup")
    .description("Save identity, epoch and store of the control plane to a folder")
    .argument("<folder>", "folder to write to (must be new or empty), or to restore from")
    .option("--restore", "restore from the folder into the data folder, which must be new or empty")
    .addHelpText("after", notes)
    .action(async (folder: string, { restore }: { restore?: true }) => {
      const { context } = tools;
      if (restore) {
        const { controlPlaneId, entries } = await context.readBackup(folder, tools.data());
        const count = plural(entries.length, "entry").replace("entrys", "entries");
        return context.terminal.out(`restored control plane ${controlPlaneId} (${count}) into ${tools.data()}\n`);
      }
      const backup = await withControl(context.connect(tools.data()), (control) => control.backup());
      await context.writeBackup(folder, backup);
      context.terminal.out(`saved control plane ${backup.controlPlaneId} to ${folder}\n`);
    });
