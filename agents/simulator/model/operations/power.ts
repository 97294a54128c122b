import type { ShutdownMode } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import { refuseBusy, refuseUnusable, requireMemory, requireSpace } from "../guards.ts";
import { bootDrive, obeysShutdown } from "../guest.ts";
import type { Answer, Job } from "../job.ts";
import { freeMacs } from "../macs.ts";
import { ownedVm } from "../ownership.ts";
import { nextDue, stopped } from "../settle.ts";
import type { Due, Vm } from "../types.ts";
import type { World } from "../world.ts";

type PowerJob = Job<"vm.power"> | Job<"vm.restart">;

const POLL_MS = 500;
const DEFAULT_TIMEOUT_SECONDS = 900;

/** Waits until the machine has one of the states; false when the time is over. */
const until = async (job: Job, vmId: string, states: readonly Vm["state"][], deadline: number): Promise<boolean> => {
  if (job.dryRun) return true;
  for (;;) {
    job.settle();
    const vm = job.read((world) => world.knownVm(vmId));
    if (states.includes(vm.state)) return true;
    const now = job.now();
    if (now >= deadline) return false;
    await job.wait(Math.max(1, Math.min(nextDue(vm) ?? now + POLL_MS, now + POLL_MS, deadline) - now));
  }
};

const dynamicMacs = (world: World, vm: Vm): Vm["adapters"] => {
  const free = freeMacs(world, []);
  return vm.adapters.map((adapter) =>
    adapter.dynamicMac && adapter.macAddress === "000000000000"
      ? { ...adapter, macAddress: free.next().value ?? adapter.macAddress }
      : adapter,
  );
};

const startPatch = (job: Job, world: World, vm: Vm, resumed: boolean): Partial<Vm> => {
  requireMemory(world, vm, vm.memory.startupBytes);
  for (const { path } of vm.drives) refuseUnusable(world, path);
  const at = job.after(job.latency.startMs);
  // Read after the other: a guest is never up before its machine runs.
  const upAt = job.after(job.latency.startMs + job.latency.bootMs);
  const up: Due[] = bootDrive(world, vm) && !resumed ? [{ at: upAt, what: "GuestUp" }] : [];
  return {
    state: resumed ? "Resuming" : "Starting",
    ...(resumed && vm.startedAt ? {} : { startedAt: job.time() }),
    memory: { ...vm.memory, assignedBytes: vm.memory.startupBytes },
    adapters: dynamicMacs(world, vm),
    due: [...vm.due, { at, what: "Running" }, ...(resumed ? [{ at, what: "GuestUp" } as const] : up)],
  };
};

const start = async (job: Job, vmId: string): Promise<void> => {
  await job.effect("starting", (world) => {
    world.changeVm(vmId, (vm) => {
      refuseBusy(vm);
      if (vm.state === "Paused") {
        const at = job.after(0);
        return { state: "Resuming", due: [...vm.due, { at, what: "Running" }, { at, what: "GuestUp" }] };
      }
      return startPatch(job, world, vm, vm.state === "Saved");
    });
  });
  await until(job, vmId, ["Running"], Number.POSITIVE_INFINITY);
};

const turnOff = async (job: Job, vmId: string): Promise<void> => {
  await job.effect("turnedOff", (world) => {
    world.putVm(stopped(world.knownVm(vmId)));
  });
};

const timeoutOf = (job: PowerJob): number => (job.spec.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000;

/** Asks the guest to shut down. "silent" when nobody answers there, "late" when it did not end in time. */
const shutDown = async (job: PowerJob, vmId: string): Promise<"off" | "silent" | "late"> => {
  const obeys = job.read((world) => obeysShutdown(world, world.knownVm(vmId)));
  if (!obeys) return "silent";
  await job.effect("shuttingDown", (world) => {
    const at = job.after(job.latency.stopMs);
    world.changeVm(vmId, (vm) => ({
      state: "Stopping",
      due: [...vm.due.filter((one) => one.what === "Merged"), { at, what: "Off" }],
    }));
  });
  return (await until(job, vmId, ["Off"], job.now() + timeoutOf(job))) ? "off" : "late";
};

const stop = async (job: PowerJob, vmId: string, mode: ShutdownMode): Promise<void> => {
  const vm = job.read((world) => world.knownVm(vmId));
  if (mode !== "TurnOff" && vm.state === "Paused")
    fail("InvalidPowerState", `${vm.name} is Paused; resume it before a graceful stop`);
  if (mode === "TurnOff") return turnOff(job, vmId);
  const end = await shutDown(job, vmId);
  if (end === "off") return;
  if (mode === "GracefulThenTurnOff") {
    job.log(
      "warn",
      `${vm.name} did not shut down (${end === "silent" ? "no answer from the guest" : "too slow"}); turning it off`,
    );
    return turnOff(job, vmId);
  }
  fail(
    "GuestNotReady",
    end === "silent"
      ? `the integration services of ${vm.name} do not answer (heartbeat ${vm.heartbeat})`
      : `${vm.name} did not shut down within ${timeoutOf(job) / 1000} s`,
  );
};

const suspend = async (job: Job, vmId: string, to: "Saved" | "Paused"): Promise<void> => {
  await job.effect(to === "Saved" ? "saving" : "pausing", (world) => {
    world.changeVm(vmId, (vm) => {
      refuseBusy(vm);
      if (to === "Saved") requireSpace(world, vm.path, vm.memory.assignedBytes ?? vm.memory.startupBytes);
      const at = job.after(to === "Saved" ? job.latency.saveMs : 0);
      return { state: to === "Saved" ? "Saving" : "Pausing", due: [...vm.due, { at, what: to }] };
    });
  });
  await until(job, vmId, [to], Number.POSITIVE_INFINITY);
};

/** A transition that an earlier, interrupted job began towards the wanted state is waited for, not refused. */
const TOWARDS: Readonly<Record<"Running" | "Off" | "Saved" | "Paused", readonly Vm["state"][]>> = {
  Running: ["Starting", "Resuming"],
  Off: ["Stopping"],
  Saved: ["Saving"],
  Paused: ["Pausing"],
};

const impossible = (vm: Vm, to: string): never =>
  fail("InvalidPowerState", `${vm.name} is ${vm.state}; it can't become ${to} from there`);

const begin = async (job: Job<"vm.power">, vm: Vm): Promise<void> => {
  const { state: to, mode = "Graceful" } = job.spec;
  switch (to) {
    case "Running":
      return start(job, vm.id);
    case "Off":
      // A saved state is never discarded unasked: it equals pulling the plug.
      if (vm.state === "Saved" && mode !== "TurnOff")
        fail("InvalidPowerState", `${vm.name} is Saved; start it, or turn it off to discard its state`);
      return stop(job, vm.id, mode);
    case "Saved":
      return vm.state === "Off" ? impossible(vm, to) : suspend(job, vm.id, to);
    case "Paused":
      return vm.state === "Running" ? suspend(job, vm.id, to) : impossible(vm, to);
    default:
      return to satisfies never;
  }
};

export const power = async (job: Job<"vm.power">): Promise<Answer> => {
  const { owner, vmId, state } = job.spec;
  let vm = job.read((world) => ownedVm(world, job.controlPlane, owner, vmId));
  job.read((world) => job.touchVmAndDisks(world, vmId));
  if (vm.state !== state && TOWARDS[state].includes(vm.state)) {
    await until(job, vmId, [state], job.now() + POLL_MS * 20);
    vm = job.read((world) => world.knownVm(vmId));
  }
  if (vm.state === state) return {};
  refuseBusy(vm);
  await begin(job, vm);
  return {};
};

export const restart = async (job: Job<"vm.restart">): Promise<Answer> => {
  const { owner, vmId, mode = "Graceful" } = job.spec;
  const vm = job.read((world) => ownedVm(world, job.controlPlane, owner, vmId));
  job.read((world) => job.touchVmAndDisks(world, vmId));
  refuseBusy(vm);
  if (vm.state === "Saved" || vm.state === "Paused") impossible(vm, "restarted");
  if (vm.state === "Running") await stop(job, vmId, mode);
  await start(job, vmId);
  return {};
};
