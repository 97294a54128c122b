import type { Bandwidth, NicConfig, Owner, Vlan } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import { refuseBusy, refuseSavedOrPaused, requireOff } from "../guards.ts";
import { withAddresses } from "../guest.ts";
import type { Answer, Job } from "../job.ts";
import { freeMacs } from "../macs.ts";
import { ownedVm } from "../ownership.ts";
import type { Adapter, Switch, Vm } from "../types.ts";
import type { World } from "../world.ts";
import { refreshedOrder } from "./bootOrder.ts";

export const adapterName = (owner: Owner): string => `${owner.name}.${owner.uid.slice(0, 8)}`;

const findSwitch = (world: World, name: string): Switch => {
  const names = world.switches().map((one) => one.name);
  const found = world.switches().find((one) => one.name.toLowerCase() === name.toLowerCase());
  return found ?? fail("SwitchNotFound", `no switch "${name}"; there are: ${names.join(", ") || "none"}`);
};

const NEEDED: Readonly<Record<Vlan["mode"], readonly (keyof Vlan)[]>> = {
  Untagged: [],
  Access: ["id"],
  Trunk: ["allowed", "nativeId"],
  Isolated: ["primaryId", "secondaryId"],
  Community: ["primaryId", "secondaryId"],
  Promiscuous: ["primaryId", "secondaryIds"],
};

const checkList = (field: string, text: string): void => {
  const good = text.split(",").every((part) => {
    const [from = Number.NaN, to = from] = part.split("-").map(Number);
    return /^\d+(-\d+)?$/.test(part) && from >= 1 && to <= 4094 && from <= to;
  });
  if (!good)
    fail("InvalidRequest", `vlan.${field}: expected numbers and ranges from 1 to 4094, as 1-10,20, got "${text}"`);
};

/** Each mode has exactly its own members, as Set-VMNetworkAdapterVlan has parameter sets. */
const checkVlan = (vlan: Vlan): void => {
  const needed = NEEDED[vlan.mode];
  const given = (Object.keys(vlan) as (keyof Vlan)[]).filter((field) => field !== "mode" && vlan[field] !== undefined);
  const missing = needed.filter((field) => !given.includes(field));
  const extra = given.filter((field) => !needed.includes(field));
  if (missing.length > 0) fail("InvalidRequest", `vlan: mode ${vlan.mode} needs ${missing.join(" and ")}`);
  if (extra.length > 0) fail("InvalidRequest", `vlan: mode ${vlan.mode} takes no ${extra.join(", ")}`);
  if (vlan.allowed !== undefined) checkList("allowed", vlan.allowed);
  if (vlan.secondaryIds !== undefined) checkList("secondaryIds", vlan.secondaryIds);
  if (vlan.secondaryId !== undefined && vlan.secondaryId === vlan.primaryId)
    fail("InvalidRequest", "vlan: secondaryId must differ from primaryId");
};

const checkBandwidth = (bandwidth: Bandwidth, found: Switch | undefined): void => {
  const { minimumWeight, minimumMbps } = bandwidth;
  if (minimumWeight !== undefined && minimumMbps !== undefined)
    fail("InvalidRequest", "bandwidth: minimumWeight and minimumMbps exclude each other");
  if (!found) return;
  const refuse = (field: string): never =>
    fail("InvalidRequest", `bandwidth.${field}: switch "${found.name}" reserves by ${found.bandwidthMode}`);
  if (minimumWeight !== undefined && found.bandwidthMode !== "Weight") refuse("minimumWeight");
  if (minimumMbps !== undefined && found.bandwidthMode !== "Absolute") refuse("minimumMbps");
};

const checkMac = (world: World, mac: string, ownId: string | undefined): void => {
  if (/^.[13579BDF]/.test(mac) || mac === "000000000000")
    fail("InvalidRequest", `macAddress: ${mac} is no address of one station`);
  for (const vm of world.vms())
    for (const adapter of vm.adapters)
      if (adapter.macAddress === mac && adapter.id !== ownId)
        fail("NameConflict", `macAddress: ${mac} belongs to adapter "${adapter.name}" of ${vm.name}`);
};

/** The switch that the adapter is connected to with these settings; undefined when to none. */
const switchAfter = (world: World, adapter: Adapter, set: NicConfig): Switch | undefined => {
  if (set.connected === false) return undefined;
  if (set.switchName !== undefined) return findSwitch(world, set.switchName);
  const now = world.switches().find((one) => one.id === adapter.switchId);
  if (set.connected && !now) fail("InvalidRequest", "switchName is required to connect the adapter");
  return now;
};

const withoutSwitch = ({ switchId: _switch, ...adapter }: Adapter): Adapter => adapter;

/** The adapter with the settings; throws what the host refuses. Absent settings stay as they are. */
const configured = (world: World, vm: Vm, adapter: Adapter, set: NicConfig): Adapter => {
  const found = switchAfter(world, adapter, set);
  if (set.vlan) checkVlan(set.vlan);
  if (adapter.legacy && set.vlan?.mode === "Trunk") fail("InvalidRequest", "vlan: a legacy adapter takes no trunk");
  checkBandwidth(set.bandwidth ?? adapter.bandwidth, set.bandwidth ? found : undefined);
  const { macAddress } = set;
  if (macAddress !== undefined && (macAddress !== adapter.macAddress || adapter.dynamicMac)) {
    checkMac(world, macAddress, adapter.id);
    requireOff(vm, "a static MAC address");
  }
  return {
    ...withoutSwitch(adapter),
    ...(found ? { switchId: found.id } : {}),
    ...(macAddress === undefined ? {} : { macAddress, dynamicMac: false }),
    vlan: set.vlan ?? adapter.vlan,
    macSpoofing: set.macSpoofing ?? adapter.macSpoofing,
    dhcpGuard: set.dhcpGuard ?? adapter.dhcpGuard,
    routerGuard: set.routerGuard ?? adapter.routerGuard,
    bandwidth: set.bandwidth ?? adapter.bandwidth,
  };
};

const newAdapter = (id: string, name: string, legacy: boolean, macAddress: string): Adapter => ({
  id,
  name,
  macAddress,
  dynamicMac: false,
  legacy,
  vlan: { mode: "Untagged" },
  macSpoofing: false,
  dhcpGuard: false,
  routerGuard: false,
  bandwidth: {},
  ipAddresses: [],
});

type CreateJob = Job<"nic.create">;

/** The adapter that an earlier create made, or the one to adopt. */
const findPresent = (job: CreateJob, vm: Vm): Adapter | undefined => {
  const { owner, adopt } = job.spec;
  const named = vm.adapters.filter((one) => one.name === adapterName(owner));
  if (named.length > 1)
    fail("OwnershipAmbiguous", `${vm.name} has ${named.length} adapters named ${adapterName(owner)}`);
  if (named[0] || !adopt) return named[0];
  const found = vm.adapters.find((one) => one.id === adopt.id || one.macAddress === adopt.macAddress);
  if (!found) return fail("NotFound", `${vm.name} has no adapter ${adopt.id ?? adopt.macAddress ?? ""}`);
  const mark = /^(.+)\.[0-9a-f]{8}$/.exec(found.name);
  // The same name with another uid is of a lost store: the control plane asks for it only when no object has that uid.
  if (mark && mark[1] !== owner.name) fail("OwnedByOther", `adapter "${found.name}" of ${vm.name} is another object's`);
  return found;
};

const putAdapter = (world: World, vmId: string, adapter: Adapter): void => {
  const vm = world.knownVm(vmId);
  const present = vm.adapters.some((one) => one.id === adapter.id);
  const adapters = present
    ? vm.adapters.map((one) => (one.id === adapter.id ? adapter : one))
    : [...vm.adapters, adapter];
  const next = refreshedOrder({ ...vm, adapters });
  world.putVm({ ...next, ...withAddresses(world, next) });
};

const MAXIMUM = { synthetic: 8, legacy: 4 } as const;

const checkCreate = (job: CreateJob, world: World, vm: Vm): void => {
  const legacy = job.spec.legacy === true;
  if (legacy && vm.generation === 2) fail("InvalidRequest", "legacy: a legacy adapter needs a machine of generation 1");
  refuseSavedOrPaused(vm, "adding an adapter");
  if (vm.generation === 1) requireOff(vm, "adding an adapter");
  const limit = legacy ? MAXIMUM.legacy : MAXIMUM.synthetic;
  if (vm.adapters.filter((one) => one.legacy === legacy).length >= limit)
    fail(
      "InvalidRequest",
      `${vm.name} has ${limit} ${legacy ? "legacy" : "synthetic"} adapters, the most there can be`,
    );
  const { macAddress } = job.spec.config;
  if (macAddress !== undefined) checkMac(world, macAddress, undefined);
};

const pinned = (job: CreateJob, world: World): string =>
  job.spec.config.macAddress ??
  freeMacs(world, job.spec.avoidMacs ?? []).next().value ??
  fail("HyperVError", "the host's pool of MAC addresses is used up");

const adapterId = (job: CreateJob, vm: Vm): string => `Microsoft:${vm.id.toUpperCase()}\\${job.uuid().toUpperCase()}`;

export const create = async (job: CreateJob): Promise<Answer> => {
  const { owner, vmId, vmOwner, config } = job.spec;
  const present = job.read((world) => {
    const vm = ownedVm(world, job.controlPlane, vmOwner, vmId);
    const found = findPresent(job, vm);
    if (!found) {
      checkCreate(job, world, vm);
      const { macAddress: _mac, ...rest } = config;
      configured(world, vm, newAdapter("probe", "probe", job.spec.legacy === true, "000000000000"), rest);
    }
    return found;
  });
  job.touchVm(vmId);
  if (present && present.name !== adapterName(owner))
    await job.effect("renamed", (world) => putAdapter(world, vmId, { ...present, name: adapterName(owner) }));
  const id = present?.id ?? (await added(job));
  const { macAddress: wantedMac, ...others } = config;
  // A MAC that the adapter has already needs no machine that is off.
  await configure(job, vmId, id, present && wantedMac !== undefined ? config : others);
  return job.read((world) => {
    const adapter = world.knownVm(vmId).adapters.find((one) => one.id === id);
    return { adapterId: id, macAddress: adapter?.macAddress ?? "000000000000" };
  });
};

const added = (job: CreateJob): Promise<string> =>
  job.effect("created", (world) => {
    const { owner, vmId, legacy } = job.spec;
    const vm = world.knownVm(vmId);
    checkCreate(job, world, vm);
    const id = adapterId(job, vm);
    putAdapter(world, vmId, newAdapter(id, adapterName(owner), legacy === true, pinned(job, world)));
    return id;
  });

const knownAdapter = (vm: Vm, id: string): Adapter =>
  vm.adapters.find((one) => one.id === id) ?? fail("NotFound", `${vm.name} has no adapter ${id}`);

const configure = async (job: Job, vmId: string, id: string, set: NicConfig): Promise<void> => {
  const differs = job.read((world) => {
    const vm = world.knownVm(vmId);
    const adapter = knownAdapter(vm, id);
    return JSON.stringify(sorted(configured(world, vm, adapter, set))) !== JSON.stringify(sorted(adapter));
  });
  if (!differs) return;
  await job.effect("configured", (world) => {
    const vm = world.knownVm(vmId);
    refuseBusy(vm);
    putAdapter(world, vmId, configured(world, vm, knownAdapter(vm, id), set));
  });
};

const sorted = (value: object): unknown =>
  Object.entries(value)
    .map(([key, member]: [string, unknown]): [string, unknown] => [
      key,
      typeof member === "object" && member !== null && !Array.isArray(member) ? sorted(member) : member,
    ])
    .toSorted(([a], [b]) => a.localeCompare(b));

/** The target's adapter, if it is the owner's by its name; adapters that nobody named are taken by their pinned id. */
const ownAdapter = (
  job: Job,
  world: World,
  target: { readonly owner: Owner; readonly vmId: string; readonly vmOwner: Owner; readonly adapterId: string },
): Adapter | undefined => {
  const vm = ownedVm(world, job.controlPlane, target.vmOwner, target.vmId);
  const adapter = vm.adapters.find((one) => one.id === target.adapterId);
  if (adapter && adapter.name !== adapterName(target.owner) && /\.[0-9a-f]{8}$/.test(adapter.name))
    fail("OwnedByOther", `adapter "${adapter.name}" of ${vm.name} is not ${adapterName(target.owner)}`);
  return adapter;
};

export const get = async (job: Job<"nic.get">): Promise<Answer> => {
  job.touchVm(job.spec.vmId);
  job.read((world) => ownAdapter(job, world, job.spec));
  return {};
};

export const update = async (job: Job<"nic.update">): Promise<Answer> => {
  const { owner, vmId, set, release } = job.spec;
  job.touchVm(vmId);
  const adapter = job.read((world) => {
    const vm = world.knownVm(vmId);
    refuseBusy(vm);
    return ownAdapter(job, world, job.spec) ?? fail("NotFound", `${vm.name} has no adapter ${job.spec.adapterId}`);
  });
  await configure(job, vmId, adapter.id, set);
  const name = release ? owner.name : adapterName(owner);
  if (adapter.name !== name)
    await job.effect(release ? "released" : "renamed", (world) => {
      putAdapter(world, vmId, { ...knownAdapter(world.knownVm(vmId), adapter.id), name });
    });
  return {};
};

export const remove = async (job: Job<"nic.delete">): Promise<Answer> => {
  const { vmId } = job.spec;
  job.touchVm(vmId);
  const gone = job.read((world) => {
    if (!world.vm(vmId)) return true;
    const adapter = ownAdapter(job, world, job.spec);
    if (!adapter) return true;
    const vm = world.knownVm(vmId);
    refuseSavedOrPaused(vm, "removing an adapter");
    if (vm.generation === 1) requireOff(vm, "removing an adapter");
    return false;
  });
  if (gone) return {};
  await job.effect("removed", (world) => {
    const vm = world.knownVm(vmId);
    const next = refreshedOrder({ ...vm, adapters: vm.adapters.filter((one) => one.id !== job.spec.adapterId) });
    world.putVm({ ...next, ...withAddresses(world, next) });
  });
  return {};
};
