import type { Resource } from "../../../../src/api/resource.ts";
import { ApiError, get, post, put, type Where } from "../../lib/api.ts";
import { changesBetween, editable } from "./changes.ts";
import type { Draft } from "./draft.svelte.ts";
import type { Fault } from "./faults.ts";
import { withValue, type Json } from "./path.ts";

/** What became of a save. conflict: somebody changed it meanwhile; what is on the server now. */
export type Saved =
  | { readonly as: "saved"; readonly object: Resource }
  | { readonly as: "conflict"; readonly theirs: Resource }
  | { readonly as: "refused"; readonly faults: readonly Fault[] };

/** Times that a save is sent again because only the status moved on. */
const mostRounds = 5;

/** Saves the draft, then the disks that it takes or lets go. Never rejects. */
export const save = async (draft: Draft): Promise<Saved> => {
  try {
    const main = draft.isNew ? await create(draft) : await replace(draft);
    if (main.as !== "saved") return main;
    const faults = await moveDisks(draft);
    return faults.length > 0 ? { as: "refused", faults } : main;
  } catch (error) {
    return { as: "refused", faults: faultsOf(error) };
  }
};

const create = async (draft: Draft): Promise<Saved> => {
  const object = await post<Resource>(draft.object as never);
  draft.stored(object as unknown as Json);
  return { as: "saved", object };
};

const replace = async (draft: Draft): Promise<Saved> => {
  for (let round = 1; ; round += 1) {
    const where = whereOf(draft);
    try {
      const object = draft.isEdited
        ? await put<Resource>(where, draft.object, { ifMatch: resourceVersionOf(draft.object) })
        : (draft.base as unknown as Resource);
      draft.stored(object as unknown as Json);
      return { as: "saved", object };
    } catch (error) {
      if (!(error instanceof ApiError) || !isConflict(error)) throw error;
      const theirs = await get<Resource>(where);
      if (round === mostRounds || isEditedByOthers(draft, theirs)) return { as: "conflict", theirs };
      // Only what the controllers write moved on: the draft is as good as before.
      draft.rebase(theirs as unknown as Json, new Map());
    }
  }
};

const isConflict = ({ code, reason }: ApiError): boolean =>
  code === 412 || (code === 409 && reason !== "AlreadyExists");

/** Whether spec, labels or annotations are others than those that the draft began with. */
export const isEditedByOthers = (draft: Draft, theirs: Resource): boolean =>
  changesBetween(editable(draft.base as never), editable(draft.base as never), editable(theirs)).length > 0;

const resourceVersionOf = (object: Json): string | undefined =>
  (object["metadata"] as { resourceVersion?: string } | undefined)?.resourceVersion;

const whereOf = ({ kind, namespace, name }: Draft): Where => ({ kind, namespace, name });

/** Attachments are the disks' own: each is saved as an object of its own, after the machine. */
const moveDisks = async (draft: Draft): Promise<readonly Fault[]> => {
  const faults: Fault[] = [];
  for (const [name, way] of draft.disks) {
    try {
      await moveDisk(draft, name, way);
      draft.disks.delete(name);
    } catch (error) {
      faults.push(...faultsOf(error).map(({ message }) => ({ path: "", message: `Disk ${name}: ${message}` })));
    }
  }
  return faults;
};

const moveDisk = async (draft: Draft, name: string, way: "attach" | "detach"): Promise<void> => {
  const where = { kind: "VirtualDisk", namespace: draft.namespace, name };
  for (let round = 1; ; round += 1) {
    const disk = await get<Resource>(where);
    try {
      await put(where, attached(disk as unknown as Json, way === "attach" ? draft.name : undefined));
      return;
    } catch (error) {
      if (round === mostRounds || !(error instanceof ApiError) || !isConflict(error)) throw error;
    }
  }
};

/** The disk attached to a machine, or to none. */
export const attached = (disk: Json, machine: string | undefined): Json =>
  withValue(disk, "spec.attachment", machine === undefined ? undefined : { virtualMachine: machine });

/** What the server refused, field by field where it says so. */
export const faultsOf = (error: unknown): readonly Fault[] => {
  if (!(error instanceof ApiError))
    return [{ path: "", message: error instanceof Error ? error.message : String(error) }];
  if (error.reason === "AlreadyExists")
    return [{ path: "metadata.name", message: "There is one of this name already." }];
  if (error.code === 404) return [{ path: "", message: `${error.message} It was deleted meanwhile.` }];
  const faults = error.causes.map(({ field = "", message = error.message }) => ({ path: field, message }));
  // That rules were not checked because of the faults at fields says nothing beside them.
  const atFields = faults.filter(({ path }) => path !== whole);
  if (atFields.length > 0) return atFields;
  return faults.length > 0
    ? faults.map(({ message }) => ({ path: "", message }))
    : [{ path: "", message: error.message }];
};

/** How the server names the object as a whole. */
const whole = "<nil>";
