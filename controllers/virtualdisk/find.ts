import { isUnder, samePath } from "../../src/engine/paths.ts";
import type { Attachment, SnapshotView } from "../../src/engine/ports.ts";
import type { VirtualDisk } from "../../src/api/generated/types.ts";
import type { DiskState, TrashItem } from "../../src/protocol/generated/types.ts";
import { namespaceOf } from "../shared/objects.ts";
import type { Scene } from "./scene.ts";
import { wasProvisioned } from "./scene.ts";

/** A file on the host, and what holds it. */
export interface File {
  readonly state: DiskState;
  /** Machines that have it as their disk, checkpoints of theirs included. */
  readonly attachments: readonly Attachment[];
  /** Files that differ from it, checkpoints apart. */
  readonly children: readonly DiskState[];
  /** Checkpoints' files that no machine has: what a machine that vanished left behind. */
  readonly leftover: readonly DiskState[];
  /** The disk's other file, of a move that was cut off. */
  readonly twin?: Twin;
}

/** Of two files of a disk, the one that goes to the trash once the host has found that both are alike. */
interface Twin {
  readonly file: File;
  /** Of the file that stays. */
  readonly storageClass: string;
}

export type Found =
  | { readonly at: "absent" }
  | { readonly at: "present"; readonly file: File }
  | { readonly at: "unknown"; readonly message: string }
  | { readonly at: "ambiguous"; readonly message: string }
  /** It was there once. */
  | { readonly at: "missing"; readonly message: string }
  /** A file of this name whose uid no object has. */
  | { readonly at: "lost"; readonly path: string; readonly uid: string }
  /** A file of this name that another control plane made, or this one before it lost its identity. */
  | { readonly at: "foreign"; readonly path: string; readonly controlPlaneId: string };

/** The disk's file: by the uid in its name, else by the identifier pinned in status; a File by its path until then. */
export const find = (scene: Scene): Found => {
  const { disk, snapshot, world, hostName } = scene;
  const all = matching(disk, snapshot);
  const cut = cutMove(scene, all);
  const matches = cut ? [cut.told] : all;
  if (matches.length > 1) {
    const paths = matches.map(({ path }) => path).join(", ");
    return {
      at: "ambiguous",
      message: `Several files on host ${hostName} are this disk by name or identifier: ${paths}`,
    };
  }
  const [state] = matches;
  if (snapshot.unknownParts.has("disks") || (state && snapshot.unknownIds.has(state.path)))
    return { at: "unknown", message: `Files of host ${hostName} could not be read.` };
  const lost = lostOne({ disk, snapshot, world });
  // A restored object: its status pins the file, whose name carries the uid that the object had before.
  if (state && lost && "path" in lost && samePath(lost.path, state.path)) return lost;
  if (state) return { at: "present", file: { ...fileOf(state, snapshot), ...(cut && { twin: cut.twin }) } };
  if (!snapshot.complete) return { at: "unknown", message: `Host ${hostName} has not told yet all that it holds.` };
  if (wasProvisioned(disk)) return { at: "missing", message: missingText(disk, snapshot) };
  return lost ?? { at: "absent" };
};

/**
 * Two files that a move left which was cut off between its copy and putting the original away; no machine has either. The one that stays lies
 * where the spec wants the disk, be it the copy or, the edit taken back, the original; else, in a third class by now, it is the one that
 * the status tells. The other one goes by a move to the place of the first: the host compares both, and refuses when they differ.
 */
const cutMove = (
  scene: Scene,
  files: readonly DiskState[],
): { readonly told: DiskState; readonly twin: Twin } | undefined => {
  const { disk, snapshot } = scene;
  const [one, two, ...more] = files;
  if (!one || !two || more.length > 0) return undefined;
  const alike = one.diskId === two.diskId && one.uid === two.uid && one.size === two.size;
  if (!alike || files.some(({ path }) => snapshot.holders(path).length > 0)) return undefined;
  // Taken over from a copy made by hand, each is of another object, whatever their identifiers say.
  if (files.some(({ sidecar }) => sidecar !== undefined && sidecar.uid !== disk.metadata.uid)) return undefined;
  const recorded = files.find(({ path }) => samePath(path, disk.status?.path ?? ""));
  const stays = stayingOf(scene, files, recorded);
  const goes = stays === one ? two : one;
  const storageClass = stays && classOfMoved(scene, stays, goes);
  const told = recorded ?? goes;
  // The copy lies where a move makes one; what somebody copied elsewhere is not cleared away.
  const isMoves = classOfMoved(scene, told === one ? two : one, told) !== undefined;
  if (storageClass === undefined || !isMoves) return undefined;
  return { told, twin: { file: fileOf(goes, snapshot), storageClass } };
};

const wantedClass = ({ disk: { spec, status } }: Scene): string | undefined =>
  spec.storageClass ?? status?.storageClass;

const stayingOf = (
  scene: Scene,
  files: readonly DiskState[],
  recorded: DiskState | undefined,
): DiskState | undefined => {
  const wanted = files.filter(({ path }) => classesAt(scene, path).some((name) => name === wantedClass(scene)));
  if (wanted.length === 0) return recorded;
  return wanted.length === 1 ? wanted[0] : undefined;
};

/** The class in which the file lies just where a move of the other one puts it. */
const classOfMoved = (scene: Scene, { path }: DiskState, other: DiskState): string | undefined => {
  const name = other.path.slice(other.path.lastIndexOf("\\") + 1);
  const isItsPlace = (folder: string): boolean => samePath(path, `${folder}\\${namespaceOf(scene.disk)}\\${name}`);
  const classes = (scene.host.spec.storageClasses ?? []).filter((one) => isItsPlace(one.path));
  return (classes.find((one) => one.name === wantedClass(scene)) ?? classes[0])?.name;
};

const fileOf = (state: DiskState, snapshot: SnapshotView): File => {
  const based = snapshot.children(state.path);
  const free = based.filter(({ path }) => isCheckpoint(path) && snapshot.holders(path).length === 0);
  return {
    state,
    attachments: snapshot.holders(state.path).filter(({ disk }) => samePath(disk.file, state.path)),
    children: based.filter(({ path }) => !isCheckpoint(path)),
    leftover: free.flatMap((one) => [one, ...below(one, snapshot, 64)]),
  };
};

/** Checkpoints' files based on this one, however deep; `depth` ends a circle. */
const below = ({ path }: DiskState, snapshot: SnapshotView, depth: number): readonly DiskState[] =>
  depth === 0 ? [] : snapshot.children(path).flatMap((one) => [one, ...below(one, snapshot, depth - 1)]);

/**
 * The file to attach: the disk's own, or the leaf that its machine had when it vanished. That is the one file that nothing is based on
 * and whose parents are those last seen; undefined when it can't be told.
 */
export const leafOf = ({ state, leftover }: File, { disk }: Pick<Scene, "disk">): DiskState | undefined => {
  if (leftover.length === 0) return state;
  const all = [state, ...leftover];
  const ends = leftover.filter((one) => !leftover.some(({ parentPath = "" }) => samePath(parentPath, one.path)));
  const seen = disk.status?.parents ?? [];
  const [leaf, ...more] = ends.filter((one) => {
    const parents = parentsOf(one, all);
    return parents.every((path, at) => samePath(path, seen[at] ?? ""));
  });
  return more.length === 0 ? leaf : undefined;
};

/** Paths of the chain, from the nearest parent to the root, as far as the files are known. */
const parentsOf = ({ parentPath }: DiskState, all: readonly DiskState[]): readonly string[] => {
  if (parentPath === undefined) return [];
  const rest = all.filter(({ path }) => !samePath(path, parentPath));
  const parent = all.find(({ path }) => samePath(path, parentPath));
  return [parentPath, ...(parent ? parentsOf(parent, rest) : [])];
};

/** A checkpoint's own file, which its machine's chain shows. */
const isCheckpoint = (path: string): boolean => /\.avhdx?$/i.test(path);

/** A clone being written has its source's identifier until it is finished. */
const isPartial = (path: string): boolean => /\.partial\.vhdx?$/i.test(path);

const matching = (disk: VirtualDisk, snapshot: SnapshotView): readonly DiskState[] => {
  const { uid } = disk.metadata;
  const id = disk.status?.id;
  const all = [...snapshot.disksOf(uid), ...(id === undefined ? [] : snapshot.diskById(id))];
  const own = all.filter(({ path }) => !isCheckpoint(path) && !isPartial(path));
  if (own.length === 0 && !wasProvisioned(disk)) return hinted(disk, snapshot);
  return own.filter((one, at) => own.findIndex((other) => samePath(other.path, one.path)) === at);
};

/** Files taken over: their names don't tell, so their sidecars do, until the identifier is pinned. */
const hinted = (disk: VirtualDisk, snapshot: SnapshotView): readonly DiskState[] =>
  [...snapshot.disks.values()].filter(
    ({ sidecar, diskId }) => sidecar?.uid === disk.metadata.uid && (diskId === undefined || diskId === sidecar.diskId),
  );

/** The disk's file in the host's trash: what went there last. What a move put away before is older. */
export const trashOf = (disk: VirtualDisk, snapshot: SnapshotView): TrashItem | undefined =>
  [...snapshot.trash.values()]
    .filter(({ owner }) => owner.uid === disk.metadata.uid)
    .toSorted((a, b) => Date.parse(b.deletedAt) - Date.parse(a.deletedAt))[0];

const missingText = (disk: VirtualDisk, snapshot: SnapshotView): string => {
  const trashed = trashOf(disk, snapshot);
  const { path } = disk.status ?? {};
  return trashed
    ? `The file lies in the trash at ${trashed.path}; bring it back with aetherv restore.`
    : `The file ${path ?? "of this disk"} is gone from the host. It is not made again, as its content would be lost: put it back, or delete this object.`;
};

/** A file `<namespace>\<name>.<uid>` with a sidecar whose uid no object has: of a lost store, or of another control plane. */
const lostOne = ({ disk, snapshot, world }: Pick<Scene, "disk" | "snapshot" | "world">): Found | undefined => {
  const folder = new RegExp(`\\\\${escaped(namespaceOf(disk))}\\\\${escaped(disk.metadata.name)}\\.[^\\\\]+$`, "i");
  const lost = [...snapshot.disks.values()].find(
    ({ path, uid, sidecar }) =>
      uid !== undefined &&
      uid !== disk.metadata.uid &&
      folder.test(path) &&
      sidecar?.uid === uid &&
      !world.objects.list("VirtualDisk").some(({ metadata }) => metadata.uid === uid),
  );
  if (lost?.uid === undefined) return undefined;
  const { controlPlaneId = world.controlPlaneId } = lost.sidecar ?? {};
  const { path, uid } = lost;
  return controlPlaneId === world.controlPlaneId ? { at: "lost", path, uid } : { at: "foreign", path, controlPlaneId };
};

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The storage class of the host in whose folder a file lies; the innermost where they nest. */
export const classesAt = ({ host }: Pick<Scene, "host">, path: string): readonly string[] => {
  const around = (host.spec.storageClasses ?? []).filter((one) => isUnder(path, one.path));
  const longest = Math.max(0, ...around.map((one) => one.path.length));
  return around.filter((one) => one.path.length === longest).map(({ name }) => name);
};
