import type { BootEntry } from "../../../../src/protocol/generated/types.ts";
import type { Vm } from "../types.ts";

/** Boot order of generation 1: classes of devices, as Set-VMBios has them by default. */
const CLASSES: BootEntry[] = [{ type: "DVD" }, { type: "Disk" }, { type: "NetworkAdapter" }, { type: "Other" }];

const SERVICES: Vm["integrationServices"] = {
  guestServiceInterface: false,
  heartbeat: true,
  keyValuePairExchange: true,
  shutdown: true,
  timeSynchronization: true,
  vss: true,
};

/** A machine as New-VM makes it on a server, its default adapter already named. Generation 1 has a DVD drive at IDE 1:0. */
export const newVm = (made: { id: string; adapterId: string; name: string; generation: 1 | 2; path: string }): Vm => ({
  id: made.id,
  name: made.name,
  notes: "",
  generation: made.generation,
  version: "12.0",
  state: "Off",
  path: made.path,
  cpu: {
    count: 1,
    reservePercent: 0,
    limitPercent: 100,
    relativeWeight: 100,
    exposeVirtualizationExtensions: false,
    compatibilityMode: false,
  },
  memory: { startupBytes: 512 * 2 ** 20, weight: 5000 },
  ...(made.generation === 2 ? { firmware: { secureBoot: true, secureBootTemplate: "MicrosoftWindows" as const } } : {}),
  tpm: false,
  integrationServices: SERVICES,
  automaticStartAction: "StartIfRunning",
  automaticStopAction: "Save",
  automaticStartDelaySeconds: 0,
  checkpointType: "Production",
  automaticCheckpoints: false,
  bootOrder: made.generation === 2 ? [{ type: "NetworkAdapter", adapterId: made.adapterId }] : CLASSES,
  drives: [],
  dvdDrives: made.generation === 1 ? [{ controllerType: "IDE", controllerNumber: 1, controllerLocation: 0 }] : [],
  adapters: [
    {
      id: made.adapterId,
      name: "Network Adapter",
      macAddress: "000000000000",
      dynamicMac: true,
      legacy: false,
      vlan: { mode: "Untagged" },
      macSpoofing: false,
      dhcpGuard: false,
      routerGuard: false,
      bandwidth: {},
      ipAddresses: [],
    },
  ],
  checkpoints: [],
  merging: false,
  heartbeat: "NoContact",
  replica: false,
  clustered: false,
  scsiControllers: 1,
  keyProtector: false,
  due: [],
  hung: false,
  kvpHost: {},
  kvpGuest: {},
});
