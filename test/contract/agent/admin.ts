import { basename, dirname, join } from "node:path";
import { Command } from "commander";
import { simulatorCommand } from "../../../src/cli/simulator/command.ts";

/** Runs `aetherv simulator` on a host's folder wherever it lies; HOST is put in behind the action's own words. */
export const runAdmin = async (folder: string, words: readonly string[]): Promise<void> => {
  const own = words[0] === "fault" ? 2 : 1;
  // The command looks for hosts in <data>/simulated; a path that climbs out of it names any folder.
  const data = dirname(folder);
  const host = join("..", basename(folder));
  const root = new Command("aetherv").exitOverride();
  const command = simulatorCommand(() => data);
  for (const child of [command, ...command.commands, ...command.commands.flatMap((one) => one.commands)])
    child.exitOverride().configureOutput({ writeOut: () => undefined });
  await root
    .addCommand(command)
    .parseAsync(["simulator", ...words.slice(0, own), host, ...words.slice(own)], { from: "user" });
};
