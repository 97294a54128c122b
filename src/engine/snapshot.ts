import type { Delta, DiskState, HostState, InventoryData, TrashItem, VmState } from "../protocol/generated/types.ts";
import { deepEqual } from "./equal.ts";
import { PathMap, PathSet, pathKey, samePath } from "./paths.ts";
import type { Attachment, SnapshotView } from "./ports.ts";
import { isFile, missingFrom, touchedBy, usablePart } from "./snapshotAnswer.ts";
import { changedAnything, nothingYet, type Changing, type SnapshotChange } from "./snapshotChange.ts";
import { SnapshotIndex, stampedName, validStampUid } from "./snapshotIndex.ts";

export { changedAnything, type SnapshotChange } from "./snapshotChange.ts";

/** A snapshot as plain data, for tests and for copies. */
export interface PlainSnapshot {
  readonly controlPlaneId: string;
  readonly observedAt: Date;
  readonly complete: boolean;
  readonly inventories: number;
  readonly unknownParts: readonly string[];
  readonly unknownIds: readonly string[];
  readonly host?: HostState;
  readonly vms: readonly VmState[];
  readonly disks: readonly DiskState[];
  readonly trash: readonly TrashItem[];
}

const each = <T>(items: readonly T[] | undefined, act: (item: T) => void): void => {
  for (const item of items ?? []) act(item);
};

/**
 * What is known of one host. `fold` takes what jobs observed, `foldInventory` what host.inventory answered; both keep
 * the indexes. An answer that began before a job's observation never overwrites it: see `mark`.
 */
export class HostSnapshot implements SnapshotView {
  readonly controlPlaneId: string;
  readonly vms = new Map<string, VmState>();
  readonly disks = new PathMap<DiskState>();
  readonly trash = new PathMap<TrashItem>();
  readonly unknownIds = new PathSet();
  unknownParts: ReadonlySet<string> = new Set();
  observedAt = new Date(0);
  complete = false;
  inventories = 0;
  version = 0;
  host?: HostState;
  readonly #index: SnapshotIndex;
  /** Complete inventories when the present row of them began. */
  #rowStart = 0;
  /** Machine id -> complete inventories when it was last known to be there. */
  readonly #lastSeen = new Map<string, number>();
  /** Counts job folds; for `mark`. */
  #folds = 0;
  /** Machine id or comparable path -> the job fold that touched it last. */
  readonly #touched = new Map<string, number>();

  constructor(controlPlaneId: string) {
    this.controlPlaneId = controlPlaneId;
    this.#index = new SnapshotIndex(controlPlaneId);
  }

  static from(plain: PlainSnapshot): HostSnapshot {
    const made = new HostSnapshot(plain.controlPlaneId);
    const observed: Delta = {
      vms: { upsert: [...plain.vms], unknown: [] },
      disks: { upsert: [...plain.disks] },
      trash: { upsert: [...plain.trash] },
      ...(plain.host && { host: plain.host }),
    };
    made.fold(observed, { at: plain.observedAt });
    made.#touched.clear();
    for (const id of plain.unknownIds) made.unknownIds.add(id);
    made.unknownParts = new Set(plain.unknownParts);
    made.complete = plain.complete;
    made.inventories = plain.inventories;
    return made;
  }

  /** States are shared with this snapshot, not copied: they are never changed in place. */
  plain(): PlainSnapshot {
    return {
      controlPlaneId: this.controlPlaneId,
      observedAt: this.observedAt,
      complete: this.complete,
      inventories: this.inventories,
      unknownParts: [...this.unknownParts],
      unknownIds: [...this.unknownIds],
      ...(this.host && { host: this.host }),
      vms: [...this.vms.values()],
      disks: [...this.disks.values()],
      trash: [...this.trash.values()],
    };
  }

  /** An independent snapshot with the same content and counts. */
  copy(): HostSnapshot {
    const made = HostSnapshot.from(this.plain());
    made.#rowStart = this.#rowStart;
    for (const [id, seen] of this.#lastSeen) made.#lastSeen.set(id, seen);
    return made;
  }

  vmsOf(uid: string): readonly VmState[] {
    return this.#vmsIn(this.#index.vmsByUid.of(uid));
  }

  vmsNamed(namespace: string, name: string): readonly VmState[] {
    return this.#vmsIn(this.#index.vmsByName.of(stampedName({ namespace, name })));
  }

  macs(): Iterable<string> {
    return this.#index.vmsByMac.keys();
  }

  disksOf(uid: string): readonly DiskState[] {
    return this.#disksIn(this.#index.disksByUid.of(uid));
  }

  diskById(diskId: string): readonly DiskState[] {
    return this.#disksIn(this.#index.disksById.of(diskId.toLowerCase()));
  }

  holders(path: string): readonly Attachment[] {
    const key = pathKey(path);
    return this.#vmsIn(this.#index.vmsByPath.of(key)).flatMap((vm) =>
      vm.disks
        .filter((disk) => [disk.path, disk.file, ...disk.chain].some((held) => pathKey(held) === key))
        .map((disk) => ({ vm, disk })),
    );
  }

  vmsWithMac(mac: string): readonly VmState[] {
    return this.#vmsIn(this.#index.vmsByMac.of(mac));
  }

  children(path: string): readonly DiskState[] {
    return this.#disksIn(this.#index.disksByParent.of(pathKey(path)));
  }

  absentFor(vmId: string): number {
    if (this.vms.has(vmId) || this.unknownIds.has(vmId)) return 0;
    return this.inventories - Math.max(this.#rowStart, this.#lastSeen.get(vmId) ?? 0);
  }

  /** Taken when an inventory is sent off, given to foldInventory with its answer. */
  mark(): number {
    return this.#folds;
  }

  /** Takes in what a job observed. */
  fold(observed: Delta, { at }: { readonly at: Date }): SnapshotChange {
    this.#folds += 1;
    const change = nothingYet();
    for (const id of touchedBy(observed)) this.#touched.set(id, this.#folds);
    this.#apply(observed, change);
    if (at > this.observedAt) this.observedAt = at;
    return this.#versioned(change);
  }

  /**
   * Takes in an inventory's answer. `mark` is what mark() gave when the question was sent: what jobs observed since then stays.
   * Missing things are removed only by a full and complete answer.
   */
  foldInventory(data: InventoryData, at: Date, mark: number = this.#folds): SnapshotChange {
    const change = nothingYet();
    const newer = new Set([...this.#touched].filter(([, fold]) => fold > mark).map(([id]) => id));
    const parts = new Set<string>(data.unknown.map(({ part }) => part));
    const complete = data.complete && parts.size === 0;
    if (!complete) this.#breakRow();
    const { delta, again } = usablePart(data.observed, newer, parts);
    change.again = again;
    this.#apply(delta, change);
    if (data.full) this.#apply(missingFrom(data.observed, this, { newer, parts, complete }), change);
    if (complete !== this.complete || !deepEqual([...parts].sort(), [...this.unknownParts].sort())) change.host = true;
    if (complete) this.inventories += 1;
    this.complete = complete;
    this.unknownParts = parts;
    this.observedAt = at;
    for (const [id, fold] of this.#touched) if (fold <= mark) this.#touched.delete(id);
    return this.#versioned(change);
  }

  #versioned(change: SnapshotChange): SnapshotChange {
    if (changedAnything(change)) this.version += 1;
    return change;
  }

  /** An incomplete inventory proves no absence: the row of complete ones begins anew. */
  #breakRow(): void {
    this.#rowStart = this.inventories;
    this.#lastSeen.clear();
  }

  #apply({ vms, disks, trash, host }: Delta, change: Changing): void {
    each(vms?.upsert, (vm) => this.#putVm(vm, change));
    each(vms?.remove, (id) => this.#dropVm(id, change));
    each(disks?.upsert, (disk) => this.#putDisk(disk, change));
    each(disks?.remove, (path) => this.#dropDisk(path, change));
    each(trash?.upsert, (item) => this.#putTrash(item, change));
    each(trash?.remove, (path) => this.#dropTrash(path, change));
    each(vms?.unknown, (id) => this.#doubt(id, change));
    each(disks?.unknown, (path) => this.#doubt(path, change));
    if (!host || deepEqual(host, this.host)) return;
    this.host = host;
    change.host = true;
  }

  #putVm(vm: VmState, change: Changing): void {
    const before = this.vms.get(vm.id);
    const doubted = this.unknownIds.delete(vm.id);
    if (before && !doubted && deepEqual(before, vm)) return;
    this.#noteVm(before, change);
    if (before) this.#index.removeVm(before);
    this.vms.set(vm.id, vm);
    this.#index.addVm(vm);
    this.#noteVm(vm, change);
    this.#refreshDisks(vm, change);
  }

  /** A machine tells the identifier of a file that could not be opened by itself. */
  #refreshDisks(vm: VmState, change: Changing): void {
    for (const { path, diskId } of vm.disks) {
      const disk = diskId === undefined ? undefined : this.disks.get(path);
      if (disk && disk.diskId === undefined) this.#putDisk(disk, change);
    }
  }

  #dropVm(id: string, change: Changing): void {
    const before = this.vms.get(id);
    const doubted = this.unknownIds.delete(id);
    if (!before && !doubted) return;
    change.vmIds.add(id);
    this.#lastSeen.set(id, this.inventories);
    this.#noteVm(before, change);
    if (before) this.#index.removeVm(before);
    this.vms.delete(id);
  }

  #putDisk(told: DiskState, change: Changing): void {
    const disk = this.#identified(told);
    const before = this.disks.get(disk.path);
    const doubted = this.unknownIds.delete(disk.path);
    if (before && !doubted && deepEqual(before, disk)) return;
    this.#noteDisk(before, change);
    if (before) this.#index.removeDisk(before);
    this.disks.set(disk.path, disk);
    this.#index.addDisk(disk);
    this.#noteDisk(disk, change);
  }

  #identified(disk: DiskState): DiskState {
    if (disk.diskId !== undefined) return disk;
    const diskId = this.holders(disk.path).find((held) => samePath(held.disk.path, disk.path))?.disk.diskId;
    return diskId === undefined ? disk : { ...disk, diskId };
  }

  #dropDisk(path: string, change: Changing): void {
    const before = this.disks.get(path);
    const doubted = this.unknownIds.delete(path);
    if (!before && !doubted) return;
    change.paths.add(path);
    this.#noteDisk(before, change);
    if (before) this.#index.removeDisk(before);
    this.disks.delete(path);
  }

  #putTrash(item: TrashItem, change: Changing): void {
    if (deepEqual(this.trash.get(item.path), item)) return;
    this.trash.set(item.path, item);
    change.paths.add(item.path);
    change.uids.add(item.owner.uid);
  }

  #dropTrash(path: string, change: Changing): void {
    const before = this.trash.get(path);
    if (!before) return;
    this.trash.delete(path);
    change.paths.add(path);
    change.uids.add(before.owner.uid);
  }

  #doubt(id: string, change: Changing): void {
    if (this.unknownIds.has(id)) return;
    this.unknownIds.add(id);
    (isFile(id) ? change.paths : change.vmIds).add(id);
    this.#noteVm(this.vms.get(id), change);
    this.#noteDisk(this.disks.get(id), change);
  }

  /** Whom a machine's change concerns: its owner, and the owners of the files it holds. */
  #noteVm(vm: VmState | undefined, change: Changing): void {
    if (!vm) return;
    change.vmIds.add(vm.id);
    if (vm.stamp) change.uids.add(vm.stamp.uid);
    if (validStampUid(vm, this.controlPlaneId) === undefined) change.host = true;
    for (const disk of vm.disks) for (const path of [disk.path, ...disk.chain]) this.#noteOwner(path, change);
  }

  #noteOwner(path: string, change: Changing): void {
    const uid = this.disks.get(path)?.uid;
    if (uid !== undefined) change.uids.add(uid);
  }

  #noteDisk(disk: DiskState | undefined, change: Changing): void {
    if (!disk) return;
    change.paths.add(disk.path);
    if (disk.uid === undefined) change.host = true;
    else change.uids.add(disk.uid);
    if (disk.parentPath !== undefined) this.#noteOwner(disk.parentPath, change);
  }

  #vmsIn(ids: Iterable<string>): readonly VmState[] {
    return presentIn(this.vms, ids);
  }

  #disksIn(paths: Iterable<string>): readonly DiskState[] {
    return presentIn(this.disks, paths);
  }
}

const presentIn = <T>(all: ReadonlyMap<string, T>, ids: Iterable<string>): readonly T[] => {
  const found: T[] = [];
  for (const id of ids) {
    const one = all.get(id);
    if (one !== undefined) found.push(one);
  }
  return found;
};
