import { describe, expect, test } from "vitest";
import { fieldChanges } from "../../../../controllers/virtualmachine/fields.ts";
import { nextPower } from "../../../../controllers/virtualmachine/power.ts";
import { windowState } from "../../../../controllers/virtualmachine/window.ts";
import type { VirtualMachineSpec } from "../../../../src/api/generated/types.ts";
import type { VmState } from "../../../../src/protocol/generated/types.ts";
import { guid, hostState, vmState } from "../../../support/states.ts";
import { vmSpec } from "../../../support/samples.ts";

const GiB = 2 ** 30;
const MiB = 2 ** 20;

const running = (over: Partial<VmState> = {}): VmState =>
  vmState({
    id: guid(1),
    state: "Running",
    cpu: { ...vmState({ id: guid(1) }).cpu, count: 2 },
    memory: { startupBytes: 2 * GiB, weight: 5000 },
    ...over,
  });

const dynamic = { minimumBytes: GiB, maximumBytes: 4 * GiB, bufferPercent: 20 };
const withDynamic = running({ memory: { startupBytes: 2 * GiB, weight: 5000, dynamic } });
const range = (minimum: string, maximum: string) => ({ startup: "2Gi", dynamic: { minimum, maximum } });

interface Case {
  readonly why: string;
  readonly spec: Partial<VirtualMachineSpec>;
  readonly state?: VmState;
  readonly path: string;
  readonly effect: string;
}

const cases: readonly Case[] = [
  { why: "processors are counted at start", spec: { cpu: { count: 4 } }, path: "spec.cpu.count", effect: "Restart" },
  { why: "beyond the host's limit", spec: { cpu: { count: 65 } }, path: "spec.cpu.count", effect: "Forbidden" },
  {
    why: "a share of the processors",
    spec: { cpu: { count: 2, limitPercent: 50 } },
    path: "spec.cpu.limitPercent",
    effect: "Hot",
  },
  {
    why: "nested virtualization",
    spec: { cpu: { count: 2, exposeVirtualizationExtensions: true } },
    path: "spec.cpu.exposeVirtualizationExtensions",
    effect: "Restart",
  },
  {
    why: "static memory may be added while it runs",
    spec: { memory: { startup: "3Gi" } },
    path: "spec.memory.startup",
    effect: "Try",
  },
  {
    why: "startup memory of a dynamic machine",
    spec: { memory: { ...range("1Gi", "4Gi"), startup: "3Gi" } },
    state: withDynamic,
    path: "spec.memory.startup",
    effect: "Restart",
  },
  { why: "dynamic memory on", spec: { memory: range("1Gi", "4Gi") }, path: "spec.memory.dynamic", effect: "Restart" },
  {
    why: "dynamic memory off",
    spec: { memory: { startup: "2Gi" } },
    state: withDynamic,
    path: "spec.memory.dynamic",
    effect: "Restart",
  },
  {
    why: "minimum down",
    spec: { memory: range("512Mi", "4Gi") },
    state: withDynamic,
    path: "spec.memory.dynamic.minimum",
    effect: "Hot",
  },
  {
    why: "minimum up",
    spec: { memory: range("2Gi", "4Gi") },
    state: withDynamic,
    path: "spec.memory.dynamic.minimum",
    effect: "Restart",
  },
  {
    why: "maximum up",
    spec: { memory: range("1Gi", "8Gi") },
    state: withDynamic,
    path: "spec.memory.dynamic.maximum",
    effect: "Hot",
  },
  {
    why: "maximum down",
    spec: { memory: range("1Gi", "3Gi") },
    state: withDynamic,
    path: "spec.memory.dynamic.maximum",
    effect: "Restart",
  },
  {
    why: "Secure Boot",
    spec: { firmware: { secureBoot: false } },
    path: "spec.firmware.secureBoot",
    effect: "Restart",
  },
  { why: "a TPM", spec: { security: { tpm: true } }, path: "spec.security.tpm", effect: "Restart" },
  {
    why: "a TPM in generation 1",
    spec: { security: { tpm: true } },
    state: running({ generation: 1 }),
    path: "spec.security.tpm",
    effect: "Forbidden",
  },
  {
    why: "integration services",
    spec: { integrationServices: { vss: false } },
    path: "spec.integrationServices.vss",
    effect: "Hot",
  },
  {
    why: "sources disagree",
    spec: { automaticStartAction: "Start" },
    path: "spec.automaticStartAction",
    effect: "Try",
  },
  {
    why: "read at start",
    spec: { automaticStopAction: "ShutDown" },
    path: "spec.automaticStopAction",
    effect: "Restart",
  },
  { why: "checkpoint type", spec: { checkpointType: "Disabled" }, path: "spec.checkpointType", effect: "Hot" },
  { why: "the name; folders keep the old one", spec: { vmName: "www" }, path: "spec.vmName", effect: "Hot" },
];

describe("what a change does to a running machine (hyperv.md)", () => {
  test.each(cases)("$path $effect: $why", ({ spec, state = running(), path, effect }) => {
    const changes = fieldChanges({ spec: vmSpec(spec), state, host: hostState() });
    expect(changes.map(({ change, running: found }) => [change.path, found])).toEqual([[path, effect]]);
  });

  test("sizes are compared in bytes, whatever their unit", () => {
    const spec = vmSpec({ memory: { startup: "2048Mi" } });
    expect(fieldChanges({ spec, state: running(), host: hostState() })).toEqual([]);
  });

  test("a size that is no whole number of MiB is shown in bytes", () => {
    const state = running({ memory: { startupBytes: 2 * GiB + MiB / 2, weight: 5000 } });
    const [only] = fieldChanges({ spec: vmSpec(), state, host: hostState() });
    expect(only?.change).toEqual({ path: "spec.memory.startup", from: String(2 * GiB + MiB / 2), to: "2Gi" });
  });

  test("fields that the spec leaves out are no change", () => {
    const state = running({ notes: "by hand", automaticStartAction: "Start", checkpointType: "Standard" });
    expect(fieldChanges({ spec: vmSpec(), state, host: hostState() })).toEqual([]);
  });
});

describe("the next change of power", () => {
  test.each([
    { from: "Off", to: "Saved", next: "Running", why: "only a running machine can be saved" },
    { from: "Saved", to: "Stopped", next: "Running", why: "a saved state is never discarded" },
    { from: "Paused", to: "Stopped", next: "Running", why: "a paused guest can't shut down" },
    { from: "Running", to: "Stopped", next: "Off", why: "as its shutdown mode says" },
    { from: "Running", to: "Running", next: undefined, why: "reached" },
    { from: "Starting", to: "Stopped", next: undefined, why: "Hyper-V is at work" },
  ] as const)("$from to $to: $why", ({ from, to, next }) => expect(nextPower(from, to)).toBe(next));
});

describe("a restart window", () => {
  const nightly = { schedule: "0 3 * * *", timeZone: "Europe/Berlin", durationMinutes: 60 };
  test.each([
    { why: "none means any time", window: undefined, now: "2026-01-01T12:00:00Z", at: "open" },
    { why: "its first second", window: nightly, now: "2026-01-01T02:00:00Z", at: "open" },
    { why: "its last second", window: nightly, now: "2026-01-01T02:59:59Z", at: "open" },
    { why: "just over", window: nightly, now: "2026-01-01T03:00:00Z", at: "closed" },
    { why: "by day", window: nightly, now: "2026-01-01T12:00:00Z", at: "closed" },
    { why: "summer time moves it", window: nightly, now: "2026-07-01T01:30:00Z", at: "open" },
    {
      why: "over midnight",
      window: { ...nightly, schedule: "0 23 * * *", durationMinutes: 120 },
      now: "2026-01-01T23:30:00Z",
      at: "open",
    },
  ])("$why", ({ window, now, at }) => expect(windowState(window, new Date(now)).at).toBe(at));

  test("one that can't be read is closed and says why", () => {
    const broken = { ...nightly, timeZone: "Nowhere/Else" };
    const state = windowState(broken, new Date("2026-01-01T02:10:00Z"));
    expect(state).toMatchObject({ at: "closed", problem: expect.stringMatching(/./) });
  });

  test("one that is closed tells when it opens", () => {
    const state = windowState(nightly, new Date("2026-01-01T12:00:00Z"));
    expect(state).toEqual({ at: "closed", opens: new Date("2026-01-02T02:00:00Z") });
  });
});
