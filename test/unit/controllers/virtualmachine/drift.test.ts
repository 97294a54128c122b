import { describe, expect, test } from "vitest";
import type { Vm } from "../../../../agents/simulator/model/types.ts";
import type { VirtualMachineSpec } from "../../../../src/api/generated/types.ts";
import type { VmState } from "../../../../src/protocol/generated/types.ts";
import { Lab, conditionOf, readyText } from "../../../support/lab.ts";
import { declareWeb, vmOf, vmSpec } from "../../../support/samples.ts";

const ready = async (over: Partial<VirtualMachineSpec> = {}): Promise<Lab> => {
  const lab = new Lab();
  lab.addHost("hv1");
  declareWeb(lab, over);
  await lab.settle();
  lab.sent.length = 0;
  return lab;
};

const seen = (lab: Lab, name = "web"): VmState | undefined =>
  [...(lab.hosts.get("hv1")?.snapshot.vms.values() ?? [])].find((state) => state.name === name);

const change = (lab: Lab, patch: Partial<Vm> | ((vm: Vm) => Partial<Vm>)): void =>
  lab.hosts.get("hv1")?.admin((world) => {
    const id = vmOf(lab, "web").status?.id ?? "";
    world.changeVm(id, typeof patch === "function" ? patch : () => patch);
  });

describe("what an admin changes behind our back", () => {
  test("a hot setting is put back at once", async () => {
    const lab = await ready({ cpu: { count: 2, limitPercent: 80 } });
    change(lab, (vm) => ({ cpu: { ...vm.cpu, limitPercent: 50 } }));
    await lab.settle();
    expect(seen(lab)?.cpu.limitPercent).toBe(80);
    expect(lab.sent).toEqual(["vm.update web"]);
  });

  test("a field that the spec leaves out stays as found", async () => {
    const lab = await ready();
    change(lab, (vm) => ({ cpu: { ...vm.cpu, limitPercent: 50 } }));
    await lab.settle();
    expect(seen(lab)?.cpu.limitPercent).toBe(50);
    expect(lab.sent).toEqual([]);
  });

  test("a cold setting is reported, and put back when the machine is off anyway", async () => {
    const lab = await ready();
    change(lab, (vm) => ({ cpu: { ...vm.cpu, count: 8 } }));
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True ChangesPending/);
    expect(lab.sent).toEqual([]);
    change(lab, { state: "Off", heartbeat: "Disabled" });
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { count: 2 } });
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True Converged/);
  });

  test("a new name by hand is undone", async () => {
    const lab = await ready();
    change(lab, { name: "renamed" });
    await lab.settle();
    expect(seen(lab)?.name).toBe("web");
  });

  test("a machine turned off is started again under Enforce", async () => {
    const lab = await ready();
    change(lab, { state: "Off", heartbeat: "Disabled" });
    await lab.settle();
    expect(seen(lab)?.state).toBe("Running");
  });

  test("under OnCreate it is started once, then the power is its user's", async () => {
    const lab = await ready({ powerPolicy: "OnCreate" });
    expect(seen(lab)?.state).toBe("Running");
    change(lab, { state: "Off", heartbeat: "Disabled" });
    await lab.settle();
    expect(seen(lab)?.state).toBe("Off");
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True/);
    expect(conditionOf(vmOf(lab, "web"), "PowerStateSynced")).toMatchObject({ status: "True", reason: "NotEnforced" });
  });
});

describe("power", () => {
  test.each([
    { to: "Stopped", state: "Off", jobs: ["vm.power web"] },
    { to: "Saved", state: "Saved", jobs: ["vm.power web"] },
    { to: "Paused", state: "Paused", jobs: ["vm.power web"] },
  ] as const)("Running to $to", async ({ to, state, jobs }) => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ powerState: to }) });
    await lab.settle();
    expect(seen(lab)?.state).toBe(state);
    expect(lab.sent).toEqual(jobs);
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
  });

  test("Saved to Stopped goes through Running: a saved state is never discarded", async () => {
    const lab = await ready({ powerState: "Saved" });
    expect(seen(lab)?.state).toBe("Saved");
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ powerState: "Stopped" }) });
    await lab.settle();
    expect(seen(lab)?.state).toBe("Off");
    expect(lab.sent).toEqual(["vm.power web", "vm.power web"]);
  });

  test("a saved machine takes no change: it is listed with its reason, and made after the start", async () => {
    const lab = await ready({ powerState: "Saved", cpu: { count: 2, limitPercent: 100 } });
    const spec = vmSpec({ powerState: "Saved", cpu: { count: 2, limitPercent: 60 } });
    lab.apply({ kind: "VirtualMachine", name: "web", spec });
    await lab.settle();
    expect(lab.sent).toEqual([]);
    expect(vmOf(lab, "web").status?.pendingChanges).toMatchObject([
      { path: "spec.cpu.limitPercent", effect: "Hot", reason: expect.stringContaining("Saved") },
    ]);
    lab.apply({ kind: "VirtualMachine", name: "web", spec: { ...spec, powerState: "Running" } });
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { limitPercent: 60 } });
  });

  test("a guest that does not answer is never turned off under Graceful", async () => {
    const lab = await ready();
    change(lab, { heartbeat: "NoContact", due: [] });
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ cpu: { count: 4 } }) });
    await lab.settle();
    lab.annotate("VirtualMachine", "web", { "aetherv.io/approve": vmOf(lab, "web").status?.planHash ?? "" });
    await lab.settle();
    expect(seen(lab)?.state).toBe("Running");
    expect(conditionOf(vmOf(lab, "web"), "RestartRequired")).toMatchObject({ status: "True", reason: "GuestNotReady" });
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True ChangesPending/);
  });

  test("a deletion does not turn off a guest that does not answer, and tells the ways out", async () => {
    const lab = await ready();
    change(lab, { heartbeat: "NoContact", due: [] });
    lab.delete("VirtualMachine", "web");
    await lab.settle();
    expect(seen(lab)?.state).toBe("Running");
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False GuestNotReady.*by hand.*aetherv orphan VirtualMachine\/web/);
    change(lab, { state: "Off" });
    await lab.clock.advance(3_600_001);
    await lab.settle();
    expect(lab.find("VirtualMachine", "web")).toBeUndefined();
  });

  test("restarted-at: one power cycle, which counts as approval", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ cpu: { count: 4 } }) });
    await lab.clock.advance(60_000);
    const before = seen(lab)?.startedAt;
    lab.annotate("VirtualMachine", "web", { "aetherv.io/restarted-at": lab.clock.now().toISOString() });
    await lab.clock.advance(5_000);
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { count: 4 } });
    expect(seen(lab)?.startedAt).not.toBe(before);
    expect(lab.sent).toEqual(["vm.power web", "vm.update web", "vm.power web"]);
    lab.sent.length = 0;
    await lab.settle();
    expect(lab.sent).toEqual([]);
  });

  test("the host's clock may be an hour behind: a restart still happens once", async () => {
    const lab = await ready();
    await lab.clock.advance(60_000);
    lab.annotate("VirtualMachine", "web", { "aetherv.io/restarted-at": lab.clock.now().toISOString() });
    await lab.settle();
    const powers = lab.sent.length;
    change(lab, (vm) => ({ startedAt: new Date(Date.parse(vm.startedAt ?? "") - 3_600_000).toISOString() }));
    await lab.settle();
    expect(lab.sent.length).toBe(powers);
  });
});

describe("approval", () => {
  test("Automatic with a closed window waits, and runs once it opens", async () => {
    const window = { schedule: "0 3 * * *", timeZone: "UTC", durationMinutes: 60 };
    const lab = await ready({ disruption: { approval: "Automatic", window } });
    const spec = vmSpec({ disruption: { approval: "Automatic", window }, cpu: { count: 4 } });
    lab.apply({ kind: "VirtualMachine", name: "web", spec });
    await lab.settle();
    expect(conditionOf(vmOf(lab, "web"), "RestartRequired")).toMatchObject({ reason: "AwaitingWindow" });
    expect(lab.decide("VirtualMachine", "web").wakeAfterMs).toBeGreaterThan(60_000);
    expect(seen(lab)?.cpu.count).toBe(2);
    await lab.clock.advance(Date.parse("2026-01-01T03:10:00Z") - lab.clock.now().getTime());
    await lab.settle();
    expect(seen(lab)).toMatchObject({ cpu: { count: 4 }, state: "Running" });
  });

  test("a paused machine's approved change waits for its start without a word more", async () => {
    const lab = await ready({ disruption: { approval: "Automatic" }, powerState: "Paused" });
    const spec = vmSpec({ disruption: { approval: "Automatic" }, powerState: "Paused", cpu: { count: 4 } });
    lab.apply({ kind: "VirtualMachine", name: "web", spec });
    await lab.settle();
    expect(lab.sent).toEqual([]);
    lab.apply({ kind: "VirtualMachine", name: "web", spec: { ...spec, powerState: "Running" } });
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { count: 4 } });
  });

  test("a stop in the same second, but before the approval, was none for it", async () => {
    const lab = await ready({ disruption: { approval: "Automatic" } });
    const vm = vmOf(lab, "web");
    const whole = new Date(Math.ceil(lab.clock.now().getTime() / 1000) * 1000);
    lab.objects.set("VirtualMachine/default/web", {
      ...vm,
      status: { ...vm.status, offSince: whole.toISOString() },
    });
    await lab.clock.advance(whole.getTime() - lab.clock.now().getTime() + 100);
    const host = lab.hosts.get("hv1");
    if (!host) throw new Error("no host");
    // The approval is taken up, and its stop comes a moment later.
    const fault = { type: "error", code: "Busy" } as const;
    host.behaviour = { ...host.behaviour, faults: [{ id: "once", operation: "vm.power", count: 1, fault }] };
    lab.apply({
      kind: "VirtualMachine",
      name: "web",
      spec: vmSpec({ disruption: { approval: "Automatic" }, cpu: { count: 4 } }),
    });
    await lab.settle();
    lab.retry();
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(seen(lab)).toMatchObject({ cpu: { count: 4 } });
  });

  test("a change that a stop could not make does not stop the machine again", async () => {
    const lab = await ready({ disruption: { approval: "Automatic" } });
    const host = lab.hosts.get("hv1");
    if (!host) throw new Error("no host");
    const rule = {
      id: "1",
      operation: "vm.update" as const,
      fault: { type: "error" as const, code: "HyperVError" as const },
    };
    host.behaviour = { ...host.behaviour, faults: [rule] };
    lab.apply({
      kind: "VirtualMachine",
      name: "web",
      spec: vmSpec({ disruption: { approval: "Automatic" }, cpu: { count: 4 } }),
    });
    for (let turn = 0; turn < 5; turn += 1) {
      await lab.settle();
      lab.retry();
      await lab.clock.advance(60_000);
    }
    expect(lab.sent.filter((one) => one === "vm.power web")).toHaveLength(2);
    expect(seen(lab)?.state).toBe("Running");
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True ChangesPending: .*could not be changed.*aetherv restart/);
    host.behaviour = { ...host.behaviour, faults: [] };
    lab.annotate("VirtualMachine", "web", { "aetherv.io/restarted-at": lab.clock.now().toISOString() });
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { count: 4 } });
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
  });

  test("a change whose job was cut off while the machine is off is made before it is started", async () => {
    const lab = await ready({ disruption: { approval: "Automatic" } });
    const host = lab.hosts.get("hv1");
    if (!host) throw new Error("no host");
    const fault = { type: "error", code: "HostUnreachable" } as const;
    host.behaviour = { ...host.behaviour, faults: [{ id: "once", operation: "vm.update", count: 1, fault }] };
    const spec = vmSpec({ disruption: { approval: "Automatic" }, cpu: { count: 4 } });
    lab.apply({ kind: "VirtualMachine", name: "web", spec });
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Off", cpu: { count: 2 } });
    lab.retry();
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { count: 4 } });
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(lab.sent).toEqual(["vm.power web", "vm.update web", "vm.update web", "vm.power web"]);
  });

  test("a job that is cut off again and again keeps the machine off for ten minutes at most", async () => {
    const lab = await ready({ disruption: { approval: "Automatic" } });
    const host = lab.hosts.get("hv1");
    if (!host) throw new Error("no host");
    const fault = { type: "error", code: "Timeout" } as const;
    host.behaviour = { ...host.behaviour, faults: [{ id: "ever", operation: "vm.update", fault }] };
    const spec = vmSpec({ disruption: { approval: "Automatic" }, cpu: { count: 4 } });
    lab.apply({ kind: "VirtualMachine", name: "web", spec });
    for (let minute = 0; minute < 12; minute += 1) {
      await lab.settle();
      await lab.clock.advance(60_000);
      lab.retry();
    }
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { count: 2 } });
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True ChangesPending: .*could not be changed/);
  });

  test("an approval that was not begun when the window closed waits for the next one", async () => {
    const window = { schedule: "0 0 * * *", timeZone: "UTC", durationMinutes: 10 };
    const lab = await ready({ disruption: { approval: "Automatic", window } });
    await lab.clock.advance(Date.parse("2026-01-02T00:05:00Z") - lab.clock.now().getTime());
    change(lab, { heartbeat: "NoContact", due: [] });
    const spec = vmSpec({ disruption: { approval: "Automatic", window }, cpu: { count: 4 } });
    lab.apply({ kind: "VirtualMachine", name: "web", spec });
    await lab.settle();
    expect(conditionOf(vmOf(lab, "web"), "RestartRequired")).toMatchObject({ reason: "GuestNotReady" });
    await lab.clock.advance(600_000);
    change(lab, { heartbeat: "OK" });
    lab.forgive();
    await lab.settle();
    expect(conditionOf(vmOf(lab, "web"), "RestartRequired")).toMatchObject({ reason: "AwaitingWindow" });
    expect(seen(lab)?.cpu.count).toBe(2);
  });

  test("a hash that matches nothing does nothing", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ cpu: { count: 4 } }) });
    lab.annotate("VirtualMachine", "web", { "aetherv.io/approve": "0123456789ab" });
    await lab.settle();
    expect(seen(lab)?.cpu.count).toBe(2);
  });

  test("an impossible change stalls, and the possible ones are made", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ generation: 1, notes: "new" }) });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False ForbiddenChange: spec.generation/);
    expect(seen(lab)?.notes).toBe("new");
  });

  test("memory that the host refuses to change while it runs becomes a restart", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ memory: { startup: "1Gi" } }) });
    await lab.settle();
    expect(vmOf(lab, "web").status?.pendingChanges).toEqual([
      { path: "spec.memory.startup", from: "2Gi", to: "1Gi", effect: "Restart" },
    ]);
    lab.forgive();
    lab.sent.length = 0;
    await lab.settle();
    expect(lab.sent).toEqual([]);
  });

  test("memory grows while it runs where host and guest can", async () => {
    const lab = await ready();
    await lab.clock.advance(60_000);
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ memory: { startup: "4096Mi" } }) });
    await lab.settle();
    expect(seen(lab)).toMatchObject({ state: "Running", memory: { startupBytes: 4 * 2 ** 30 } });
  });
});

describe("DVD drives", () => {
  const withDisc = { dvdDrives: [{ name: "install", image: "debian-12-netinst.iso" }] };

  test("a declared drive is there with its disc before the first start, and leaves with its declaration", async () => {
    const lab = await ready(withDisc);
    expect(seen(lab)?.dvdDrives).toMatchObject([{ controllerType: "SCSI", path: "D:\\Images\\debian-12-netinst.iso" }]);
    expect(vmOf(lab, "web").status?.dvdDrives).toMatchObject([{ name: "install" }]);
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ dvdDrives: [{ name: "install" }] }) });
    await lab.settle();
    expect(seen(lab)?.dvdDrives).toHaveLength(1);
    expect(seen(lab)?.dvdDrives[0]?.path).toBeUndefined();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec() });
    await lab.settle();
    expect(seen(lab)?.dvdDrives).toEqual([]);
    expect(vmOf(lab, "web").status?.dvdDrives).toBeUndefined();
  });

  test("an image that the host lacks stalls with what there is", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ dvdDrives: [{ name: "a", image: "nope" }] }) });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False ImageNotFound: .*debian-12-netinst/);
  });

  test("a drive added by hand is never removed, only told", async () => {
    const lab = await ready();
    change(lab, { dvdDrives: [{ controllerType: "SCSI", controllerNumber: 0, controllerLocation: 9 }] });
    await lab.settle();
    expect(seen(lab)?.dvdDrives).toHaveLength(1);
    expect(vmOf(lab, "web").status?.undeclaredDevices).toEqual([{ type: "DVD", id: "SCSI 0:9" }]);
  });
});

describe("pause and observe", () => {
  test("a paused machine gets no job, and goes on when it is resumed", async () => {
    const lab = await ready();
    lab.apply({
      kind: "VirtualMachine",
      name: "web",
      spec: vmSpec({ notes: "x" }),
      annotations: { "aetherv.io/paused": "true" },
    });
    await lab.settle();
    expect(lab.sent).toEqual([]);
    expect(conditionOf(vmOf(lab, "web"), "Paused")?.status).toBe("True");
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True/);
    lab.annotate("VirtualMachine", "web", { "aetherv.io/paused": "false" });
    await lab.settle();
    expect(seen(lab)?.notes).toBe("x");
    expect(conditionOf(vmOf(lab, "web"), "Paused")).toBeUndefined();
  });

  test("an observed machine is looked at, changed never, and left when its object goes", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ managementPolicy: "Observe", notes: "x" }) });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True Observed/);
    lab.delete("VirtualMachine", "web");
    await lab.settle();
    expect(lab.sent).toEqual([]);
    expect(seen(lab)).toBeDefined();
  });
});
