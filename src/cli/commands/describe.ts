import { Command } from "commander";
import { withControl, type Tools } from "../context.ts";
import { existing, keysTyped } from "../names.ts";
import { tellMissing } from "../missing.ts";
import { describeText } from "../print/describe.ts";

/** `aetherv describe`: one object with all that is known of it. */
export const describeCommand = (tools: Tools): Command =>
  new Command("describe")
    .description("Show everything about objects: spec, status, conditions, pending changes, events")
    .argument("<what...>", "KIND/NAME, or KIND and names")
    .addHelpText("after", "\nExample:\n  aetherv describe vm/web")
    .action((words: string[]) =>
      withControl(tools.context.connect(tools.where()), async (control) => {
        const texts: string[] = [];
        for (const key of keysTyped(words, tools.namespace())) {
          const object = await existing(control, key);
          const events = await control.events({ key, limit: 20 }, tellMissing(tools, "events"));
          texts.push(describeText({ object, events, now: tools.context.now(), colours: tools.colours }));
        }
        tools.context.terminal.out(texts.join("\n"));
      }),
    );
