import { findKind, kinds } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { ControlError } from "../control.ts";
import { isInBatch, verbs } from "../verbs.ts";
import type { Ability, ConsoleUser } from "./access.ts";
import { ApiError, conflict, invalid } from "./status.ts";

/** What people do with one object by a click. */
export const actions = [
  "start",
  "shutdown",
  "turnOff",
  "save",
  "restart",
  "approve",
  "pause",
  "resume",
  "orphan",
  "confirm-delete",
] as const;
export type Action = (typeof actions)[number];

export const isAction = (text: unknown): text is Action => (actions as readonly unknown[]).includes(text);

const abilityFor: Readonly<Record<Action, Ability>> = {
  start: "power",
  shutdown: "power",
  turnOff: "power",
  save: "power",
  restart: "restart",
  approve: "approve",
  pause: "pause",
  resume: "pause",
  orphan: "orphan",
  "confirm-delete": "confirmDelete",
};

export interface ActionRequest {
  readonly action: Action;
  /** Approve only if the plan is this one. */
  readonly planHash?: string | undefined;
}

/** Does it; the object as it is then. Rejects with an ApiError or a ControlError. */
export const act = async (user: ConsoleUser, key: Key, request: ActionRequest, now: Date): Promise<Resource> => {
  await user.require(abilityFor[request.action], key);
  const object = await user.objects.get(key);
  switch (request.action) {
    case "start":
    case "shutdown":
    case "turnOff":
    case "save":
      return power(user, object, request.action);
    case "approve": {
      const { set } = verbs.approve(object, now, request.planHash);
      return user.control.annotate(key, set);
    }
    case "restart":
    case "pause":
    case "resume":
    case "orphan":
      return user.control.annotate(key, verbs[request.action](object, now, undefined).set);
    case "confirm-delete":
      return confirmDelete(user, object, now);
    default:
      return request.action satisfies never;
  }
};

/** Of an object whose document is gone from a folder that is empty now, the deletion is confirmed by its own word. */
const confirmDelete = async (user: ConsoleUser, object: Resource, now: Date): Promise<Resource> => {
  const key = keyOf(object);
  const { missing } = await user.control.problems();
  const isMissing = missing.some((one) => keyText(one.key) === keyText(key));
  const { set } = verbs.confirmDelete(object, now, isMissing ? "emptied" : undefined);
  const all = (await Promise.all(kinds.map(async ({ kind }) => (await user.objects.list(kind, {})).items))).flat();
  const confirmed = await user.control.annotate(key, set);
  for (const other of all.filter((one) => isInBatch(one, set)).map(keyOf))
    if (keyText(other) !== keyText(key)) await user.control.annotate(other, set).catch(unlessGone);
  return confirmed;
};

const unlessGone = (error: unknown): void => {
  if (!(error instanceof ControlError) || error.code !== "NotFound") throw error;
};

type PowerAction = "start" | "shutdown" | "turnOff" | "save";

interface PowerFields {
  readonly powerState?: string;
  readonly powerPolicy?: string;
  readonly managementPolicy?: string;
  readonly shutdown?: { readonly mode?: string };
}

const stateFor: Readonly<Record<PowerAction, string>> = {
  start: "Running",
  shutdown: "Stopped",
  turnOff: "Stopped",
  save: "Saved",
};

/** Of two wishes to stop, how: a guest is asked to shut down unless the wish is to turn off. */
const shutdownFor = (action: PowerAction, shutdown: PowerFields["shutdown"]): PowerFields["shutdown"] => {
  if (action === "turnOff") return { ...shutdown, mode: "TurnOff" };
  if (action === "shutdown" && shutdown?.mode === "TurnOff") return { ...shutdown, mode: "Graceful" };
  return shutdown;
};

/** The fields of a machine's spec that the wish changes. */
export const powered = (spec: PowerFields, action: PowerAction): PowerFields => {
  const shutdown = shutdownFor(action, spec.shutdown);
  return { ...spec, powerState: stateFor[action], ...(shutdown === undefined ? {} : { shutdown }) };
};

/** Status moves often: a write that lost against one is tried again on what is there then. */
const tries = 8;

const power = async (user: ConsoleUser, object: Resource, action: PowerAction): Promise<Resource> => {
  const { kind, metadata } = object;
  if (kind !== "VirtualMachine")
    throw new ApiError("BadRequest", `${action} is for virtual machines; ${kind} "${metadata.name}" is none`);
  refuseUnheld(object);
  // A deployment would put back what was changed in its machine only.
  const maker = (metadata.ownerReferences ?? []).find(({ controller }) => controller === true);
  const target: Key =
    maker && findKind(maker.kind)
      ? { kind: maker.kind, namespace: metadata.namespace ?? "", name: maker.name }
      : keyOf(object);
  for (let attempt = 1; ; attempt += 1) {
    const present = await user.objects.get(target);
    const spec = present.spec as { readonly virtualMachine?: PowerFields } & PowerFields;
    const next = maker
      ? { ...spec, virtualMachine: powered(spec.virtualMachine ?? {}, action) }
      : powered(spec, action);
    const { status: _, ...rest } = present;
    try {
      const written = await user.objects.replace(target, { ...rest, spec: next }, { dryRun: false });
      return maker ? await user.objects.get(keyOf(object)) : written;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status.reason !== "Conflict" || attempt >= tries) throw error;
    }
  }
};

/** A wish that nobody would carry out is refused, with the reason. */
const refuseUnheld = ({ kind, metadata: { name }, spec }: Resource): void => {
  const { powerPolicy, managementPolicy } = spec as PowerFields;
  if (managementPolicy === "Observe")
    throw conflict(kind, name, "it is only observed (spec.managementPolicy): nothing is done to it");
  if (powerPolicy === "OnCreate")
    throw invalid(kind, name, [
      {
        reason: "FieldValueForbidden",
        message: "Forbidden: powerPolicy OnCreate leaves the power state to whoever works on the host",
        field: "spec.powerPolicy",
      },
    ]);
};

/** What the body of an action says. */
export const actionIn = (body: unknown): ActionRequest => {
  const { action, planHash } = (body ?? {}) as { action?: unknown; planHash?: unknown };
  if (!isAction(action)) throw new ApiError("BadRequest", `action must be one of ${actions.join(", ")}`);
  if (planHash !== undefined && typeof planHash !== "string") throw new ApiError("BadRequest", "planHash must be text");
  return { action, planHash };
};
