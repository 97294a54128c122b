import { Command } from "commander";
import { kinds } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { ControlError, type ControlPlane } from "../../server/control.ts";
import { isInBatch, stalled, uidPattern, verbs, type Change } from "../../server/verbs.ts";
import { withControl, type Tools } from "../context.ts";
import { existing, keysTyped, keyShort } from "../names.ts";

interface Verb {
  readonly name: string;
  readonly description: string;
  readonly example: string;
  /** What to set on the object, and the words for having done so. Throws a ControlError when it makes no sense on it. */
  readonly change: Change;
  /** The objects that `all` in place of names means; absent: this verb takes names only. */
  readonly stalledBy?: string;
  /** Whether what is set on an object (`set`) is to be set on this other one, too; absent: never. */
  readonly spreadsTo?: (other: Resource, set: Readonly<Record<string, string | null>>) => boolean;
  /** An option that gives the value; without it the object's status does. */
  readonly option?: readonly [flags: string, description: string];
}

const approve: Verb = {
  name: "approve",
  description: "Approve the changes that a virtual machine's plan lists (restarts and other disruptive ones)",
  example: "aetherv approve vm/web",
  option: ["--hash <planHash>", "approve only if the plan still is this one"],
  change: verbs.approve,
};

const restart: Verb = {
  name: "restart",
  description: "Restart a virtual machine once; approves the changes that wait for a restart",
  example: "aetherv restart vm/web",
  change: verbs.restart,
};

const pause: Verb = {
  name: "pause",
  description: "Hold back every job for an object until it is resumed",
  example: "aetherv pause vm/web",
  change: verbs.pause,
};

const resume: Verb = {
  name: "resume",
  description: "Let jobs for a paused object go on",
  example: "aetherv resume vm/web",
  change: verbs.resume,
};

const orphan: Verb = {
  name: "orphan",
  description: "When the object is deleted, give its things on the host up instead of deleting them",
  example: "aetherv orphan vm/web",
  option: ["--undo", "delete them again, as spec.deletionPolicy says"],
  change: verbs.orphan,
};

const reclaim: Verb = {
  name: "reclaim",
  description:
    "Take back a machine, disk or adapter that carries a uid that was lost (restored store, lost data folder)",
  example: "aetherv reclaim vm/web\n  aetherv reclaim all        (everything that reports a lost uid)",
  stalledBy: "IdentityChanged",
  option: ["--uid <uid>", "the old uid; taken from the object's condition if not given"],
  change: verbs.reclaim,
};

const confirmDelete: Verb = {
  name: "confirm-delete",
  description: "Let a deletion go on that the mass-delete guard holds",
  example: "aetherv confirm-delete vm/web vm/db\n  aetherv confirm-delete all        (everything that the guard holds)",
  stalledBy: "MassDeleteGuard",
  option: ["--batch <batch>", "the batch; taken from the object's status if not given"],
  spreadsTo: isInBatch,
  change: verbs.confirmDelete,
};

const all: readonly Verb[] = [approve, restart, pause, resume, orphan, reclaim, confirmDelete];

/** approve, restart, pause, resume, orphan, reclaim and confirm-delete: each sets one annotation. */
export const annotateCommands = (tools: Tools): readonly Command[] => all.map((verb) => verbCommand(tools, verb));

const verbCommand = (tools: Tools, verb: Verb): Command => {
  const command = new Command(verb.name)
    .description(verb.description)
    .argument("<what...>", `KIND/NAME, or KIND and names${verb.stalledBy === undefined ? "" : "; or all"}`)
    .addHelpText("after", `\nExample:\n  ${verb.example}`)
    .action((words: string[], options: Readonly<Record<string, string | true>>) =>
      withControl(tools.context.connectRunning(tools.where()), async (control) => {
        // `reclaim vm/web UID`, as conditions print it, is as good as --uid.
        const last = words.at(-1) ?? "";
        const positional = verb === reclaim && words[0]?.includes("/") && new RegExp(`^${uidPattern}$`).test(last);
        const named = positional ? words.slice(0, -1) : words;
        const [value] = positional ? [last] : Object.values(options).map(String);
        await carryOut(tools, verb, { keys: await keysFor(tools, verb, control, named), control, value });
      }),
    );
  if (verb.option) command.option(...verb.option);
  return command;
};

const keysFor = async (
  tools: Tools,
  verb: Verb,
  control: ControlPlane,
  words: readonly string[],
): Promise<readonly Key[]> => {
  if (words.length !== 1 || words[0] !== "all" || verb.stalledBy === undefined)
    return keysTyped(words, tools.namespace());
  const all = await everything(control);
  const found = all.filter((object) => stalled(object)?.reason === verb.stalledBy).map(keyOf);
  if (found.length === 0) throw new ControlError("NotFound", `no object is Stalled/${verb.stalledBy}`);
  return found;
};

const everything = async (control: ControlPlane): Promise<readonly Resource[]> =>
  (await Promise.all(kinds.map(({ kind }) => control.list(kind)))).flat();

interface Target {
  readonly keys: readonly Key[];
  readonly control: ControlPlane;
  readonly value: string | undefined;
}

const carryOut = async (tools: Tools, verb: Verb, { keys, control, value }: Target): Promise<void> => {
  // Looked up before the first is set: what was held with it may begin to go then.
  const all = verb.spreadsTo ? await everything(control) : [];
  const done = new Set<string>();
  const told = (key: Key, text: string): void => {
    done.add(keyText(key));
    tools.context.terminal.out(`${keyShort(key)} ${text}\n`);
  };
  for (const key of keys) {
    if (done.has(keyText(key))) continue;
    const { set, done: text } = verb.change(await existing(control, key), tools.context.now(), value);
    await control.annotate(key, set);
    told(key, text);
    for (const other of all.filter((one) => verb.spreadsTo?.(one, set)).map(keyOf))
      if (!done.has(keyText(other)) && (await annotated(control, other, set))) told(other, text);
  }
};

/** False when the object is gone by now. */
const annotated = (control: ControlPlane, key: Key, set: Readonly<Record<string, string | null>>): Promise<boolean> =>
  control.annotate(key, set).then(
    () => true,
    (error: unknown) => {
      if (error instanceof ControlError && error.code === "NotFound") return false;
      throw error;
    },
  );
