import { withDeclaredAddresses } from "../guest/agent.ts";
import { fnv } from "./hash.ts";
import { samePath } from "./paths.ts";
import type { Adapter, ContentOs, DiskFile, Drive, Vm } from "./types.ts";
import type { World } from "./world.ts";

const templates = { Windows: "MicrosoftWindows", Linux: "MicrosoftUEFICertificateAuthority" } as const;

/** The system inside a disk: its own, or that of the parent it differs from. */
export const contentOs = (world: World, path: string): ContentOs | undefined =>
  world.chain(path).find((file: DiskFile) => file.os !== undefined)?.os;

const boots = (vm: Vm, os: ContentOs): boolean => {
  if (!os.generations.includes(vm.generation)) return false;
  return !vm.firmware?.secureBoot || vm.firmware.secureBootTemplate === templates[os.family];
};

const bootDrives = (vm: Vm): readonly Drive[] => {
  if (vm.generation === 1)
    return vm.drives.filter(
      (drive) => drive.controllerType === "IDE" && drive.controllerNumber === 0 && drive.controllerLocation === 0,
    );
  return vm.bootOrder.flatMap((entry) =>
    entry.type === "Disk"
      ? vm.drives.filter(
          (drive) =>
            drive.controllerNumber === entry.controllerNumber && drive.controllerLocation === entry.controllerLocation,
        )
      : [],
  );
};

/** The drive that the machine boots from, and the system it finds there; undefined when nothing boots. */
export const bootDrive = (world: World, vm: Vm): { readonly drive: Drive; readonly os: ContentOs } | undefined => {
  for (const drive of bootDrives(vm)) {
    const os = contentOs(world, drive.path);
    if (os && boots(vm, os)) return { drive, os };
  }
  return undefined;
};

/** Whether a running machine would suffer from the loss of this drive: it is the one it booted from (or the first it tried). */
export const isBootDrive = (world: World, vm: Vm, path: string): boolean => {
  const drive = bootDrive(world, vm)?.drive ?? bootDrives(vm)[0];
  return drive !== undefined && samePath(drive.path, path);
};

/** The address that the network's DHCP server gives to this MAC address; the same every time. */
export const dhcpAddress = (world: World, adapter: Adapter): readonly string[] => {
  const network = world.switches().find((one) => one.id === adapter.switchId);
  if (!network || network.type === "Private") return [];
  const subnet = 10 + (fnv(network.name) % 200);
  return [`192.168.${subnet}.${10 + (fnv(adapter.macAddress) % 240)}`];
};

const hostname = (vm: Vm, os: ContentOs): string => {
  const name =
    vm.name
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, "-")
      .replaceAll(/^-+|-+$/g, "") || "guest";
  return os.family === "Windows" ? name.toUpperCase().slice(0, 15) : name.slice(0, 63);
};

/** What the machine says of itself once its guest is up. */
export const guestUp = (world: World, vm: Vm): Partial<Vm> => {
  const os = bootDrive(world, vm)?.os;
  if (!os || vm.hung) return {};
  const heartbeat = vm.integrationServices.heartbeat ? "OK" : "Disabled";
  if (!vm.integrationServices.keyValuePairExchange) return { heartbeat };
  const adapters = vm.adapters.map((adapter) => ({ ...adapter, ipAddresses: [...dhcpAddress(world, adapter)] }));
  const ipAddresses = adapters.flatMap((adapter) => adapter.ipAddresses);
  const configured = vm.guestAgent?.vmId === vm.id ? vm.guestAgent.configured : {};
  const name = configured["hostname"] ?? hostname(vm, os);
  const guest = { osName: os.name, osVersion: os.version, hostname: name, ipAddresses };
  const up = withDeclaredAddresses({ ...vm, adapters, guest }, configured);
  return { heartbeat, adapters: up.adapters, guest: up.guest ?? guest };
};

/** Addresses follow a change of a running guest's adapters. */
export const withAddresses = (world: World, vm: Vm): Partial<Vm> => (vm.guest ? guestUp(world, vm) : {});

/** Whether the shutdown service answers. */
export const obeysShutdown = (world: World, vm: Vm): boolean =>
  vm.integrationServices.shutdown && !vm.hung && vm.heartbeat === "OK" && bootDrive(world, vm) !== undefined;
