import { annotations } from "../../../src/api/annotations.ts";
import type { VirtualMachine } from "../../../src/api/generated/types.ts";
import type { Resource } from "../../../src/api/resource.ts";
import type { ObjectAction } from "../lib/api.ts";
import type { Permission } from "../lib/session.ts";

export type ActionId = ObjectAction | "edit" | "delete";

/** Something that can be done to an object, or why it can't now. */
export interface Offered {
  readonly id: ActionId;
  readonly title: string;
  readonly icon?: string;
  readonly danger?: boolean;
  readonly reason?: string | undefined;
}

/** Why a permission is lacking; undefined when it is there. */
export type Refused = (permission: Permission) => string | undefined;

interface Known {
  readonly id: ActionId;
  readonly title: string;
  readonly icon?: string;
  readonly danger?: boolean;
  readonly needs: Permission;
  /** Whether it is about such an object in its state at all. */
  readonly fits: (object: Resource) => boolean;
  /** Why it makes no sense now. */
  readonly against: (object: Resource) => string | undefined;
}

const isMachine = ({ kind }: Resource): boolean => kind === "VirtualMachine";
const isPaused = ({ metadata }: Resource): boolean => metadata.annotations?.[annotations.paused] === "true";
const isDeleting = ({ metadata }: Resource): boolean => metadata.deletionTimestamp !== undefined;
/** Whether what waits was approved already, and is not taken up yet: its host is silent, or its window closed. */
export const isApproved = ({ metadata, status }: VirtualMachine): boolean =>
  status?.planHash !== undefined && metadata.annotations?.[annotations.approve] === status.planHash;
const statusOf = ({ status }: Resource): { planHash?: string; deletionBatch?: string } => status ?? {};

/** The deployment (or another controller) that made the object and would put back what is changed in it. */
export const makerOf = ({ metadata }: Resource): { readonly kind: string; readonly name: string } | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

const made = (object: Resource, verb: string): string | undefined => {
  const maker = makerOf(object);
  return maker && `The ${maker.kind} ${maker.name} made it: ${verb} that.`;
};

const declared = ({ spec, status }: VirtualMachine): string =>
  spec.powerState ?? status?.effective?.powerState ?? "Running";

const isOff = ({ status }: VirtualMachine): boolean => status?.powerState === "Stopped" || status?.powerState === "Off";
const isOn = ({ status }: VirtualMachine): boolean => status?.powerState === "Running";

/** Why nobody would carry out a wish about power. */
const unheld = ({ spec }: VirtualMachine): string | undefined => {
  if (spec.managementPolicy === "Observe") return "It is only observed.";
  if (spec.powerPolicy === "OnCreate") return "Its power is left to the host (powerPolicy OnCreate).";
  return undefined;
};

const power =
  (against: (machine: VirtualMachine) => string | undefined) =>
  (object: Resource): string | undefined =>
    unheld(object as VirtualMachine) ?? against(object as VirtualMachine);

const known: readonly Known[] = [
  {
    id: "approve",
    title: "Approve changes…",
    icon: "check",
    needs: "approve",
    fits: (object) => isMachine(object) && statusOf(object).planHash !== undefined,
    against: (object) => (isApproved(object as VirtualMachine) ? "It is approved already." : undefined),
  },
  {
    id: "start",
    title: "Start",
    needs: "power",
    fits: isMachine,
    against: power((machine) => {
      if (declared(machine) !== "Running") return undefined;
      return isOn(machine) ? "It runs." : "It is started as soon as it can be.";
    }),
  },
  {
    id: "shutdown",
    title: "Shut down…",
    needs: "power",
    fits: isMachine,
    against: power((machine) => {
      if (declared(machine) !== "Stopped") return undefined;
      return isOff(machine) ? "It is off." : "It is being shut down.";
    }),
  },
  {
    id: "turnOff",
    title: "Turn off…",
    danger: true,
    needs: "power",
    fits: isMachine,
    against: power((machine) => (isOff(machine) && declared(machine) === "Stopped" ? "It is off." : undefined)),
  },
  {
    id: "save",
    title: "Save its state…",
    needs: "power",
    fits: isMachine,
    against: power((machine) => {
      if (declared(machine) === "Saved") return "It is saved, or about to be.";
      return isOn(machine) ? undefined : "It does not run.";
    }),
  },
  {
    id: "restart",
    title: "Restart…",
    needs: "restart",
    fits: isMachine,
    against: power((machine) => (isOn(machine) && declared(machine) === "Running" ? undefined : "It does not run.")),
  },
  {
    id: "edit",
    title: "Edit",
    needs: "edit",
    fits: () => true,
    against: (object) => made(object, "edit"),
  },
  {
    id: "pause",
    title: "Pause its jobs",
    needs: "pause",
    fits: (object) => !isPaused(object),
    against: () => undefined,
  },
  { id: "resume", title: "Resume its jobs", needs: "pause", fits: isPaused, against: () => undefined },
  {
    id: "delete",
    title: "Delete…",
    icon: "trash",
    danger: true,
    needs: "delete",
    fits: (object) => !isDeleting(object),
    against: (object) => {
      const { deletionProtection } = object.spec as { deletionProtection?: boolean };
      return deletionProtection ? "It is protected from deletion." : made(object, "delete");
    },
  },
  {
    id: "confirm-delete",
    title: "Confirm the deletion…",
    danger: true,
    needs: "confirmDelete",
    fits: (object) => isDeleting(object) && statusOf(object).deletionBatch !== undefined,
    against: () => undefined,
  },
  {
    id: "orphan",
    title: "Leave its things on the host…",
    danger: true,
    needs: "orphan",
    fits: (object) => isDeleting(object) && object.metadata.annotations?.[annotations.forceOrphan] !== "true",
    against: () => undefined,
  },
];

/** What goes on while the object goes. */
const whileDeleting: ReadonlySet<ActionId> = new Set(["confirm-delete", "orphan", "pause", "resume"]);

/** Everything that is to be offered for an object in its state; what can't be done says why. */
export const offeredFor = (object: Resource, refused: Refused): readonly Offered[] =>
  known
    .filter(({ fits }) => fits(object))
    .map(({ needs, against, fits: _, ...shown }) => ({
      ...shown,
      reason: reasonOf(object, shown.id, { needs, against, refused }),
    }));

const reasonOf = (
  object: Resource,
  id: ActionId,
  { needs, against, refused }: Pick<Known, "needs" | "against"> & { readonly refused: Refused },
): string | undefined => {
  if (isDeleting(object) && !whileDeleting.has(id)) return "It is being deleted.";
  return refused(needs) ?? against(object);
};

/** What can be done to several objects together, and to which of them. */
export interface OfferedToSome extends Offered {
  readonly objects: readonly Resource[];
}

const together: ReadonlySet<ActionId> = new Set([
  "approve",
  "start",
  "shutdown",
  "turnOff",
  "save",
  "restart",
  "pause",
  "resume",
  "delete",
]);

/** What can be done to several at once: offered where at least one of them allows it. */
export const offeredForAll = (objects: readonly Resource[], refused: Refused): readonly OfferedToSome[] => {
  const each = objects.map((object) => ({ object, offers: offeredFor(object, refused) }));
  return known
    .filter(({ id }) => together.has(id))
    .flatMap(({ id }) => {
      const found = each.flatMap(({ object, offers }) => {
        const offer = offers.find((one) => one.id === id);
        return offer ? [{ object, offer }] : [];
      });
      const [first] = found;
      if (!first) return [];
      const able = found.filter(({ offer }) => offer.reason === undefined).map(({ object }) => object);
      const reason = able.length > 0 ? undefined : first.offer.reason;
      return [{ ...first.offer, title: `${first.offer.title} (${able.length})`, reason, objects: able }];
    });
};
