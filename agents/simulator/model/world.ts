import { fail } from "./errors.ts";
import { COMPANIONS, fileName, isUnder, join, nameUid, pathKey, samePath, SIDECAR } from "./paths.ts";
import type { Transaction } from "./state.ts";
import type { DiskFile, Drive, Host, HostFile, Run, Switch, Vm, Volume } from "./types.ts";

/** Kinds of entries that an inventory shows. */
export const VISIBLE_KINDS = ["vm", "file", "switch", "volume", "host"] as const;

const savedState = ({ id, path, state, memory }: Vm): HostFile | undefined =>
  state === "Saved" || state === "Saving"
    ? {
        type: "text",
        path: join(path, "Virtual Machines", `${id.toUpperCase()}.vmrs`),
        fileSize: memory.assignedBytes ?? memory.startupBytes,
      }
    : undefined;

/** Typed access to the host's things inside one transaction. */
export class World {
  readonly tx: Transaction;

  constructor(tx: Transaction) {
    this.tx = tx;
  }

  host(): Host {
    const host = this.tx.get("host:self") as Host | undefined;
    return host ?? fail("InternalError", "the simulated host has no initial state");
  }

  vms(): readonly Vm[] {
    return [...this.tx.of("vm")] as Vm[];
  }

  vm(id: string): Vm | undefined {
    return this.tx.get(`vm:${id}`) as Vm | undefined;
  }

  /** The machine, which must be there. */
  knownVm(id: string): Vm {
    return this.vm(id) ?? fail("NotFound", `the host has no virtual machine ${id}`);
  }

  putVm(vm: Vm): void {
    const before = this.vm(vm.id);
    this.tx.put(`vm:${vm.id}`, vm);
    this.#keepSavedState(before, vm);
    if (before) this.#touchReleased(before, vm.drives);
  }

  changeVm(id: string, change: (vm: Vm) => Partial<Vm>): Vm {
    const vm = this.knownVm(id);
    const next = { ...vm, ...change(vm) };
    this.putVm(next);
    return next;
  }

  removeVm(id: string): void {
    const before = this.vm(id);
    this.tx.delete(`vm:${id}`);
    this.#keepSavedState(before, undefined);
    if (before) this.#touchReleased(before, []);
  }

  /** A saved machine's memory lies in a file beside its configuration, as long as it is saved. */
  #keepSavedState(before: Vm | undefined, now: Vm | undefined): void {
    const file = now && savedState(now);
    const old = before && savedState(before);
    if (old && old.path !== file?.path) this.removeFile(old.path);
    // While saving, the memory is known; when saved it is not any more.
    if (file && !this.file(file.path)) this.putFile(file);
  }

  /** Files that a machine let go look different now (no longer busy), so they count as changed. */
  #touchReleased(before: Vm, drives: readonly Drive[]): void {
    const kept = new Set(drives.map((drive) => pathKey(drive.path)));
    for (const drive of before.drives) {
      if (kept.has(pathKey(drive.path))) continue;
      for (const file of this.chain(drive.path)) this.putFile(file);
    }
  }

  files(): readonly HostFile[] {
    return [...this.tx.of("file")] as HostFile[];
  }

  disks(): readonly DiskFile[] {
    return this.files().filter((file) => file.type === "disk");
  }

  file(path: string): HostFile | undefined {
    return this.tx.get(`file:${pathKey(path)}`) as HostFile | undefined;
  }

  disk(path: string): DiskFile | undefined {
    const file = this.file(path);
    return file?.type === "disk" ? file : undefined;
  }

  knownDisk(path: string): DiskFile {
    return this.disk(path) ?? fail("NotFound", `${path} does not exist`);
  }

  putFile(file: HostFile): void {
    this.tx.put(`file:${pathKey(file.path)}`, file);
  }

  removeFile(path: string): void {
    this.tx.delete(`file:${pathKey(path)}`);
  }

  renameFile(from: string, to: string): void {
    const file = this.file(from) ?? fail("NotFound", `${from} does not exist`);
    if (this.file(to)) fail("NameConflict", `${to} exists already`);
    this.removeFile(from);
    this.putFile({ ...file, path: to });
    if (file.type === "disk")
      for (const end of COMPANIONS) if (this.file(from + end)) this.renameFile(from + end, to + end);
  }

  /** A disk's file with the files of change tracking beside it. */
  removeDisk(path: string): void {
    for (const end of ["", ...COMPANIONS]) this.removeFile(path + end);
  }

  /** The file and its parents as far as they exist, leaf first. */
  chain(path: string): readonly DiskFile[] {
    const found: DiskFile[] = [];
    let next: string | undefined = path;
    while (next !== undefined && found.length < 64) {
      const file = this.disk(next);
      if (!file) break;
      found.push(file);
      next = file.parentPath;
    }
    return found;
  }

  children(path: string): readonly DiskFile[] {
    return this.disks().filter((file) => file.parentPath !== undefined && samePath(file.parentPath, path));
  }

  /** Machines and drives whose chain holds the file. */
  holders(path: string): readonly { readonly vm: Vm; readonly drive: Drive }[] {
    return this.vms().flatMap((vm) =>
      vm.drives
        .filter(
          (drive) => samePath(drive.path, path) || this.chain(drive.path).some((file) => samePath(file.path, path)),
        )
        .map((drive) => ({ vm, drive })),
    );
  }

  sidecar(
    path: string,
  ): { readonly uid: string; readonly diskId: string; readonly controlPlaneId?: string } | undefined {
    const file = this.file(path + SIDECAR);
    if (file?.type !== "text" || file.text === undefined) return undefined;
    return JSON.parse(file.text) as { uid: string; diskId: string; controlPlaneId?: string };
  }

  putText(path: string, value: object): void {
    const text = JSON.stringify(value);
    this.putFile({ type: "text", path, fileSize: text.length, text });
  }

  /** Disk files whose name, or sidecar beside a file named otherwise, carries the uid; no trash, no partial copies. */
  disksOfUid(uid: string): readonly DiskFile[] {
    return this.disks().filter((file) => nameUid(fileName(file.path)) === uid);
  }

  switches(): readonly Switch[] {
    return [...this.tx.of("switch")] as Switch[];
  }

  putSwitch(value: Switch): void {
    this.tx.put(`switch:${value.id}`, value);
  }

  volumes(): readonly Volume[] {
    return [...this.tx.of("volume")] as Volume[];
  }

  putVolume(volume: Volume): void {
    this.tx.put(`volume:${pathKey(volume.root)}`, volume);
  }

  /** The volume of the longest mount point that the path lies under. */
  volumeOf(path: string): Volume | undefined {
    return this.volumes()
      .filter(
        (volume) => isUnder(path, volume.root) || samePath(`${path}\\`, volume.root) || samePath(path, volume.root),
      )
      .toSorted((a, b) => b.root.length - a.root.length)[0];
  }

  filesOn(volume: Volume): readonly HostFile[] {
    return this.files().filter((file) => this.volumeOf(file.path)?.root === volume.root);
  }

  freeBytes(volume: Volume): number {
    const used = this.filesOn(volume).reduce((sum, file) => sum + file.fileSize, volume.otherBytes);
    return Math.max(0, volume.totalBytes - used);
  }

  availableMemory(): number {
    const host = this.host();
    const used = this.vms().reduce((sum, vm) => sum + (vm.memory.assignedBytes ?? 0), host.reservedBytes);
    return Math.max(0, host.memoryBytes - used);
  }

  runs(): readonly Run[] {
    return [...this.tx.of("run")] as Run[];
  }
}
