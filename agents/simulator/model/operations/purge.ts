import type { Job } from "../job.ts";
import { folderOf, isPartial, isTrash, join, TRASH_FOLDER } from "../paths.ts";
import { bareManifests, manifestOf } from "../views.ts";
import type { World } from "../world.ts";

const DAY_MS = 24 * 3600 * 1000;
/** How often the time of the last purge is noted. */
const NOTE_MS = 3600 * 1000;

interface PurgeClock {
  /** Of the last look, milliseconds since 1970. */
  readonly seenAt: number;
  /** After a jump of the clock nothing is purged before then. */
  readonly notBefore: number;
}

const expired = (world: World, now: number): readonly string[] =>
  world
    .disks()
    .filter((file) => isTrash(file.path))
    .filter((file) => Date.parse(manifestOf(world, file.path)?.purgeAt ?? "9999-12-31T00:00:00Z") <= now)
    .map((file) => file.path);

/** Partial copies whose job is gone, told by their correlation id. */
const abandoned = (world: World): readonly string[] => {
  const running = world.runs().map((run) => run.correlation_id);
  return world
    .disks()
    .filter((file) => isPartial(file.path) && !running.some((id) => file.path.includes(`.${id}.`)))
    .map((file) => file.path);
};

/** A jump of more than a day (a wrong clock) defers the purge by a day, so that nobody loses a disk to it. */
const nextClock = (before: PurgeClock | undefined, now: number): PurgeClock => {
  if (before && Math.abs(now - before.seenAt) > DAY_MS) return { seenAt: now, notBefore: now + DAY_MS };
  return { seenAt: now, notBefore: before?.notBefore ?? 0 };
};

/** A disk of the trash, with what lies beside it. */
export const removeTrash = (world: World, path: string): void => {
  const folder = folderOf(path);
  world.removeDisk(path);
  world.removeFile(join(folder, "manifest.json"));
};

/** Removes what lay in the trash long enough. Part of each inventory; writes nothing while there is no trash. */
export const purge = async (job: Job<"host.inventory">): Promise<void> => {
  const now = job.now();
  const { clock, hasTrash } = job.read((world) => ({
    clock: world.tx.get("purge:clock") as PurgeClock | undefined,
    hasTrash: world.files().some((file) => isTrash(file.path) || isPartial(file.path)),
  }));
  if (!hasTrash || job.dryRun || job.isStale()) return;
  const next = nextClock(clock, now);
  if (!clock || next.notBefore !== clock.notBefore || now - clock.seenAt > NOTE_MS)
    await job.effect("purgeClock", (world) => world.tx.put("purge:clock", next));
  if (now < next.notBefore) return;
  for (const path of job.read((world) => expired(world, now))) {
    await job.effect("purged", (world) => removeTrash(world, path));
    job.log("info", `purged ${path} from ${TRASH_FOLDER}`);
  }
  const bare = job.read((world) => bareManifests(world).filter((one) => Date.parse(one.manifest.purgeAt) <= now));
  if (bare.length > 0)
    await job.effect("purged", (world) => {
      for (const { path } of bare) world.removeFile(path);
    });
  const leftovers = job.read(abandoned);
  if (leftovers.length === 0) return;
  const first = job.read((world) => (world.tx.get("purge:partials") as { at: number } | undefined)?.at);
  if (first === undefined) return job.effect("purgeClock", (world) => world.tx.put("purge:partials", { at: now }));
  if (now - first < DAY_MS) return;
  await job.effect("purged", (world) => {
    for (const path of leftovers) world.removeFile(path);
    world.tx.delete("purge:partials");
  });
};
