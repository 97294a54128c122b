import type { Owner } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import type { Job } from "../job.ts";
import { fileName, join, samePath, TRASH_FOLDER } from "../paths.ts";
import type { DiskFile, TrashManifest } from "../types.ts";
import { bareManifests, MANIFEST } from "../views.ts";
import type { World } from "../world.ts";

interface Disposal {
  readonly owner: Owner;
  readonly retentionSeconds: number;
  /** See TrashManifest. */
  readonly withdrawn?: string;
  /** Throws when the file must stay, at the very moment that it would go. */
  readonly check: (world: World, file: DiskFile) => void;
}

/** Puts a disk's file, with what lies beside it, into the trash of its own volume; its manifest comes first. */
export const intoTrash = async (
  job: Job,
  file: DiskFile,
  { owner, retentionSeconds, withdrawn, check }: Disposal,
): Promise<void> => {
  const volume = job.read((world) => world.volumeOf(file.path)) ?? fail("HyperVError", `${file.path} is on no volume`);
  const folder = join(volume.root, TRASH_FOLDER, job.id);
  const manifest: TrashManifest = {
    originalPath: file.path,
    owner,
    diskId: file.diskId,
    deletedAt: job.time(),
    purgeAt: new Date(job.now() + retentionSeconds * 1000).toISOString(),
    ...(withdrawn === undefined ? {} : { withdrawn }),
  };
  await job.effect("manifest", (world) => {
    // Of an earlier, interrupted delete of the same file, or of one that was restored.
    for (const left of bareManifests(world))
      if (left.manifest.owner.uid === owner.uid && samePath(left.manifest.originalPath, file.path))
        world.removeFile(left.path);
    world.putText(join(folder, MANIFEST), manifest);
  });
  await job.effect("trashed", (world) => {
    check(world, world.knownDisk(file.path));
    world.renameFile(file.path, join(folder, fileName(file.path)));
  });
  job.touchedTrash.add(join(folder, fileName(file.path)));
};
