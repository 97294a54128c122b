import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { condition, findCondition, merge, secondsText } from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import { shownChanges } from "../../src/engine/plan.ts";
import type { World } from "../../src/engine/ports.ts";
import type { DvdDrive, VmState } from "../../src/protocol/generated/types.ts";
import { shownJob } from "../shared/lastJob.ts";
import { compact, isPaused } from "../shared/objects.ts";
import { wantedPower } from "./desired.ts";
import { deletionPolicyOf } from "../shared/machine.ts";
import { undeclaredDevices } from "./devices.ts";
import { guestMedium } from "./dvd.ts";
import { mediumDrive } from "./medium.ts";
import { shownPower } from "./power.ts";
import type { Sight, Verdict } from "./verdict.ts";

type Status = NonNullable<VirtualMachine["status"]>;
const most = 256;

/** The whole status of a machine. What was not looked at now stays as it was last known. */
export const statusOf = (vm: VirtualMachine, world: World, verdict: Verdict, hostName: string | undefined): Status => {
  const before = vm.status ?? {};
  const seen = verdict.sight ? seenStatus(vm, world, verdict.sight) : {};
  const guest = guestStatus(verdict.guest ?? before.guest, before, verdict.sight?.state);
  const pending = verdict.pending ? shownChanges(verdict.pending) : (before.pendingChanges ?? []);
  const status = {
    ...before,
    ...seen,
    ...(verdict.absent && { powerState: undefined, ipAddresses: undefined }),
    observedGeneration: vm.metadata.generation,
    host: hostName ?? before.host,
    pendingChanges: pending.length > 0 ? pending.slice(0, most) : undefined,
    planHash: verdict.approval ? verdict.approval.planHash : before.planHash,
    approval: verdict.approval ? verdict.approval.latch : before.approval,
    deletionBatch: verdict.deletionBatch,
    guest: guest && Object.keys(guest).length > 0 ? guest : undefined,
    lastJob: shownJob(world, before.lastJob),
    truncated: pending.length > most || undefined,
    conditions: merge(before.conditions, drafts(vm, verdict, hostName), {
      now: world.now,
      generation: vm.metadata.generation,
    }),
  };
  return compact(status) as Status;
};

const seenStatus = (
  vm: VirtualMachine,
  world: World,
  { state, devices, drives }: Sight,
): { [K in keyof Status]: Status[K] | undefined } => {
  const before = vm.status ?? {};
  const same = before.id === undefined || before.id === state.id;
  const medium = mediumDrive(vm, state, drives);
  const undeclared = undeclaredDevices(state, devices, medium ? [...drives, medium] : drives);
  const addresses = state.adapters.flatMap(({ ipAddresses }) => ipAddresses).concat(state.guest?.ipAddresses ?? []);
  return {
    id: state.id,
    vmName: state.name,
    powerState: shownPower(state.state),
    startedAt: state.startedAt,
    firstStartedAt: (same ? before.firstStartedAt : undefined) ?? startOf(state, world),
    offSince: state.state === "Off" ? offSince(before, world) : before.offSince,
    effective: compact({ ...(same && before.effective), ...effective(vm, state, same ? before.effective : undefined) }),
    ipAddresses: list([...new Set(addresses)]),
    macAddresses: list(
      devices.adapters.flatMap(({ object, attached }) =>
        attached ? [{ name: object.metadata.name, macAddress: colons(attached.macAddress) }] : [],
      ),
    ),
    disks: list(diskStatus(vm, devices)),
    dvdDrives: list(drivesStatus(drives, medium)),
    undeclaredDevices: list(undeclared),
  };
};

const list = <T>(items: readonly T[]): T[] | undefined => (items.length > 0 ? items.slice(0, most) : undefined);

const startOf = (state: VmState, world: World): string | undefined =>
  state.state === "Off" ? undefined : (state.startedAt ?? secondsText(world.now));

/** The time the machine was seen off first, to the millisecond, as approvals are: kept while it stays off, and after, so that a restart is known to have happened. */
const offSince = (before: Status, world: World): string =>
  before.powerState === "Stopped" && before.offSince !== undefined ? before.offSince : world.now.toISOString();

const effective = (vm: VirtualMachine, state: VmState, before: Status["effective"]): NonNullable<Status["effective"]> =>
  compact({
    generation: state.generation,
    powerState: wantedPower(vm),
    cpuCount: state.cpu.count,
    storageClass: before?.storageClass ?? vm.spec.storageClass,
    path: state.path,
    secureBoot: state.firmware?.secureBoot,
    secureBootTemplate: state.firmware?.secureBootTemplate,
    tpm: state.tpm,
    automaticStartAction: state.automaticStartAction,
    automaticStopAction: state.automaticStopAction,
    checkpointType: state.checkpointType,
    automaticCheckpoints: state.automaticCheckpoints,
    managementPolicy: vm.spec.adopt && state.stamp?.uid !== vm.metadata.uid ? "Observe" : vm.spec.managementPolicy,
    deletionPolicy: deletionPolicyOf(vm),
  }) as NonNullable<Status["effective"]>;

const diskStatus = (vm: VirtualMachine, devices: Sight["devices"]): NonNullable<Status["disks"]> =>
  devices.disks.flatMap(({ object, attached }) => {
    if (!attached) return [];
    const name = object.metadata.name;
    const boot = vm.spec.boot?.order.some((entry) => entry.type === "Disk" && entry.name === name);
    return [
      compact({
        name,
        path: attached.path,
        id: attached.diskId,
        boot: boot || undefined,
        controller: attached.controllerType,
        controllerNumber: attached.controllerNumber,
        controllerLocation: attached.controllerLocation,
        chain: list(attached.chain.slice(1)),
      }) as NonNullable<Status["disks"]>[number],
    ];
  });

const drivesStatus = (drives: Sight["drives"], medium: DvdDrive | undefined): NonNullable<Status["dvdDrives"]> => {
  const { controllerNumber, controllerLocation } = medium ?? {};
  const own =
    controllerNumber !== undefined && controllerLocation !== undefined
      ? [{ name: guestMedium, controllerNumber, controllerLocation }]
      : [];
  return [...drives.map((one) => ({ ...one })), ...own].toSorted((a, b) => (a.name < b.name ? -1 : 1));
};

/** The configuration's part, and what the guest says of itself. */
const guestStatus = (
  configuration: Status["guest"],
  { guest: before }: Status,
  state: VmState | undefined,
): Status["guest"] => {
  if (!state?.guest) return configuration && compact({ ...configuration, os: before?.os, hostname: before?.hostname });
  const os = [state.guest.osName, state.guest.osVersion].filter(Boolean).join(" ");
  return compact({
    ...configuration,
    os: os || before?.os,
    hostname: state.guest.hostname ?? before?.hostname,
  }) as NonNullable<Status["guest"]>;
};

/** 00155D010203 as 00:15:5D:01:02:03 */
const colons = (mac: string): string => (mac.match(/../g) ?? []).join(":");

const drafts = (vm: VirtualMachine, verdict: Verdict, hostName: string | undefined): readonly ConditionDraft[] => {
  const { sight, trio, more = [] } = verdict;
  const computed = [
    ...(isPaused(vm)
      ? [condition("Paused", "True", "Paused", "The annotation aetherv.io/paused holds all jobs back.")]
      : []),
    ...more,
    scheduled(verdict, hostName),
    created(vm, sight),
    ...adopted(vm, sight),
    ...guest(vm),
  ];
  const kept = ["Synced", "PowerStateSynced", "RestartRequired"].filter(
    (type) => !sight && !computed.some((one) => one.type === type),
  );
  const last = kept.flatMap((type) => findCondition(vm.status?.conditions, type) ?? []);
  return sortConditions([
    ...trio,
    ...computed,
    ...last.map(({ type, status, reason, message }) => condition(type, status, reason, message)),
  ]);
};

const order = [
  "Ready",
  "Reconciling",
  "Stalled",
  "Paused",
  "Scheduled",
  "Created",
  "Adopted",
  "Synced",
  "PowerStateSynced",
  "RestartRequired",
  "GuestConfigured",
];

/** One condition a type, the first given, in the catalog's order. */
const sortConditions = (all: readonly ConditionDraft[]): readonly ConditionDraft[] =>
  order.flatMap((type) => all.find((one) => one.type === type) ?? []);

const scheduled = ({ trio }: Verdict, hostName: string | undefined): ConditionDraft => {
  const [ready] = trio;
  return hostName === undefined
    ? condition("Scheduled", "False", ready?.reason ?? "WaitingForHost", ready?.message ?? "")
    : condition("Scheduled", "True", "Scheduled", `On host ${hostName}.`);
};

const created = (vm: VirtualMachine, sight: Sight | undefined): ConditionDraft => {
  const last = findCondition(vm.status?.conditions, "Created");
  if (sight) return condition("Created", "True", "Created", `Machine ${sight.state.id}.`);
  return last
    ? condition("Created", last.status, last.reason, last.message)
    : condition("Created", "False", "NotCreated", "Not created yet.");
};

const adopted = (vm: VirtualMachine, sight: Sight | undefined): readonly ConditionDraft[] => {
  if (!vm.spec.adopt) return [];
  return sight?.state.stamp?.uid === vm.metadata.uid
    ? [condition("Adopted", "True", "Adopted", "The adoption was approved.")]
    : [condition("Adopted", "False", "AwaitingApproval", "Only observed until the adoption is approved.")];
};

/** What was known last of a guest that was not looked at now. */
const guest = (vm: VirtualMachine): readonly ConditionDraft[] => {
  if (!vm.spec.guest) return [];
  const last = findCondition(vm.status?.conditions, "GuestConfigured");
  return [
    last
      ? condition("GuestConfigured", last.status, last.reason, last.message)
      : condition("GuestConfigured", "False", "GuestConfigurationPending", "The machine is not there yet."),
  ];
};
