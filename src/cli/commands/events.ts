import { Command, Option } from "commander";
import { withControl, type Tools } from "../context.ts";
import { keysTyped, keyShort } from "../names.ts";
import { tellMissing } from "../missing.ts";
import { limitOption } from "../options.ts";
import { age } from "../print/age.ts";
import { table } from "../print/table.ts";
import { toJson } from "../print/yaml.ts";

/** `aetherv events`: what happened, oldest first. */
export const eventsCommand = (tools: Tools): Command =>
  new Command("events")
    .description("Show what happened to objects, oldest first")
    .argument("[what...]", "KIND/NAME; all objects if not given")
    .addOption(limitOption(100))
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json"]))
    .addHelpText("after", "\nExamples:\n  aetherv events\n  aetherv events vm/web")
    .action((words: string[], { limit, output }: { limit: number; output?: string }) =>
      withControl(tools.context.connect(tools.where()), async (control) => {
        const [key] = words.length > 0 ? keysTyped(words, tools.namespace()) : [];
        const events = await control.events({ ...(key ? { key } : {}), limit }, tellMissing(tools, "events"));
        const { out, err } = tools.context.terminal;
        if (output === "json") return out(toJson(events));
        if (events.length === 0) return err("No events.\n");
        const now = tools.context.now();
        const rows = events.map(({ key: of, type, reason, message, count, lastSeen }) => [
          count > 1 ? `${age(lastSeen, now)} (x${count})` : age(lastSeen, now),
          type === "Warning" ? tools.colours.yellow(type) : type,
          reason,
          keyShort(of),
          message,
        ]);
        out(table(["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], rows));
      }),
    );
