import { bareMac } from "../../../controllers/networkadapter/mac.ts";
import { annotations } from "../../api/annotations.ts";
import type { NetworkAdapter, VirtualDisk, VirtualMachine } from "../../api/generated/types.ts";
import { bytesOf } from "../../api/quantity.ts";
import { keyOf, keyText, type Resource } from "../../api/resource.ts";
import { findCondition, hasStatus } from "../../engine/conditions.ts";
import type { Blocked, Decision, GuestSources, Objects } from "../../engine/ports.ts";
import { compareConfigurations, secretParts, type SettingChange } from "../../guest/compare.ts";
import { derive, type DraftLine } from "../../guest/derive.ts";
import type { PlannedGuest, PlannedSetting } from "../../server/control.ts";

/** Objects, with the adapters among them by their machine. */
export interface Ground {
  readonly objects: Objects;
  readonly adapters: ReadonlyMap<string, readonly NetworkAdapter[]>;
}

export const groundOf = (objects: Objects): Ground => {
  const all = objects.list("NetworkAdapter") as readonly NetworkAdapter[];
  const machineOf = (one: NetworkAdapter): string =>
    keyText({ ...keyOf(one), kind: "VirtualMachine", name: one.spec.virtualMachine });
  const staying = all.filter((one) => !isGoing(one)).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return { objects, adapters: Map.groupBy(staying, machineOf) };
};

/** What a plan tells of a guest: what changes in it, or why it gets no configuration. */
export type GuestPlan =
  | { readonly at: "planned"; readonly guest: PlannedGuest }
  | { readonly at: "refused"; readonly blocked: { readonly reason: string; readonly message: string } };

export interface GuestPlanInput {
  /** As it would be. */
  readonly vm: VirtualMachine;
  /** As it is stored; undefined for a new one. */
  readonly before: VirtualMachine | undefined;
  readonly decision: Decision;
  readonly drafts: Ground;
  readonly stored: Ground;
}

/** What the edits make of a machine's guest configuration: both derivations side by side, no Secret read. Pure. */
export const planGuest = (input: GuestPlanInput): GuestPlan | undefined => {
  const { vm, before } = input;
  const { guest } = vm.spec;
  if (isGoing(vm) || isObserved(input) || !(guest ?? before?.spec.guest)) return undefined;
  const made = isMade(input);
  const sources = { had: before && sourcesOf(before, input.stored), wants: sourcesOf(vm, input.drafts) };
  if (before && !made && before.spec === vm.spec && isSame(sources.had, sources.wants)) return undefined;
  if (!guest) return dropped(input);
  const [had, wants] = sized(sources.had, sources.wants);
  const after = derive(vm, wants);
  const earlier = before && had && derive(before, had);
  if (after?.at !== "derived") return refused(after, earlier);
  const old = !made && earlier?.at === "derived" ? earlier.lines : undefined;
  return planned(input, old, after.lines);
};

/** Refused before in the same words: the edits change nothing about it. */
const refused = (after: Blocked | undefined, before: ReturnType<typeof derive>): GuestPlan | undefined => {
  if (!after || (before?.at === after.at && before.message === after.message)) return undefined;
  return { at: "refused", blocked: { reason: after.reason, message: after.message } };
};

const dropped = ({ vm }: GuestPlanInput): GuestPlan => ({
  at: "planned",
  guest: { at: "Dropped", meaning: "no longer configured: it stays as it is", when: whenOf(vm, vm), settings: [] },
});

const planned = (
  { vm, before }: GuestPlanInput,
  old: readonly DraftLine[] | undefined,
  lines: readonly DraftLine[],
): GuestPlan | undefined => {
  const changes = compareConfigurations(old, lines);
  if (changes.length === 0) return undefined;
  const when = whenOf(vm, before);
  const settings = changes.map((change) => settingOf(change, when));
  const first = old === undefined;
  const meaning = first ? firstMeaning(vm, when, changes) : whenWords[when];
  return { at: "planned", guest: { at: first ? "First" : "Change", meaning, when, settings } };
};

const firstMeaning = (vm: VirtualMachine, when: PlannedGuest["when"], changes: readonly SettingChange[]): string => {
  const isNew = when === "NextStart" && vm.status?.firstStartedAt === undefined;
  const words = isNew ? "at its first start" : whenWords[when];
  return `configured ${words}${changes.some(({ effect }) => effect === "Restart") ? ", with a restart" : ""}`;
};

const whenWords: Readonly<Record<PlannedGuest["when"], string>> = {
  Now: "in the running guest",
  NextStart: "at its next start",
  AgentReports: "when the guest agent reports",
  KeyApproved: "once the guest's new key is approved",
  Resumed: "once the pause of the object ends",
  Adopted: "once its adoption is approved",
};

const settingOf = ({ name, effect, note }: SettingChange, when: PlannedGuest["when"]): PlannedSetting => ({
  name,
  effect,
  meaning: [effectWords(effect, when), note].filter((one) => one !== undefined).join("; "),
});

const effectWords = (effect: SettingChange["effect"], when: PlannedGuest["when"]): string => {
  switch (effect) {
    case "Apply":
      return `applied ${whenWords[when]}`;
    case "Restart":
      return when === "Now" ? "restarts the guest" : `restarts the guest, ${whenWords[when]}`;
    case "RunAgain":
      return "runs again: it does with every new configuration";
    case "Leave":
      return "no longer configured: stays in the guest as it is";
    case "Unknown":
      return "comes from a Secret: whether its value changes can't be told";
    default:
      return effect satisfies never;
  }
};

const isGoing = (resource: Resource): boolean => resource.metadata.deletionTimestamp !== undefined;

/** Nothing is configured in a machine that is only looked at. One whose adoption awaits approval is told of. */
const isObserved = ({ vm, drafts }: GuestPlanInput): boolean => {
  const name = vm.metadata.annotations?.[annotations.host] ?? vm.spec.host ?? "";
  const host = drafts.objects.get({ kind: "VMHost", namespace: "", name });
  return [vm, host].some(
    (one) => (one?.spec as { managementPolicy?: string } | undefined)?.managementPolicy === "Observe",
  );
};

/** It is not there yet, or made anew: its guest has nothing of what is stored. */
const isMade = ({ before, decision }: GuestPlanInput): boolean =>
  !before || decision.plan.some(({ operation }) => operation === "vm.create");

/** When the guest takes a configuration: as the machine is, and as it is declared. */
const whenOf = (vm: VirtualMachine, before: VirtualMachine | undefined): PlannedGuest["when"] => {
  const { powerState, id, guest } = vm.status ?? {};
  if (vm.metadata.annotations?.[annotations.paused] === "true") return "Resumed";
  if (vm.spec.adopt && !hasStatus(vm.status?.conditions, "Adopted", "True")) return "Adopted";
  if (powerState !== "Running" || (vm.spec.powerState ?? "Running") !== "Running") return "NextStart";
  // The plan's own status tells nothing of the guest.
  const { reason } = findCondition(before?.status?.conditions, "GuestConfigured") ?? {};
  if (reason === "KeyChanged") return "KeyApproved";
  const heard = guest?.keyFingerprint !== undefined && guest.vmId === id;
  return heard && reason !== "KvpSilent" ? "Now" : "AgentReports";
};

/** As controllers/virtualmachine gathers them on a host, but of what is declared: devices that are not made yet are in it. */
const sourcesOf = (vm: VirtualMachine, ground: Ground): GuestSources => {
  const own = ground.adapters.get(keyText(keyOf(vm))) ?? [];
  const adapters = own.map((object) => ({ object, macAddress: macOf(object) }));
  const boot = vm.spec.boot?.order.find(({ type }) => type === "Disk")?.name;
  if (boot === undefined) return { adapters };
  const disk = ground.objects.get({ ...keyOf(vm), kind: "VirtualDisk", name: boot }) as VirtualDisk | undefined;
  return { adapters, rootDiskBytes: sizeOf(disk) };
};

/** The settings of a machine's guest that get values of these Secrets. */
export const fedBy = (
  vm: VirtualMachine,
  ground: Ground,
  secrets: ReadonlySet<string>,
): { readonly secrets: readonly string[]; readonly settings: readonly string[] } => {
  const derived = secrets.size > 0 ? derive(vm, sourcesOf(vm, ground)) : undefined;
  const parts = derived?.at === "derived" ? secretParts(derived.lines).filter(({ secret }) => secrets.has(secret)) : [];
  return {
    secrets: [...new Set(parts.map(({ secret }) => secret))],
    settings: [...new Set(parts.map(({ name }) => name))],
  };
};

/** An address that a host will give is as good as any other: it is the same on both sides. */
const macOf = ({ spec, status, metadata }: NetworkAdapter): string => {
  const mac = spec.macAddress ?? status?.macAddress;
  return mac === undefined ? `address of ${metadata.name}` : bareMac(mac);
};

const sizeOf = (disk: VirtualDisk | undefined): number | undefined =>
  disk?.spec.size === undefined ? disk?.status?.size : bytesOf(disk.spec.size);

/** A size that one side does not know is no difference. */
const sized = (
  had: GuestSources | undefined,
  wants: GuestSources,
): readonly [GuestSources | undefined, GuestSources] =>
  had?.rootDiskBytes === undefined || wants.rootDiskBytes === undefined
    ? [had && { adapters: had.adapters }, { adapters: wants.adapters }]
    : [had, wants];

/** Nothing was edited: what a plan only decides about leaves the spec itself as it was. */
const isSame = (had: GuestSources | undefined, wants: GuestSources): boolean =>
  had !== undefined &&
  had.rootDiskBytes === wants.rootDiskBytes &&
  had.adapters.length === wants.adapters.length &&
  wants.adapters.every((one, at) => {
    const other = had.adapters[at];
    return other !== undefined && other.object.spec === one.object.spec && other.macAddress === one.macAddress;
  });
