import type { Delta } from "../protocol/generated/types.ts";
import { pathKey } from "./paths.ts";
import type { SnapshotView } from "./ports.ts";

/** Paths have a separator, machine ids have none. */
export const isFile = (id: string): boolean => /[\\/]/.test(id);

/** Machine ids and comparable paths that an observation speaks of. */
export const touchedBy = ({ vms, disks, trash }: Delta): readonly string[] => [
  ...(vms?.upsert ?? []).map((vm) => vm.id),
  ...(vms?.remove ?? []),
  ...(vms?.unknown ?? []),
  ...[...(disks?.upsert ?? []), ...(trash?.upsert ?? [])].map((item) => pathKey(item.path)),
  ...[...(disks?.remove ?? []), ...(disks?.unknown ?? []), ...(trash?.remove ?? [])].map(pathKey),
];

/**
 * The part of an inventory's answer that may be taken in: without what jobs observed later (`newer`: machine ids and comparable
 * paths), and with removals inside parts that could not be read turned to unknown. `again`: something was set aside.
 */
export const usablePart = (
  observed: Delta,
  newer: ReadonlySet<string>,
  parts: ReadonlySet<string>,
): { readonly delta: Delta; readonly again: boolean } => {
  const { vms, disks, trash, host } = observed;
  const doubts = (part: string, removed: readonly string[] = []): readonly string[] => (parts.has(part) ? removed : []);
  const vmDoubts = doubts("vms", vms?.remove);
  const diskDoubts = doubts("disks", disks?.remove);
  const fresh = (id: string): boolean => !newer.has(id);
  const freshPath = (path: string): boolean => !newer.has(pathKey(path));
  const sure = (part: string, removed: readonly string[] = []): string[] => (parts.has(part) ? [] : [...removed]);
  const delta: Delta = {
    vms: {
      upsert: (vms?.upsert ?? []).filter((vm) => fresh(vm.id)),
      remove: sure("vms", vms?.remove).filter(fresh),
      unknown: [...(vms?.unknown ?? []), ...vmDoubts].filter(fresh),
    },
    disks: {
      upsert: (disks?.upsert ?? []).filter((disk) => freshPath(disk.path)),
      remove: sure("disks", disks?.remove).filter(freshPath),
      unknown: [...(disks?.unknown ?? []), ...diskDoubts].filter(freshPath),
    },
    trash: {
      upsert: (trash?.upsert ?? []).filter((item) => freshPath(item.path)),
      remove: sure("trash", trash?.remove).filter(freshPath),
    },
    ...(host && { host }),
  };
  const setAside = touchedBy(observed).some((id) => newer.has(id));
  const doubted = vmDoubts.length + diskDoubts.length + doubts("trash", trash?.remove).length > 0;
  return { delta, again: setAside || doubted };
};

interface Reading {
  readonly newer: ReadonlySet<string>;
  readonly parts: ReadonlySet<string>;
  readonly complete: boolean;
}

/**
 * What a full answer lacks of the things known: gone when the answer is complete, unknown when only the part itself could be read,
 * untouched when not even that.
 */
export const missingFrom = (observed: Delta, known: SnapshotView, { newer, parts, complete }: Reading): Delta => {
  const missing = (part: string, ids: readonly string[], listed: readonly string[]): string[] => {
    const present = new Set(listed.map(pathKey));
    const lacking = (id: string): boolean => !present.has(pathKey(id)) && !newer.has(isFile(id) ? pathKey(id) : id);
    return parts.has(part) ? [] : ids.filter(lacking);
  };
  const { vms, disks, trash } = observed;
  const unknown = [...known.unknownIds];
  const vmIds = missing(
    "vms",
    [...known.vms.keys(), ...unknown.filter((id) => !isFile(id))],
    [...(vms?.upsert ?? []).map((vm) => vm.id), ...(vms?.unknown ?? [])],
  );
  const paths = missing(
    "disks",
    [...known.disks.keys(), ...unknown.filter(isFile)],
    [...(disks?.upsert ?? []).map((disk) => disk.path), ...(disks?.unknown ?? [])],
  );
  if (!complete) return { vms: { unknown: vmIds }, disks: { unknown: paths } };
  const listedTrash = (trash?.upsert ?? []).map((item) => item.path);
  return {
    vms: { remove: vmIds },
    disks: { remove: paths },
    trash: { remove: missing("trash", [...known.trash.keys()], listedTrash) },
  };
};
