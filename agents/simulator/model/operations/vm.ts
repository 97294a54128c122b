import type { VmConfig } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import { classPath, refuseBusy, refuseSavedOrPaused, requireFolder, requireOff } from "../guards.ts";
import type { Answer, Job } from "../job.ts";
import { checkClaim, findOwnedVm, ownedVm, stampedVms } from "../ownership.ts";
import { isUnder, join } from "../paths.ts";
import { readNotes, stampOf, validStamp, writeNotes } from "../stamp.ts";
import type { Drive, Vm } from "../types.ts";
import type { World } from "../world.ts";
import { refreshedOrder } from "./bootOrder.ts";
import { settingsOf, type Setting } from "./vmConfig.ts";
import { newVm } from "./vmDefaults.ts";

type CreateJob = Job<"vm.create">;

const temporaryName = (uid: string): string => `aetherv-${uid}`;

/** What an earlier, interrupted create of the same object left: by its stamp; only where none has it, the one not stamped yet. */
const findStarted = (job: CreateJob, world: World): Vm | undefined => {
  const { uid } = job.spec.owner;
  const stamped = stampedVms(world, job.controlPlane, uid);
  const found = stamped.length > 0 ? stamped : world.vms().filter((vm) => isNotStampedYet(job, vm));
  if (found.length > 1)
    fail("OwnershipAmbiguous", `${found.map((vm) => `${vm.name} (${vm.id})`).join(" and ")} both claim uid ${uid}`);
  return found[0];
};

/** As a create leaves it that was cut off before the stamp. The name alone makes nobody's machine ours. */
const isNotStampedYet = ({ spec: { owner, layout } }: CreateJob, vm: Vm): boolean => {
  const folders = [layout.virtualMachinePath, ...layout.storageClasses.map(({ path }) => path)];
  return (
    vm.name === temporaryName(owner.uid) &&
    readNotes(vm.notes).stamp === undefined &&
    isPristine(vm) &&
    vm.drives.length === 0 &&
    folders.some((folder) => isUnder(vm.path, folder))
  );
};

const refuseTakenName = (world: World, name: string, own: Vm | undefined): void => {
  const other = world.vms().find((vm) => vm.id !== own?.id && vm.name.toLowerCase() === name.toLowerCase());
  if (!other) return;
  const stamp = validStamp(other);
  if (stamp)
    fail("OwnedByOther", `the name "${other.name}" belongs to ${stamp.namespace}/${stamp.name} (uid ${stamp.uid})`);
  fail("NameConflict", `the host has a virtual machine named "${other.name}" (${other.id}) that nobody here owns`);
};

const checkGeneration = (job: CreateJob): void => {
  const { generation, config } = job.spec;
  if (generation === 1 && config.firmware) fail("InvalidRequest", "config.firmware: Secure Boot needs generation 2");
  if (generation === 1 && config.tpm) fail("InvalidRequest", "config.tpm: a TPM needs generation 2");
};

/** Linux boots only with Microsoft's UEFI certificate authority. */
const withTemplate = (job: CreateJob): VmConfig => {
  const { generation, osFamily, config } = job.spec;
  if (generation === 1 || osFamily !== "Linux" || config.firmware?.secureBootTemplate) return config;
  return { ...config, firmware: { ...config.firmware, secureBootTemplate: "MicrosoftUEFICertificateAuthority" } };
};

const madeVm = async (job: CreateJob, folder: string): Promise<Vm> => {
  const { owner, generation } = job.spec;
  const id = job.uuid();
  const adapterId = `Microsoft:${id.toUpperCase()}\\${job.uuid().toUpperCase()}`;
  const name = temporaryName(owner.uid);
  const vm = newVm({ id, adapterId, name, generation, path: join(folder, name) });
  await job.effect("created", (world) => world.putVm(vm));
  return vm;
};

/**
 * Registers the configuration that a vanished machine left behind; undefined when there is none. Drives whose files were moved or deleted
 * since, or are another machine's by now, stay away: nothing could be registered with the former, and the latter would be attached twice.
 * Their disks are attached again where they belong.
 */
const registered = async (job: CreateJob): Promise<Vm | undefined> => {
  const { recoverId } = job.spec;
  if (recoverId === undefined) return undefined;
  const file = job.read((world) => world.files().find((one) => one.type === "vmcx" && one.vm?.id === recoverId));
  if (file?.type !== "vmcx" || !file.vm) return undefined;
  const { vm } = file;
  checkClaim(vm, job.controlPlane, job.spec.owner, {});
  await job.effect("registered", (world) => {
    world.removeFile(file.path);
    const isFree = ({ path }: Drive): boolean =>
      world.chain(path).every((part) => world.holders(part.path).length === 0);
    const drives = vm.drives.filter((drive) => world.file(drive.path) !== undefined && isFree(drive));
    world.putVm(refreshedOrder({ ...vm, drives, state: "Off", due: [] }));
  });
  return vm;
};

const GROUPS: readonly Setting["group"][] = [
  "notes",
  "processor",
  "memory",
  "firmware",
  "tpm",
  "services",
  "actions",
  "boot",
  "name",
];

/** Carries the settings out, one effect a cmdlet, the name last. */
const applySettings = async (job: Job, vmId: string, settings: readonly Setting[]): Promise<void> => {
  for (const group of GROUPS) {
    const some = settings.filter((setting) => setting.group === group);
    if (some.length === 0) continue;
    if (group === "tpm") await keyProtector(job, vmId, some);
    await job.effect(group === "name" ? "renamed" : group, (world) => {
      world.changeVm(vmId, (vm) => some.reduce((now, setting) => setting.apply(now), vm));
    });
  }
};

/** A second key protector would make the TPM's state undecryptable: only where there is none. */
const keyProtector = async (job: Job, vmId: string, settings: readonly Setting[]): Promise<void> => {
  const wanted = job.read((world) => {
    const vm = world.knownVm(vmId);
    return !vm.keyProtector && settings.some((setting) => setting.apply(vm).tpm);
  });
  if (wanted) await job.effect("keyProtector", (world) => world.changeVm(vmId, () => ({ keyProtector: true })));
};

const isPristine = (vm: Vm): boolean => vm.startedAt === undefined && vm.state === "Off";

export const create = async (job: CreateJob): Promise<Answer> => {
  const { owner, layout, storageClass, config } = job.spec;
  const { found, folder } = job.read((world) => {
    checkGeneration(job);
    const started = findStarted(job, world);
    refuseTakenName(world, config.name ?? owner.name, started);
    const path =
      storageClass === undefined
        ? requireFolder(world, layout.virtualMachinePath, "InvalidRequest")
        : classPath(world, layout, storageClass);
    if (started && started.generation !== job.spec.generation)
      fail("InvalidRequest", `generation: ${started.name} has generation ${started.generation}, which never changes`);
    // Settings that the host refuses whatever the state must not leave a half-made machine.
    settingsOf(world, started ?? probe(job, path), { ...withTemplate(job), bootOrder: [] });
    return { found: started, folder: path };
  });
  const recovered = found ? undefined : await registered(job);
  const { id } = found ?? recovered ?? (await madeVm(job, folder));
  job.touchVm(id);
  await finish(job, id, recovered !== undefined);
  return { vmId: id, ...(job.spec.recoverId === undefined ? {} : { recovered: recovered !== undefined }) };
};

const probe = (job: CreateJob, path: string): Vm =>
  newVm({ id: "probe", adapterId: "probe", name: "", generation: job.spec.generation, path });

/** Stamps, configures and renames; each part is left out when it is done already. */
const finish = async (job: CreateJob, id: string, recovered: boolean): Promise<void> => {
  const { owner } = job.spec;
  const { vm, bare } = job.read((world) => ({
    vm: world.knownVm(id),
    bare: world.knownVm(id).name === temporaryName(owner.uid),
  }));
  if (!validStamp(vm))
    await job.effect("stamped", (world) => {
      world.changeVm(id, (now) => ({
        notes: writeNotes(readNotes(now.notes).notes, stampOf(job.controlPlane, owner, id)),
      }));
    });
  if (bare && vm.adapters.some((one) => one.name === "Network Adapter"))
    await job.effect("adapterRemoved", (world) => {
      world.changeVm(id, (now) => {
        const adapters = now.adapters.filter((one) => one.name !== "Network Adapter");
        const gone = now.adapters.filter((one) => !adapters.includes(one)).map((one) => one.id);
        return { adapters, bootOrder: now.bootOrder.filter((entry) => !gone.includes(entry.adapterId ?? "")) };
      });
    });
  if (recovered || !isPristine(vm)) return;
  const settings = job.read((world) =>
    settingsOf(world, world.knownVm(id), { ...withTemplate(job), name: job.spec.config.name ?? owner.name }),
  );
  await applySettings(job, id, settings);
};

export const get = async (job: Job<"vm.get">): Promise<Answer> => {
  const { owner, vmId } = job.spec;
  job.read((world) => {
    if (vmId !== undefined) job.touchVmAndDisks(world, vmId);
    for (const vm of stampedVms(world, job.controlPlane, owner.uid)) job.touchVmAndDisks(world, vm.id);
  });
  return {};
};

const isFree = (setting: Setting): boolean => setting.group === "notes";

const checkState = (vm: Vm, settings: readonly Setting[]): void => {
  const cold = settings.filter((setting) => setting.needs === "off").map((setting) => setting.field);
  const others = settings.filter((setting) => !isFree(setting)).map((setting) => setting.field);
  if (others.length > 0) refuseSavedOrPaused(vm, `changing ${others.join(", ")}`);
  if (cold.length > 0) requireOff(vm, `changing ${cold.join(", ")}`);
};

const claim = async (job: Job<"vm.update">): Promise<void> => {
  const { owner, vmId } = job.spec;
  const wanted = job.spec.claim ?? {};
  const needed = job.read((world) => {
    checkClaim(world.knownVm(vmId), job.controlPlane, owner, wanted);
    const holder = stampedVms(world, job.controlPlane, owner.uid).find((vm) => vm.id !== vmId);
    if (holder) fail("OwnershipAmbiguous", `uid ${owner.uid} is marked on ${holder.name} (${holder.id}) already`);
    return validStamp(world.knownVm(vmId))?.uid !== owner.uid;
  });
  if (!needed) return;
  await job.effect("claimed", (world) => {
    world.changeVm(vmId, (vm) => ({
      notes: writeNotes(readNotes(vm.notes).notes, stampOf(job.controlPlane, owner, vmId)),
    }));
  });
};

const release = async (job: Job<"vm.update">): Promise<void> => {
  const { owner, vmId } = job.spec;
  const bare = job.read((world) => {
    const vm = world.vm(vmId);
    return !vm || readNotes(vm.notes).stamp === undefined || !findOwnedVm(world, job.controlPlane, owner, vmId);
  });
  if (!bare)
    await job.effect("released", (world) => {
      world.changeVm(vmId, (vm) => ({ notes: readNotes(vm.notes).notes }));
    });
};

export const update = async (job: Job<"vm.update">): Promise<Answer> => {
  const { owner, vmId, set } = job.spec;
  job.touchVm(vmId);
  if (job.spec.claim) await claim(job);
  const settings = job.read((world) => {
    if (job.spec.release && Object.keys(set).length === 0) return [];
    const vm = ownedVm(world, job.controlPlane, owner, vmId);
    const changes = settingsOf(world, vm, set);
    checkState(vm, changes);
    return changes;
  });
  await applySettings(job, vmId, settings);
  if (job.spec.release) await release(job);
  return {};
};

const mergeMs = (job: Job, world: World, files: readonly string[]): number =>
  files.reduce((sum, path) => sum + ((world.disk(path)?.fileSize ?? 0) / job.latency.mergeBytesPerSecond) * 1000, 0);

/** Removes every checkpoint and waits until nothing merges. */
const removeCheckpoints = async (job: Job, vmId: string): Promise<void> => {
  for (;;) {
    const checkpoint = job.read((world) => world.vm(vmId)?.checkpoints[0]);
    if (!checkpoint) break;
    await job.effect("checkpointRemoved", (world) => {
      const at = job.after(mergeMs(job, world, checkpoint.files));
      world.changeVm(vmId, (vm) => ({
        checkpoints: vm.checkpoints.filter((one) => one.id !== checkpoint.id),
        merging: true,
        due: [...vm.due, { at, what: "Merged", files: checkpoint.files }],
      }));
    });
    job.progress(10, `merging checkpoint ${checkpoint.name}`);
  }
  await untilMerged(job, vmId);
};

const untilMerged = async (job: Job, vmId: string): Promise<void> => {
  if (job.dryRun) return;
  for (;;) {
    const due = job.read((world) => world.vm(vmId)?.due.find((one) => one.what === "Merged"));
    if (!due) return;
    await job.wait(Math.max(1, due.at - job.now()));
    job.settle();
  }
};

const refuseRunning = (vm: Vm): void => {
  const transient = vm.merging ? { ...vm, merging: false } : vm;
  requireOff(transient, "deleting it");
};

export const remove = async (job: Job<"vm.delete">): Promise<Answer> => {
  const { owner, vmId } = job.spec;
  const vm = job.read((world) => {
    job.touchVmAndDisks(world, vmId);
    const found = findOwnedVm(world, job.controlPlane, owner, vmId);
    if (found) refuseRunning(found);
    return found;
  });
  if (!vm) return {};
  await removeCheckpoints(job, vmId);
  job.read((world) => {
    const now = world.vm(vmId);
    if (now && !job.dryRun) refuseBusy(now);
    if (now) job.touchVmAndDisks(world, vmId);
  });
  await job.effect("removed", (world) => {
    const now = world.vm(vmId);
    if (now) refuseRunning(now);
    world.removeVm(vmId);
  });
  return {};
};
