import { Command } from "commander";
import { ControlError } from "../../server/control.ts";
import type { Tools } from "../context.ts";

const notes = `
The link holds the token of the role admin: whoever has it may do everything. It is for a browser of this machine; give
others tokens of their own: aetherv token create --help

Examples:
  aetherv console
  xdg-open "$(aetherv console --data ./aetherv-data)"`;

/** `aetherv console`: how to open the console. */
export const consoleCommand = (tools: Tools): Command =>
  new Command("console")
    .description("Print the link that opens the console, logged in")
    .addHelpText("after", notes)
    .action(async () => {
      const where = tools.where();
      if (where.at === "cluster")
        throw new ControlError(
          "Invalid",
          "the console of a cluster is opened with a token of the cluster",
          "kubectl port-forward to its Service, and a token as of: kubectl create token ACCOUNT",
        );
      tools.context.terminal.out(`${await tools.context.console.link(where.data)}\n`);
    });
