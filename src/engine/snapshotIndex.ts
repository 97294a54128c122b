import type { DiskState, VmState } from "../protocol/generated/types.ts";
import { MultiIndex } from "./multiIndex.ts";
import { pathKey } from "./paths.ts";

/** The uid of a machine's stamp if the stamp counts: this control plane's, written for this very machine, no replica. */
export const validStampUid = (vm: VmState, controlPlaneId: string): string | undefined => {
  const { stamp } = vm;
  if (!stamp || vm.replica || stamp.controlPlaneId !== controlPlaneId) return undefined;
  return stamp.vmId.toLowerCase() === vm.id.toLowerCase() ? stamp.uid : undefined;
};

/** An object's name as the index by name has it. */
export const stampedName = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;

/** Every path of a machine's attached disks' chains, in comparable form, each once. */
export const heldPaths = (vm: VmState): ReadonlySet<string> =>
  new Set(vm.disks.flatMap((disk) => [disk.path, disk.file, ...disk.chain]).map(pathKey));

/** Indexes over a snapshot's machines and files, kept along each change. Machines by id, files by comparable path. */
export class SnapshotIndex {
  readonly vmsByUid = new MultiIndex<string>();
  /** By the name in the stamp: see stampedName. */
  readonly vmsByName = new MultiIndex<string>();
  readonly vmsByPath = new MultiIndex<string>();
  readonly vmsByMac = new MultiIndex<string>();
  readonly disksByUid = new MultiIndex<string>();
  readonly disksById = new MultiIndex<string>();
  readonly disksByParent = new MultiIndex<string>();
  readonly #controlPlaneId: string;

  constructor(controlPlaneId: string) {
    this.#controlPlaneId = controlPlaneId;
  }

  addVm(vm: VmState): void {
    this.#vm(vm, "add");
  }

  removeVm(vm: VmState): void {
    this.#vm(vm, "remove");
  }

  addDisk(disk: DiskState): void {
    this.#disk(disk, "add");
  }

  removeDisk(disk: DiskState): void {
    this.#disk(disk, "remove");
  }

  #vm(vm: VmState, change: "add" | "remove"): void {
    const uid = validStampUid(vm, this.#controlPlaneId);
    if (uid !== undefined) this.vmsByUid[change](uid, vm.id);
    if (uid !== undefined && vm.stamp) this.vmsByName[change](stampedName(vm.stamp), vm.id);
    for (const path of heldPaths(vm)) this.vmsByPath[change](path, vm.id);
    for (const mac of new Set(vm.adapters.map(({ macAddress }) => macAddress))) this.vmsByMac[change](mac, vm.id);
  }

  #disk(disk: DiskState, change: "add" | "remove"): void {
    const path = pathKey(disk.path);
    if (disk.uid !== undefined) this.disksByUid[change](disk.uid, path);
    if (disk.diskId !== undefined) this.disksById[change](disk.diskId.toLowerCase(), path);
    if (disk.parentPath !== undefined) this.disksByParent[change](pathKey(disk.parentPath), path);
  }
}
