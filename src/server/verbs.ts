import { annotations as names } from "../api/annotations.ts";
import type { Resource } from "../api/resource.ts";
import { ControlError } from "./control.ts";

/** Annotations to set (null takes one off), and the words for having done so. */
interface VerbChange {
  readonly set: Readonly<Record<string, string | null>>;
  readonly done: string;
}

/** What a verb does to an object: pure. Throws a ControlError when it makes no sense on it. */
export type Change = (object: Resource, now: Date, value: string | undefined) => VerbChange;

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

export const stalled = (object: Resource): { readonly reason: string; readonly message: string } | undefined =>
  statusOf(object).conditions?.find((condition) => condition.type === "Stalled");

/** A uid, or the first 8 digits of one, which is all that an adapter's name keeps. */
export const uidPattern = "[0-9a-f]{8}(?:-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?";

/** The batch of deletions that the object is held with. */
const batchOf = (object: Resource): string | undefined =>
  statusOf(object).deletionBatch ?? /\bbatch ([0-9a-f]{8})\b/.exec(stalled(object)?.message ?? "")?.[1];

/**
 * Whether an object is held with those that a change confirms. The confirmation outlives each of them: whatever is left of the
 * batch after a restart is to be confirmed, too.
 */
export const isInBatch = (other: Resource, set: VerbChange["set"]): boolean =>
  other.metadata.deletionTimestamp !== undefined && batchOf(other) === set[names.confirmDelete];

const approve: Change = (object, _now, hash) => {
  onlyVm(object, "approve");
  const { planHash, pendingChanges = [] } = statusOf(object);
  if (planHash === undefined) throw new ControlError("Conflict", `nothing of ${object.metadata.name} awaits approval`);
  if (hash !== undefined && hash !== planHash)
    throw new ControlError(
      "Conflict",
      `the plan is ${planHash} by now, not ${hash}`,
      "look at it again before approving",
    );
  const paths = pendingChanges.map((change) => change.path).join(", ");
  return { set: { [names.approve]: planHash }, done: `approved plan ${planHash}${paths ? ` (${paths})` : ""}` };
};

const restart: Change = (object, now) => {
  onlyVm(object, "restart");
  const { powerState } = object.spec as { powerState?: string };
  if (powerState !== undefined && powerState !== "Running")
    throw new ControlError(
      "Invalid",
      `${object.metadata.name} is declared ${powerState}: there is nothing to restart`,
      "set spec.powerState to Running to start it",
    );
  return { set: { [names.restartedAt]: now.toISOString() }, done: "restart requested" };
};

const pause: Change = () => ({ set: { [names.paused]: "true" }, done: "paused" });

const resume: Change = () => ({ set: { [names.paused]: null }, done: "resumed" });

const orphan: Change = (_object, _now, undo) =>
  undo
    ? { set: { [names.forceOrphan]: null }, done: "will be deleted as spec.deletionPolicy says" }
    : { set: { [names.forceOrphan]: "true" }, done: "will be given up, not deleted, on deletion" };

const reclaim: Change = (object, _now, uid) => {
  // The message names the machine's own id, too: the lost uid is the one called so.
  const found = uid ?? new RegExp(`\\buid (${uidPattern})`).exec(stalled(object)?.message ?? "")?.[1];
  if (found === undefined)
    throw new ControlError(
      "Conflict",
      `${object.metadata.name} reports no lost uid to take back`,
      "give it with --uid",
    );
  return { set: { [names.reclaim]: found }, done: `takes back what ${found} owned` };
};

const confirmDelete: Change = (object, _now, batch) => {
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
};

/** approve, restart, pause and the others: each is one annotation, or a few. */
export const verbs = { approve, restart, pause, resume, orphan, reclaim, confirmDelete } as const satisfies Record<
  string,
  Change
>;
