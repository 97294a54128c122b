import { Command, Option } from "commander";
import { bytesText } from "../../api/quantity.ts";
import { ControlError, type TrashEntry } from "../../server/control.ts";
import { withControl, type Tools } from "../context.ts";
import { existing, keysTyped, keyShort } from "../names.ts";
import { age, duration } from "../print/age.ts";
import { table } from "../print/table.ts";
import { toJson } from "../print/yaml.ts";

interface Options {
  readonly host?: string;
  readonly path?: string;
  readonly output?: "json";
}

const notes = `
Without an argument, lists what lies in the hosts' trash. A restored file lies where it was before; put the disk's
document back and run \`aetherv reclaim\` on it to have it managed again.

Examples:
  aetherv restore
  aetherv restore avd/web-data
  aetherv restore avd/web-data --path 'D:\\.aetherv-trash\\...'   when several deletions are there`;

/** `aetherv restore`: brings deleted disks back from the trash. */
export const restoreCommand = (tools: Tools): Command =>
  new Command("restore")
    .description("List deleted disks in the trash, or bring one back")
    .argument("[what...]", "KIND/NAME of the deleted disk")
    .option("--host <host>", "only the trash of this host")
    .option("--path <path>", "this file of the trash")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json"]))
    .addHelpText("after", notes)
    .action((words: string[], options: Options) =>
      words.length === 0 && options.path === undefined ? listTrash(tools, options) : bringBack(tools, words, options),
    );

const listTrash = (tools: Tools, { host, output }: Options): Promise<void> =>
  withControl(tools.context.connect(tools.where()), async (control) => {
    if (host !== undefined) await existing(control, { kind: "VMHost", namespace: "", name: host });
    const all = (await control.trash()).filter((entry) => host === undefined || entry.host === host);
    const { out, err } = tools.context.terminal;
    if (output === "json") return out(toJson(all));
    if (all.length === 0) return err("The trash is empty.\n");
    out(
      table(
        ["DISK", "HOST", "SIZE", "DELETED", "PURGED IN", "PATH"],
        all.map((entry) => trashRow(entry, tools)),
      ),
    );
  });

const trashRow = (entry: TrashEntry, { context }: Tools): readonly string[] => [
  keyShort(entry.owner),
  entry.host,
  bytesText(entry.fileSize),
  age(entry.deletedAt, context.now()),
  duration(Date.parse(entry.purgeAt) - context.now().getTime()),
  entry.path,
];

const bringBack = (tools: Tools, words: readonly string[], { host, path, output }: Options): Promise<void> =>
  withControl(tools.context.connectRunning(tools.where()), async (control) => {
    const [key] = words.length > 0 ? keysTyped(words, tools.namespace()) : [];
    const fits = (await control.trash()).filter(
      (entry) =>
        (host === undefined || entry.host === host) &&
        (path === undefined || entry.path === path) &&
        (key === undefined || (entry.owner.namespace === key.namespace && entry.owner.name === key.name)),
    );
    const [entry] = fits;
    if (!entry)
      throw new ControlError("NotFound", "nothing of that name lies in the trash", "`aetherv restore` lists it");
    if (fits.length > 1)
      throw new ControlError(
        "Conflict",
        `${fits.length} files of that name lie in the trash: ${fits.map((one) => `${one.path} (${one.host})`).join(", ")}`,
        "choose one with --path",
      );
    const report = await control.restore({ host: entry.host, path: entry.path });
    if (output === "json") return tools.context.terminal.out(toJson(report));
    const next = `put its document back, then: aetherv reclaim avd/${entry.owner.name} --uid ${report.uid}`;
    tools.context.terminal.out(`restored ${report.restoredPath} on ${entry.host}\n${next}\n`);
  });
