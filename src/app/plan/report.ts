import { annotations as names } from "../../api/annotations.ts";
import type { NetworkAdapter, VirtualDisk, VirtualMachine, VMHost } from "../../api/generated/types.ts";
import { keyOf, type Condition, type Key, type Resource } from "../../api/resource.ts";
import type { Change, Decision, Objects, Step } from "../../engine/ports.ts";
import type { PlanAction, PlannedChange, PlannedObject } from "../../server/control.ts";
import { fieldDiff } from "./diff.ts";
import type { GuestPlan } from "./guest.ts";
import type { Draft } from "./overlay.ts";

export interface ReportInput {
  readonly resource: Resource;
  readonly decision: Decision;
  readonly objects: Objects;
  readonly draft?: Draft;
  readonly guest?: GuestPlan;
}

/** One object's part of the plan; undefined when nothing happens to it. */
export const plannedObject = (input: ReportInput): PlannedObject | undefined => {
  const { resource, decision, objects, draft, guest } = input;
  const deleting = resource.metadata.deletionTimestamp !== undefined;
  // What is deleted is not changed on the way.
  const changes = deleting ? [] : [...decision.plan.flatMap(stepChanges), ...recordedOnly(input)];
  const isNew = draft !== undefined && draft.before === undefined;
  const nothing = changes.length === 0 && decision.plan.length === 0 && !deleting && !isNew && !guest;
  // A host that is not as declared although nothing can be done must not read as "no changes".
  if (nothing && !isStalled(resource, decision)) return undefined;
  return present({
    key: keyOf(resource),
    action: deleting ? "delete" : actionOf(resource, isNew, decision.plan),
    changes,
    guest: guest?.at === "planned" ? guest.guest : undefined,
    host: hostOf(resource),
    place: draft?.place,
    note: deleting ? deletionNote(resource, objects) : stepsNote(decision),
    blocked: deleting ? deletionBlock(input) : heldUp(input, changes),
    ...consentOf(input, changes),
  });
};

/** Whose approval the changes need, if they need one. */
const consentOf = (
  input: ReportInput,
  changes: readonly PlannedChange[],
): Pick<PlannedObject, "approval"> & { planHash: string | undefined; machine: Key | undefined } => {
  const machine = machineOf(input);
  const approval = machine?.spec.disruption?.approval ?? "Manual";
  if (approval === "Automatic") return { planHash: undefined, machine: undefined, approval };
  const { planHash } = (input.decision.status ?? {}) as { planHash?: string };
  const awaits = changes.some(({ effect }) => effect === "Disruptive" || effect === "Restart");
  const other = awaits && machine && input.resource.kind !== "VirtualMachine" ? keyOf(machine) : undefined;
  return { planHash, machine: other, approval };
};

/** Whether a person has to act before anything can be done; what ails a host itself is no part of a plan. */
const isStalled = (resource: Resource, decision: Decision): boolean =>
  resource.kind !== "VMHost" && stalledOf(decision) !== undefined;

const stalledOf = (decision: Decision): Condition | undefined =>
  (decision.status as Conditioned | undefined)?.conditions?.find(
    (one) => one.type === "Stalled" && one.status === "True",
  );

/** The virtual machine that an object is, or belongs to. */
const machineOf = ({ resource, objects }: ReportInput): VirtualMachine | undefined => {
  if (resource.kind === "VirtualMachine") return resource as VirtualMachine;
  const { virtualMachine, attachment } = resource.spec as {
    virtualMachine?: string;
    attachment?: { virtualMachine?: string };
  };
  const name = virtualMachine ?? attachment?.virtualMachine;
  if (typeof name !== "string") return undefined;
  const { namespace = "" } = resource.metadata;
  return objects.get({ kind: "VirtualMachine", namespace, name }) as VirtualMachine | undefined;
};

const isDeployment = ({ kind }: Resource): boolean => kind === "ManagedDeployment";

/** A deployment itself only waits for its objects, which have their own part of the plan. */
const deploymentGoesOn = ({ resource, decision }: ReportInput): boolean =>
  isDeployment(resource) && stalledOf(decision) === undefined;

/** Why nothing of it happens now, or nothing inside the guest. */
const heldUp = (input: ReportInput, changes: readonly PlannedChange[]): PlannedObject["blocked"] => {
  if (deploymentGoesOn(input)) return undefined;
  return blockedBy(input.decision, changes) ?? (input.guest?.at === "refused" ? input.guest.blocked : undefined);
};

/** What holds a deletion back; not that its machine, which goes too, goes first. */
const deletionBlock = (input: ReportInput): PlannedObject["blocked"] => {
  const goesWithIt =
    machineOf(input)?.metadata.deletionTimestamp !== undefined && input.resource.kind !== "VirtualMachine";
  const found = blockedBy(input.decision, []);
  return found === undefined || found.reason === "Deleting" || (goesWithIt && found.reason === "InUse")
    ? undefined
    : found;
};

/** Members that are undefined are left out: the report is JSON. */
const present = (report: { [K in keyof PlannedObject]: PlannedObject[K] | undefined }): PlannedObject =>
  Object.fromEntries(Object.entries(report).filter(([, value]) => value !== undefined)) as unknown as PlannedObject;

const makes: ReadonlySet<string> = new Set(["vm.create", "disk.create", "disk.clone", "nic.create"]);

const actionOf = (resource: Resource, isNew: boolean, plan: readonly Step[]): PlanAction => {
  const making = plan.filter((step) => makes.has(step.operation));
  if (!isNew && making.length === 0) return "update";
  const { adopt, source } = resource.spec as { adopt?: unknown; source?: { type?: string } };
  const takesOver = making.some((step) => (step.spec as { adopt?: unknown }).adopt !== undefined);
  return takesOver || adopt !== undefined || source?.type === "File" ? "adopt" : "create";
};

const stepChanges = (step: Step): readonly PlannedChange[] =>
  step.changes.map((change) => ({
    ...change,
    effect: step.effect,
    operation: step.operation,
    ...(step.reason === undefined ? {} : { reason: step.reason }),
  }));

/** Steps that change no field by themselves, by the name of their operation. */
const stepsNote = ({ plan }: Decision): string | undefined => {
  const bare = plan.filter((step) => step.changes.length === 0).map((step) => step.operation);
  return bare.length > 0 ? `also: ${[...new Set(bare)].join(", ")}` : undefined;
};

/** Edited fields that change nothing on the host (policies and the like). */
const recordedOnly = (input: ReportInput): readonly PlannedChange[] => {
  const { resource, draft, decision } = input;
  if (!draft?.before) return [];
  const planned = decision.plan.flatMap((step) => step.changes.map((change) => change.path));
  const covers = (path: string): boolean =>
    planned.some(
      (one) => one === path || one.startsWith(`${path}.`) || path.startsWith(`${one}.`) || path.startsWith(`${one}[`),
    );
  const edits = fieldDiff(draft.before.spec, draft.resource.spec, "spec").filter((change) => !covers(change.path));
  const shown = withoutGuest(edits, input);
  return shown.map((change) => ({
    ...change,
    effect: "Hot",
    operation: "none",
    reason: whyRecorded(change, resource),
  }));
};

const guestFields: Readonly<Record<string, string>> = {
  VirtualMachine: "spec.guest",
  ManagedDeployment: "spec.virtualMachine.guest",
};

const isAt = (path: string, field: string): boolean => path === field || path.startsWith(`${field}.`);

/** Edits of a guest section by their settings, where these change; never with their values, which may be secret. */
const withoutGuest = (edits: readonly Change[], { resource, guest }: ReportInput): readonly Change[] => {
  const field = guestFields[resource.kind];
  if (field === undefined || edits.every(({ path }) => !isAt(path, field))) return edits;
  const others = edits.filter(({ path }) => !isAt(path, field));
  return guest ? others : [...others, { path: field }];
};

const whyRecorded = ({ path }: Change, { kind, spec }: Resource): string => {
  if (kind === "ManagedDeployment") return "its objects, see there";
  if (kind === "NetworkAdapter" && (isAt(path, "spec.ipv4") || isAt(path, "spec.ipv6")))
    return `inside the guest: see VirtualMachine ${(spec as NetworkAdapter["spec"]).virtualMachine}`;
  return isAt(path, "spec.guest") ? "the guest's configuration stays the same" : "nothing changes on the host now";
};

const hostOf = (resource: Resource): string | undefined => {
  const { host } = resource.spec as { host?: string };
  return (
    host ?? resource.metadata.annotations?.[names.host] ?? (resource.status as { host?: string } | undefined)?.host
  );
};

const deletionNote = (resource: Resource, objects: Objects): string => {
  const { deletionPolicy, source, adopt } = resource.spec as {
    deletionPolicy?: string;
    source?: VirtualDisk["spec"]["source"];
    adopt?: unknown;
  };
  const orphan =
    deletionPolicy === "Orphan" ||
    (deletionPolicy === undefined && (adopt !== undefined || source?.type === "File")) ||
    resource.metadata.annotations?.[names.forceOrphan] === "true";
  if (isDeployment(resource))
    return orphan ? "its objects stay, owned by nobody" : "its machine goes first, then its disks and adapters";
  if (resource.kind === "VMHost") return "the host is let go of; nothing on it changes";
  if (orphan) return "given up: what is on the host stays as it is, without an owner";
  if (resource.kind === "VirtualMachine")
    return "the machine is stopped and removed; its disks stay with their own objects";
  if (resource.kind === "NetworkAdapter") return "the adapter is removed";
  const host = objects.get({ kind: "VMHost", namespace: "", name: hostOf(resource) ?? "" }) as VMHost | undefined;
  return `the disk goes to the trash, kept ${host?.spec.trashRetention ?? "24h"}`;
};

interface Conditioned {
  readonly conditions?: readonly Condition[];
}

/** Why nothing of it happens now. A plan that only awaits approval is not blocked: its changes say so. */
const blockedBy = (decision: Decision, changes: readonly PlannedChange[]): PlannedObject["blocked"] => {
  const conditions = (decision.status as Conditioned | undefined)?.conditions ?? [];
  const stalled = stalledOf(decision);
  const ready = conditions.find((one) => one.type === "Ready" && one.status !== "True");
  const waiting = decision.plan.length === 0 && changes.every((one) => one.operation === "none") ? ready : undefined;
  const found = stalled ?? waiting;
  return found && found.reason !== "FirstSight" ? { reason: found.reason, message: found.message } : undefined;
};
