import type { AttachedDisk, DiskState, HostState, Stamp, VmState } from "../../src/protocol/generated/types.ts";

const GiB = 2 ** 30;

/** A GUID that a test can tell by its number. */
export const guid = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;

export const stampOf = (vmId: string, uid: string, over: Partial<Stamp> = {}): Stamp => ({
  controlPlaneId: "cp-1",
  kind: "VirtualMachine",
  namespace: "default",
  name: "web",
  uid,
  vmId,
  ...over,
});

/** A generation 2 machine, off, of one processor and 1 GiB, without devices. */
export const vmState = (over: Partial<VmState> & Pick<VmState, "id">): VmState => ({
  name: "web",
  notes: "",
  generation: 2,
  version: "10.0",
  state: "Off",
  path: "C:\\VMs\\web",
  cpu: {
    count: 1,
    reservePercent: 0,
    limitPercent: 100,
    relativeWeight: 100,
    exposeVirtualizationExtensions: false,
    compatibilityMode: false,
  },
  memory: { startupBytes: GiB, weight: 5000 },
  firmware: { secureBoot: true, secureBootTemplate: "MicrosoftWindows" },
  tpm: false,
  integrationServices: {
    guestServiceInterface: false,
    heartbeat: true,
    keyValuePairExchange: true,
    shutdown: true,
    timeSynchronization: true,
    vss: true,
  },
  automaticStartAction: "StartIfRunning",
  automaticStopAction: "Save",
  automaticStartDelaySeconds: 0,
  checkpointType: "Production",
  automaticCheckpoints: false,
  bootOrder: [],
  disks: [],
  dvdDrives: [],
  adapters: [],
  checkpoints: [],
  merging: false,
  heartbeat: "Disabled",
  replica: false,
  clustered: false,
  ...over,
});

export const attachedDisk = (path: string, over: Partial<AttachedDisk> = {}): AttachedDisk => ({
  controllerType: "SCSI",
  controllerNumber: 0,
  controllerLocation: 0,
  path,
  file: path,
  chain: [path],
  ...over,
});

/** A dynamic VHDX of 20 GiB. */
export const diskState = (over: Partial<DiskState> & Pick<DiskState, "path">): DiskState => ({
  size: 20 * GiB,
  fileSize: 4 * 2 ** 20,
  diskType: "Dynamic",
  format: "VHDX",
  logicalSectorBytes: 512,
  readOnly: false,
  ...over,
});

/** 32 processors, 256 GiB, two volumes, two switches, two images. */
export const hostState = (over: Partial<HostState> = {}): HostState => ({
  computerName: "HV1",
  os: "Windows Server 2025",
  cpu: { logicalProcessors: 32 },
  memory: { totalBytes: 256 * GiB, availableBytes: 250 * GiB },
  storage: [
    { path: "C:\\VMs", volume: "C", totalBytes: 1024 * GiB, freeBytes: 900 * GiB, provisionedBytes: 0 },
    { path: "D:\\Disks", volume: "D", totalBytes: 4096 * GiB, freeBytes: 4000 * GiB, provisionedBytes: 0 },
  ],
  switches: [
    { id: guid(901), name: "External", type: "External", bandwidthMode: "Weight" },
    { id: guid(902), name: "Internal", type: "Internal", bandwidthMode: "None" },
  ],
  images: [
    {
      name: "debian-12",
      path: "D:\\Images\\debian-12.vhdx",
      format: "VHDX",
      size: 20 * GiB,
      fileSize: 2 * GiB,
      osFamily: "Linux",
    },
    {
      name: "windows-server-2025",
      path: "D:\\Images\\windows-server-2025.vhdx",
      format: "VHDX",
      size: 40 * GiB,
      fileSize: 9 * GiB,
      osFamily: "Windows",
    },
  ],
  capabilities: { maximumVmProcessors: 64, maximumVmMemoryBytes: 1024 * GiB, hotAddMemory: true, tpm: true },
  macPool: { minimum: "00155D010000", maximum: "00155D01FFFF" },
  ...over,
});
