import { fail } from "../errors.ts";
import { refuseBusy } from "../guards.ts";
import type { Answer, Job } from "../job.ts";
import { ownedVm } from "../ownership.ts";
import type { Due, Vm } from "../types.ts";

const requireService = (vm: Vm): void => {
  if (!vm.integrationServices.keyValuePairExchange)
    fail("GuestNotReady", `key-value pair exchange is off for ${vm.name}`);
};

const intrinsic = (vm: Vm): Record<string, string> => {
  const { guest } = vm;
  if (!guest) return {};
  const addresses = guest.ipAddresses ?? [];
  return {
    FullyQualifiedDomainName: guest.hostname ?? "",
    OSName: guest.osName ?? "",
    OSVersion: guest.osVersion ?? "",
    NetworkAddressIPv4: addresses.filter((one) => !one.includes(":")).join(";"),
    NetworkAddressIPv6: addresses.filter((one) => one.includes(":")).join(";"),
  };
};

const pollMs = 300;

/** The guest's agent sees the pool's change after a while. */
const seenSoon = (job: Job<"guest.publish"> | Job<"guest.clear">, vm: Vm): readonly Due[] =>
  vm.guestAgent ? [...vm.due, { at: job.after(pollMs), what: "GuestAgent" }] : vm.due;

export const read = async (job: Job<"guest.read">): Promise<Answer> => {
  const { owner, vmId } = job.spec;
  job.touchVm(vmId);
  return job.read((world) => {
    const vm = ownedVm(world, job.controlPlane, owner, vmId);
    const items = Object.fromEntries(Object.entries(vm.kvpGuest).filter(([key]) => key.startsWith("aetherv")));
    return { items, intrinsic: intrinsic(vm), heartbeat: vm.heartbeat };
  });
};

const BATCH = 128;
const LONGEST_KEY = 254;

/** Writes in the given order, at most 128 items a call as Hyper-V takes them; those that hold the value already are left. */
export const publish = async (job: Job<"guest.publish">): Promise<Answer> => {
  const { owner, vmId, items, order } = job.spec;
  const keys = [...new Set(order)];
  const wrong = keys.find((key) => key === "" || key.length > LONGEST_KEY);
  if (wrong !== undefined)
    fail("InvalidRequest", `items: a key has 1 to ${LONGEST_KEY} characters, not ${wrong.length}`);
  const unknown = keys.find((key) => items[key] === undefined) ?? Object.keys(items).find((key) => !keys.includes(key));
  if (unknown !== undefined)
    fail("InvalidRequest", `order and items must name the same keys; "${unknown}" is in one only`);
  job.touchVm(vmId);
  const missing = job.read((world) => {
    const vm = ownedVm(world, job.controlPlane, owner, vmId);
    requireService(vm);
    refuseBusy(vm);
    return keys.filter((key) => vm.kvpHost[key] !== items[key]);
  });
  for (let at = 0; at < missing.length; at += BATCH) {
    const batch = missing.slice(at, at + BATCH).map((key) => [key, items[key] ?? ""] as const);
    await job.effect("published", (world) => {
      world.changeVm(vmId, (vm) => ({
        kvpHost: { ...vm.kvpHost, ...Object.fromEntries(batch) },
        due: seenSoon(job, vm),
      }));
    });
  }
  return {};
};

export const clear = async (job: Job<"guest.clear">): Promise<Answer> => {
  const { owner, vmId, keys } = job.spec;
  job.touchVm(vmId);
  const present = job.read((world) => {
    const vm = ownedVm(world, job.controlPlane, owner, vmId);
    requireService(vm);
    return keys.filter((key) => vm.kvpHost[key] !== undefined);
  });
  if (present.length === 0) return {};
  await job.effect("cleared", (world) => {
    world.changeVm(vmId, (vm) => ({
      kvpHost: Object.fromEntries(Object.entries(vm.kvpHost).filter(([key]) => !present.includes(key))),
      due: seenSoon(job, vm),
    }));
  });
  return {};
};
