/** What a fold changed: who has to look again. All empty when nothing differed from what was known. */
export interface SnapshotChange {
  readonly vmIds: ReadonlySet<string>;
  /** Files and trash items, as the host spells them. */
  readonly paths: ReadonlySet<string>;
  /** Uids of the objects concerned: of stamps, of file names, of files held by a changed machine; before and after. */
  readonly uids: ReadonlySet<string>;
  /** The host's own state, or a thing that carries no uid of this control plane, differs. */
  readonly host: boolean;
  /** Part of the answer was set aside (older than a job's observation, or a removal in a part that could not be read): ask again without a digest. */
  readonly again: boolean;
}

/** A change being put together. */
export interface Changing {
  readonly vmIds: Set<string>;
  readonly paths: Set<string>;
  readonly uids: Set<string>;
  host: boolean;
  again: boolean;
}

export const nothingYet = (): Changing => ({
  vmIds: new Set(),
  paths: new Set(),
  uids: new Set(),
  host: false,
  again: false,
});

/** Whether a fold changed anything at all. */
export const changedAnything = (change: SnapshotChange): boolean =>
  change.host || change.vmIds.size + change.paths.size + change.uids.size > 0;
