import { isTrash, nameUid } from "../../agents/simulator/model/paths.ts";
import type { World } from "../../agents/simulator/model/world.ts";
import { hostSummary, type HostSummary } from "../property/hostState.ts";

/** What a host holds when all is over. Lists have each thing as often as it is there. */
export interface End {
  readonly summary: HostSummary;
  readonly machines: readonly string[];
  readonly drives: readonly string[];
  readonly adapters: readonly string[];
  /** Every disk file, those in the trash marked, by its owner's name. */
  readonly files: readonly string[];
}

/** `names`: "VirtualDisk/a" by uid, of all objects that there were. */
export const endOf = (world: World, names: ReadonlyMap<string, string>): End => {
  const named = (path: string): string => {
    const uid = nameUid(path);
    return (uid === undefined ? undefined : names.get(uid)) ?? path;
  };
  const vms = world.vms();
  return {
    summary: hostSummary(world, names),
    machines: vms.map(({ name }) => name).toSorted(),
    drives: vms.flatMap(({ name, drives }) => drives.map(({ path }) => `${name}: ${named(path)}`)).toSorted(),
    adapters: vms.flatMap(({ name, adapters }) => adapters.map(() => name)).toSorted(),
    files: world
      .disks()
      .map(({ path }) => `${isTrash(path) ? "trash: " : ""}${named(path)}`)
      .toSorted(),
  };
};
