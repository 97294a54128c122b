import { Command } from "commander";
import { annotations as names } from "../../api/annotations.ts";
import { kinds } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { ControlError, type ControlPlane } from "../../server/control.ts";
import { withControl, type Tools } from "../context.ts";
import { existing, keysTyped, keyShort } from "../names.ts";

interface Verb {
  readonly name: string;
  readonly description: string;
  readonly example: string;
  /** What to set on the object, and the words for having done so. Throws a ControlError when it makes no sense on it. */
  readonly change: (
    object: Resource,
    now: Date,
    value: string | undefined,
  ) => { readonly set: Readonly<Record<string, string | null>>; readonly done: string };
  /** The objects that `all` in place of names means; absent: this verb takes names only. */
  readonly stalledBy?: string;
  /** Whether what is set on an object (`set`) is to be set on this other one, too; absent: never. */
  readonly spreadsTo?: (other: Resource, set: Readonly<Record<string, string | null>>) => boolean;
  /** An option that gives the value; without it the object's status does. */
  readonly option?: readonly [flags: string, description: string];
}

interface Pending {
  readonly planHash?: string;
  readonly pendingChanges?: readonly { readonly path: string; readonly effect: string }[];
  readonly deletionBatch?: string;
  readonly conditions?: readonly { readonly type: string; readonly reason: string; readonly message: string }[];
}

const statusOf = (object: Resource): Pending => (object.status ?? {}) as Pending;

const onlyVm = (object: Resource, verb: string): void => {
  if (object.kind !== "VirtualMachine")
    throw new ControlError(
      "Invalid",
      `${verb} is for virtual machines; ${object.kind} "${object.metadata.name}" is none`,
      "disks and adapters are approved with the machine that they are attached to",
    );
};

const stalled = (object: Resource): { readonly reason: string; readonly message: string } | undefined =>
  statusOf(object).conditions?.find((condition) => condition.type === "Stalled");

/** A uid, or the first 8 digits of one, which is all that an adapter's name keeps. */
const uidPattern = "[0-9a-f]{8}(?:-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?";

const approve: Verb = {
  name: "approve",
  description: "Approve the changes that a virtual machine's plan lists (restarts and other disruptive ones)",
  example: "aetherv approve vm/web",
  option: ["--hash <planHash>", "approve only if the plan still is this one"],
  change: (object, _now, hash) => {
    onlyVm(object, "approve");
    const { planHash, pendingChanges = [] } = statusOf(object);
    if (planHash === undefined)
      throw new ControlError("Conflict", `nothing of ${object.metadata.name} awaits approval`);
    if (hash !== undefined && hash !== planHash)
      throw new ControlError(
        "Conflict",
        `the plan is ${planHash} by now, not ${hash}`,
        "look at it again before approving",
      );
    const paths = pendingChanges.map((change) => change.path).join(", ");
    return { set: { [names.approve]: planHash }, done: `approved plan ${planHash}${paths ? ` (${paths})` : ""}` };
  },
};

const restart: Verb = {
  name: "restart",
  description: "Restart a virtual machine once; approves the changes that wait for a restart",
  example: "aetherv restart vm/web",
  change: (object, now) => {
    onlyVm(object, "restart");
    const { powerState } = object.spec as { powerState?: string };
    if (powerState !== undefined && powerState !== "Running")
      throw new ControlError(
        "Invalid",
        `${object.metadata.name} is declared ${powerState}: there is nothing to restart`,
        "set spec.powerState to Running to start it",
      );
    return { set: { [names.restartedAt]: now.toISOString() }, done: "restart requested" };
  },
};

const pause: Verb = {
  name: "pause",
  description: "Hold back every job for an object until it is resumed",
  example: "aetherv pause vm/web",
  change: () => ({ set: { [names.paused]: "true" }, done: "paused" }),
};

const resume: Verb = {
  name: "resume",
  description: "Let jobs for a paused object go on",
  example: "aetherv resume vm/web",
  change: () => ({ set: { [names.paused]: null }, done: "resumed" }),
};

const orphan: Verb = {
  name: "orphan",
  description: "When the object is deleted, give its things on the host up instead of deleting them",
  example: "aetherv orphan vm/web",
  option: ["--undo", "delete them again, as spec.deletionPolicy says"],
  change: (_object, _now, undo) =>
    undo
      ? { set: { [names.forceOrphan]: null }, done: "will be deleted as spec.deletionPolicy says" }
      : { set: { [names.forceOrphan]: "true" }, done: "will be given up, not deleted, on deletion" },
};

const reclaim: Verb = {
  name: "reclaim",
  description:
    "Take back a machine, disk or adapter that carries a uid that was lost (restored store, lost data folder)",
  example: "aetherv reclaim vm/web\n  aetherv reclaim all        (everything that reports a lost uid)",
  stalledBy: "IdentityChanged",
  option: ["--uid <uid>", "the old uid; taken from the object's condition if not given"],
  change: (object, _now, uid) => {
    // The message names the machine's own id, too: the lost uid is the one called so.
    const found = uid ?? new RegExp(`\\buid (${uidPattern})`).exec(stalled(object)?.message ?? "")?.[1];
    if (found === undefined)
      throw new ControlError(
        "Conflict",
        `${object.metadata.name} reports no lost uid to take back`,
        "give it with --uid",
      );
    return { set: { [names.reclaim]: found }, done: `takes back what ${found} owned` };
  },
};

/** The batch of deletions that the object is held with. */
const batchOf = (object: Resource): string | undefined =>
  statusOf(object).deletionBatch ?? /\bbatch ([0-9a-f]{8})\b/.exec(stalled(object)?.message ?? "")?.[1];

const confirmDelete: Verb = {
  name: "confirm-delete",
  description: "Let a deletion go on that the mass-delete guard holds",
  example: "aetherv confirm-delete vm/web vm/db\n  aetherv confirm-delete all        (everything that the guard holds)",
  stalledBy: "MassDeleteGuard",
  option: ["--batch <batch>", "the batch; taken from the object's status if not given"],
  // The confirmation outlives each of them: whatever is left of the batch after a restart is confirmed, too.
  spreadsTo: (other, set) =>
    other.metadata.deletionTimestamp !== undefined && batchOf(other) === set[names.confirmDelete],
  change: (object, _now, batch) => {
    const found = batch ?? batchOf(object);
    if (found === undefined)
      throw new ControlError(
        "Conflict",
        `the mass-delete guard does not hold ${object.metadata.name}`,
        object.metadata.deletionTimestamp === undefined
          ? "its deletion has not begun; of a folder that was emptied, --batch emptied lets it go (see `aetherv status`)"
          : undefined,
      );
    return { set: { [names.confirmDelete]: found }, done: `deletion of batch ${found} confirmed` };
  },
};

const verbs: readonly Verb[] = [approve, restart, pause, resume, orphan, reclaim, confirmDelete];

/** approve, restart, pause, resume, orphan, reclaim and confirm-delete: each sets one annotation. */
export const annotateCommands = (tools: Tools): readonly Command[] => verbs.map((verb) => verbCommand(tools, verb));

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
