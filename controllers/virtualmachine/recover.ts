import * as conditions from "../../src/engine/conditions.ts";
import type { PendingChange, Step } from "../../src/engine/ports.ts";
import { samePath } from "../../src/engine/paths.ts";
import { diskObject, disksOfVm, leavingDisksOfVm } from "../shared/objects.ts";
import { createFrom, creationPlan } from "./absent.ts";
import { consentTo } from "./consent.ts";
import { otherHostsMs, unknownHosts } from "./identity.ts";
import type { Scene, Verdict } from "./verdict.ts";

/** What keeps a vanished machine from being rebuilt. */
interface Obstacle {
  readonly reason: string;
  readonly message: string;
}

/**
 * A machine that was there and is not: rebuilt only when it is known to be nowhere, in two complete inventories, and when every
 * disk of it exists and nobody else holds it. From its own configuration file where that still lies there, never from an image.
 */
export const vanished = (scene: Scene, id: string): Verdict => ({ ...judged(scene, id), absent: true });

const judged = (scene: Scene, id: string): Verdict => {
  const { vm, world, snapshot, hostName } = scene;
  const plan = creationPlan(scene, id);
  if (snapshot.absentFor(id) < 2) {
    const trio = conditions.waiting("Retrying", `Machine ${id} is not on host ${hostName}; looked at once more.`);
    return { plan, trio, act: { do: "look", host: hostName } };
  }
  const unknown = unknownHosts(world);
  if (unknown.length > 0) {
    const message = `Machine ${id} is not on host ${hostName}; it is not known whether it is on ${unknown.join(", ")}.`;
    return { plan, trio: conditions.waiting("HostUnreachable", message), wakeAfterMs: otherHostsMs };
  }
  const obstacle = chainBroken(scene) ?? disksNotFree(scene);
  if (obstacle) return { plan, trio: conditions.stalled(obstacle.reason, obstacle.message) };
  const tpm = vm.status?.effective?.tpm === true || vm.spec.security?.tpm === true;
  if (!tpm && snapshot.host?.cluster === undefined) return rebuild(scene, id, plan);
  const change: PendingChange = {
    path: "status.id",
    from: id,
    to: "rebuilt",
    effect: "Disruptive",
    reason: "Vanished",
  };
  const consent = consentTo(vm, world, [change]);
  const common = { pending: consent.pending, approval: consent.approval };
  if (consent.given) return { ...common, ...rebuild(scene, id, plan) };
  const why = tpm ? "It had a TPM, whose state may be lost." : "Its host belongs to a failover cluster.";
  const message = `Machine ${id} vanished from host ${hostName}. ${why} ${consent.how}`;
  return { ...common, plan, trio: conditions.stalled(tpm ? "VanishedWithTpm" : "Vanished", message) };
};

const rebuild = (scene: Scene, id: string, plan: readonly Step[]): Verdict => ({
  ...createFrom(scene, plan, drivesLocks(scene)),
  events: [
    {
      type: "Warning",
      reason: "Vanished",
      message: `Machine ${id} vanished from host ${scene.hostName}; it is rebuilt from its disks.`,
    },
  ],
});

/**
 * Uids of the disks that the configuration left behind may name: it comes back with their drives, so none of them may be attached
 * elsewhere meanwhile.
 */
const drivesLocks = ({ vm, world }: Scene): readonly string[] => {
  const seen = (vm.status?.disks ?? []).flatMap(({ name }) => diskObject(world, vm, name) ?? []);
  const all = [...disksOfVm(world, vm), ...leavingDisksOfVm(world, vm), ...seen];
  return [...new Set(all.map(({ metadata }) => metadata.uid))];
};

/** Disks that had checkpoints when the machine was last seen: their leaf must not be passed over. */
const chainBroken = ({ vm, snapshot }: Scene): Obstacle | undefined => {
  for (const { name, path } of vm.status?.disks ?? []) {
    if (!/\.avhdx?$/i.test(path)) continue;
    // A leaf that is there is attached again by its VirtualDisk, never the file below it.
    if (!snapshot.disks.has(path))
      return {
        reason: "CheckpointChainBroken",
        message: `VirtualDisk ${name}: the leaf ${path} of its chain is missing.`,
      };
  }
  return undefined;
};

const disksNotFree = ({ vm, world, snapshot }: Scene): Obstacle | undefined => {
  for (const disk of disksOfVm(world, vm)) {
    const path = disk.status?.path;
    if (path === undefined) continue;
    const place = `VirtualDisk ${disk.metadata.name} (${path})`;
    const file = snapshot.disks.get(path);
    if (!file)
      return { reason: "Vanished", message: `The machine vanished, and ${place} is missing: nothing is rebuilt.` };
    const holder = snapshot.holders(path).find(({ disk: held }) => held.chain.some((one) => samePath(one, path)));
    if (holder)
      return {
        reason: "Vanished",
        message: `The machine vanished, and ${place} is held by ${holder.vm.name} (${holder.vm.id}).`,
      };
    if (file.busy !== undefined)
      return { reason: "Vanished", message: `The machine vanished, and ${place} is in use: ${file.busy}.` };
  }
  return undefined;
};
