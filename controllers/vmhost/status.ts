import type { VMHost } from "../../src/api/generated/types.ts";
import type { HostView, SnapshotView, World } from "../../src/engine/ports.ts";
import type { HostState } from "../../src/protocol/generated/types.ts";
import { samePath } from "../../src/engine/paths.ts";
import { compact } from "../shared/objects.ts";
import { allocatedOn } from "./allocated.ts";
import { isMachine, isOurs, orphansOf } from "./orphans.ts";
import { steadySize } from "./sizes.ts";

type Status = NonNullable<VMHost["status"]>;
const most = 256;

/** The part of a host's status that tells what it is and holds; what was not told now stays as it was. */
export const contentsOf = (host: VMHost, world: World, view: HostView): Partial<Status> => {
  const before = host.status ?? {};
  const { snapshot } = view;
  const inventory = snapshot && snapshot.inventories > 0 ? inventoryStatus(host, world, snapshot) : {};
  return { ...agentStatus(view), ...stateStatus(host, snapshot?.host, before), ...inventory };
};

const agentStatus = ({ agent }: HostView): Partial<Status> =>
  agent
    ? {
        agent: compact({
          version: agent.version,
          sha256: agent.sha256,
          powershell: agent.platform.powershell,
        }) as NonNullable<Status["agent"]>,
      }
    : {};

const stateStatus = (host: VMHost, state: HostState | undefined, before: Status): Partial<Status> => {
  if (!state) return {};
  return compact({
    os: state.os,
    cluster: state.cluster,
    capabilities: {
      maximumCpuCount: state.capabilities.maximumVmProcessors,
      maximumMemory: state.capabilities.maximumVmMemoryBytes,
      tpm: state.capabilities.tpm,
    },
    capacity: {
      cpu: state.cpu.logicalProcessors,
      memory: state.memory.totalBytes,
      storage: storageOf(host, state).map(({ name, totalBytes, freeBytes }) => ({
        name,
        size: totalBytes,
        free: steadySize(before.capacity?.storage?.find((one) => one.name === name)?.free, freeBytes),
      })),
    },
    images: state.images.slice(0, most).map(({ name, path, format, size, fileSize }) => ({
      name: format === "ISO" ? `${name}.iso` : name,
      path,
      size,
      fileSize,
    })),
    switches: state.switches.map(({ name, type, bandwidthMode }) => ({ name, type, bandwidthMode })),
  }) as Partial<Status>;
};

interface ClassStorage {
  readonly name: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly provisionedBytes: number;
}

/** The volume behind each storage class, in the order of the spec; classes whose folder is not known are left out. */
const storageOf = (host: VMHost, state: HostState): readonly ClassStorage[] =>
  (host.spec.storageClasses ?? []).flatMap(({ name, path }) => {
    const volume = state.storage.find((one) => samePath(one.path, path));
    return volume ? [{ name, ...volume }] : [];
  });

const inventoryStatus = (host: VMHost, world: World, snapshot: SnapshotView): Partial<Status> => {
  const before = host.status ?? {};
  const states = [...snapshot.vms.values()];
  const unmanaged = states.filter((state) => !isOurs(state, world) && !state.replica);
  // Only a complete look may take something off the list of orphans.
  const orphans = snapshot.complete ? orphansOf(snapshot, world, before.orphans) : (before.orphans ?? []);
  const truncated = unmanaged.length > most || orphans.length > most || (snapshot.host?.images.length ?? 0) > most;
  return compact({
    allocated: allocatedStatus(host, world, snapshot),
    virtualMachines: {
      managed: states.filter((state) => isOurs(state, world) && isMachine(world, state.stamp?.uid)).length,
      unmanaged: unmanaged.length,
    },
    unmanaged: unmanaged
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, most)
      .map(({ id, name, state, cpu, memory }) => ({
        id,
        name,
        powerState: state === "Off" ? "Stopped" : state,
        cpu: cpu.count,
        memory: memory.startupBytes,
      })),
    orphans: orphans.slice(0, most),
    truncated: truncated || undefined,
  }) as Partial<Status>;
};

const allocatedStatus = (host: VMHost, world: World, snapshot: SnapshotView): NonNullable<Status["allocated"]> => {
  const before = host.status?.allocated?.storage;
  const storage = snapshot.host ? storageOf(host, snapshot.host) : [];
  return {
    ...allocatedOn(host, world, snapshot),
    storage: storage.map(({ name, provisionedBytes }) => ({
      name,
      provisioned: steadySize(before?.find((one) => one.name === name)?.provisioned, provisionedBytes),
    })),
  };
};
