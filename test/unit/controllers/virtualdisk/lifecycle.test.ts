import { describe, expect, test } from "vitest";
import type { VmCheckpoint } from "../../../../agents/simulator/model/types.ts";
import { annotations } from "../../../../src/api/annotations.ts";
import type { VirtualDisk, VirtualMachine } from "../../../../src/api/generated/types.ts";
import type { LabHost } from "../../../support/lab.ts";
import { Lab } from "../../../support/lab.ts";
import { addHost, addMachine, approve, edit, jobs, put, statusOf, told } from "../stage.ts";

const GiB = 2 ** 30;
const disk = (lab: Lab, name: string) => statusOf<VirtualDisk>(lab, "VirtualDisk", name);
const vmOf = (host: LabHost, name: string) => [...host.snapshot.vms.values()].find((vm) => vm.name === name);
const stage = (): { lab: Lab; host: LabHost } => {
  const lab = new Lab();
  return { lab, host: addHost(lab, "hv1") };
};
const running = async (over: object = {}, osDisk: object = {}): Promise<{ lab: Lab; host: LabHost }> => {
  const made = stage();
  addMachine(made.lab, "web", over, osDisk);
  await made.lab.settle();
  expect(told(made.lab, "VirtualMachine", "web")).toBe("True/Converged");
  jobs(made.lab);
  return made;
};
const blank = (size: string, over: object = {}): object => ({ source: { type: "Blank" }, size, ...over });
const data = { attachment: { virtualMachine: "web" } };
/** Gives a machine's disk a checkpoint, as a person at the console would. */
const addCheckpoint = (host: LabHost, vmName: string): void =>
  host.admin((world) => {
    const vm = world.vms().find(({ name }) => name === vmName);
    if (!vm) throw new Error(`no machine ${vmName}`);
    const [drive] = vm.drives;
    if (!drive) throw new Error(`${vmName} has no disk`);
    const leaf = drive.path.replace(/\.vhdx$/i, "_1.avhdx");
    world.putFile({ ...world.knownDisk(drive.path), path: leaf, diskType: "Differencing", parentPath: drive.path });
    const id = "00000000-0000-4000-8000-00000000c0de";
    world.changeVm(vm.id, () => ({
      drives: vm.drives.map((one) => (one === drive ? { ...one, path: leaf } : one)),
      checkpoints: [{ id, name: "before", type: "Standard", createdAt: "2026-01-01T00:00:00Z", files: [leaf] }],
    }));
  });

describe("making and attaching", () => {
  test("a machine's disks are made where the specs say, attached, and told", async () => {
    const { lab, host } = await running({}, { size: "30Gi" });
    put(lab, "VirtualDisk", "data", blank("50Gi", { ...data, storageClass: "fast" }));
    await lab.settle();
    expect(disk(lab, "web-os")).toMatchObject({
      host: "hv1",
      size: 30 * GiB,
      storageClass: "standard",
      everAttached: true,
    });
    expect(disk(lab, "data")).toMatchObject({
      size: 50 * GiB,
      storageClass: "fast",
      attachedTo: { virtualMachine: "web", controller: "SCSI" },
    });
    expect(disk(lab, "data").path).toMatch(/^D:\\Fast\\default\\data\./);
    expect(vmOf(host, "web")?.disks).toHaveLength(2);
    expect(
      ["Ready", "Provisioned", "Attached", "Resizing"].map((type) => told(lab, "VirtualDisk", "data", type)),
    ).toEqual(["True/Converged", "True/Provisioned", "True/Attached", "False/NotRequested"]);
    jobs(lab);
    await lab.settle();
    expect(jobs(lab)).toEqual([]);
  });

  test("a machine's start is no news of its disk: nothing is written after Ready", async () => {
    const { lab } = stage();
    const statuses = new Set<string>();
    const set = lab.objects.set.bind(lab.objects);
    lab.objects.set = (key, object) => {
      if (key === "VirtualDisk/default/web-os" && object.status) statuses.add(JSON.stringify(object.status));
      return set(key, object);
    };
    addMachine(lab, "web", { waitFor: { networkAdapters: ["lan"] } });
    await lab.settle();
    expect(told(lab, "VirtualMachine", "web")).toBe("False/WaitingForDevices");
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    expect(told(lab, "VirtualMachine", "web")).toBe("True/Converged");
    expect([...statuses].filter((status) => status.includes("Converged"))).toHaveLength(1);
    expect(disk(lab, "web-os").everAttached).toBe(true);
  });

  test.each([
    { why: "declared stopped", powerState: "Stopped", ever: undefined },
    { why: "declared saved", powerState: "Saved", ever: true },
  ])("attached to a machine $why: everAttached is $ever", async ({ powerState, ever }) => {
    const { lab } = stage();
    addMachine(lab, "web", { powerState });
    await lab.settle();
    expect(disk(lab, "web-os").everAttached).toBe(ever);
  });

  test("the plan of a disk that is not there yet holds its attachment too", async () => {
    const { lab } = await running();
    put(lab, "VirtualDisk", "data", blank("1Gi", data));
    await lab.inventory();
    lab.annotate("VirtualDisk", "data", { [annotations.host]: "hv1" });
    const object = lab.get<VirtualDisk>("VirtualDisk", "data");
    lab.objects.set("VirtualDisk/default/data", {
      ...object,
      metadata: { ...object.metadata, finalizers: ["aetherv.io/cleanup"] },
    });
    expect(lab.decide("VirtualDisk", "data").plan.map(({ operation }) => operation)).toEqual([
      "disk.create",
      "disk.attach",
    ]);
  });

  test("an unattached disk goes where there is room; the boot disk of generation 1 to IDE 0:0", async () => {
    const { lab } = stage();
    put(lab, "VirtualDisk", "spare", blank("1Gi"));
    addMachine(lab, "old", { generation: 1 }, { source: { type: "Image", image: "debian-12-gen1" } });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "spare")).toBe("True/Converged");
    expect(told(lab, "VirtualDisk", "spare", "Attached")).toBe("False/NotRequested");
    expect(disk(lab, "old-os").attachedTo).toMatchObject({
      controller: "IDE",
      controllerNumber: 0,
      controllerLocation: 0,
    });
  });

  test.each([
    { why: "blank", spec: blank("1Gi", { blockSize: "1Mi", logicalSectorBytes: 4096 }) },
    { why: "copied", spec: { source: { type: "Image", image: "debian-12" }, blockSize: "1Mi" } },
    {
      why: "differencing",
      spec: { source: { type: "Differencing", parent: { type: "Image", name: "debian-12" } }, blockSize: "1Mi" },
    },
    { why: "fixed", spec: blank("1Gi", { diskType: "Fixed", format: "VHD" }) },
  ])("the file's inner form is as asked: $why", async ({ spec }) => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "data", spec);
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
    const state = host.snapshot.disks.get(disk(lab, "data").path ?? "");
    const { blockSize, ...rest } = spec as { blockSize?: string };
    expect(state).toMatchObject(blockSize ? { blockSize: 2 ** 20 } : {});
    expect(state).toMatchObject(
      Object.fromEntries(
        Object.entries(rest).filter(([name]) => ["logicalSectorBytes", "diskType", "format"].includes(name)),
      ),
    );
  });

  test("what the file is and the spec can't have is told, and left", async () => {
    const lab = new Lab();
    const host = addHost(lab, "hv1", { adoption: { namespaces: ["default"], paths: ["D:\\Old"] } });
    const path = "D:\\Old\\legacy.vhdx";
    host.admin((world) => {
      const image = world.disks().find((one) => one.path.endsWith("debian-12.vhdx"));
      if (image) world.putFile({ ...image, path, diskId: "00000000-0000-4000-8000-00000000abcd" });
    });
    put(lab, "VirtualDisk", "legacy", { source: { type: "File", path }, diskType: "Fixed" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "legacy", "Stalled")).toBe("True/ForbiddenChange");
    expect(disk(lab, "legacy").pendingChanges).toMatchObject([
      { path: "spec.diskType", from: "Dynamic", to: "Fixed", effect: "Recreate" },
    ]);
    expect(jobs(lab)).toEqual(["disk.create legacy"]);
  });

  test("a place that another disk asks for is left free for it", async () => {
    const { lab } = stage();
    put(lab, "VirtualMachine", "web", {
      host: "hv1",
      cpu: { count: 1 },
      memory: { startup: "1Gi" },
      powerState: "Stopped",
    });
    put(lab, "VirtualDisk", "a", blank("1Gi", data));
    put(
      lab,
      "VirtualDisk",
      "b",
      blank("1Gi", {
        attachment: { virtualMachine: "web", controller: "SCSI", controllerNumber: 0, controllerLocation: 0 },
      }),
    );
    await lab.settle();
    expect(disk(lab, "b").attachedTo).toMatchObject({ controllerLocation: 0 });
    expect(disk(lab, "a").attachedTo).toMatchObject({ controllerLocation: 1 });
  });

  test.each([
    { why: "an image that the host lacks", spec: { source: { type: "Image", image: "beos" } }, says: "ImageNotFound" },
    { why: "a class that the host lacks", spec: blank("1Gi", { storageClass: "gold" }), says: "StorageClassNotFound" },
    {
      why: "smaller than its image",
      spec: { source: { type: "Image", image: "debian-12" }, size: "1Gi" },
      says: "InvalidSpec",
    },
    {
      why: "a file without the host owner's grant",
      spec: { source: { type: "File", path: "D:\\Old\\a.vhdx" } },
      says: "NotAllowed",
    },
  ])("stalls: $why", async ({ spec, says }) => {
    const { lab } = stage();
    put(lab, "VirtualDisk", "odd", { ...spec, host: "hv1" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "odd", "Stalled")).toBe(`True/${says}`);
    expect(jobs(lab)).toEqual([]);
  });

  test("a source disk in use by a running machine is waited for", async () => {
    const { lab } = await running();
    put(lab, "VirtualDisk", "copy", { source: { type: "VirtualDisk", disk: "web-os" } });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "copy")).toBe("False/DiskInUse");
    edit(lab, "VirtualMachine", "web", { powerState: "Stopped" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "copy")).toBe("True/Converged");
    expect(disk(lab, "copy").id).not.toBe(disk(lab, "web-os").id);
  });
});

describe("growth", () => {
  test("is hot on SCSI", async () => {
    const { lab, host } = await running();
    edit(lab, "VirtualDisk", "web-os", { size: "40Gi" });
    await lab.settle();
    expect(disk(lab, "web-os").size).toBe(40 * GiB);
    expect(vmOf(host, "web")?.state).toBe("Running");
    expect(jobs(lab)).toEqual(["disk.update web-os"]);
  });

  test("on IDE waits for approval, then happens while the machine is off, which then runs again", async () => {
    const { lab, host } = await running({ generation: 1 }, { source: { type: "Image", image: "debian-12-gen1" } });
    edit(lab, "VirtualDisk", "web-os", { size: "40Gi" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "web-os")).toBe("True/ChangesPending");
    expect(statusOf<VirtualMachine>(lab, "VirtualMachine", "web").pendingChanges).toEqual([
      expect.objectContaining({ path: "VirtualDisk/web-os:spec.size", from: "20Gi", to: "40Gi", effect: "Restart" }),
    ]);
    expect(jobs(lab)).toEqual([]);
    approve(lab, "web");
    await lab.settle();
    expect(jobs(lab)).toEqual(["vm.power web", "disk.update web-os", "vm.power web"]);
    expect(disk(lab, "web-os").size).toBe(40 * GiB);
    expect(vmOf(host, "web")?.state).toBe("Running");
    expect(disk(lab, "web-os").pendingChanges).toBeUndefined();
  });

  test("never shrinks: a disk that somebody grew by hand is told", async () => {
    const { lab, host } = await running({}, { size: "30Gi" });
    host.admin((world) => world.putFile({ ...world.knownDisk(disk(lab, "web-os").path ?? ""), size: 60 * GiB }));
    await lab.settle();
    expect(told(lab, "VirtualDisk", "web-os", "Stalled")).toBe("True/DiskShrinkForbidden");
    expect(disk(lab, "web-os").pendingChanges).toMatchObject([
      { path: "spec.size", from: "60Gi", to: "30Gi", effect: "Forbidden" },
    ]);
    expect(jobs(lab)).toEqual([]);
  });

  test("waits for checkpoints to go", async () => {
    const { lab, host } = await running();
    addCheckpoint(host, "web");
    edit(lab, "VirtualDisk", "web-os", { size: "40Gi" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "web-os")).toBe("False/DiskHasCheckpoints");
    expect(disk(lab, "web-os").pendingChanges).toMatchObject([{ path: "spec.size" }]);
    expect(disk(lab, "web-os").parents).toHaveLength(1);
    expect(jobs(lab)).toEqual([]);
  });
});

describe("attachment", () => {
  test("a disk detached by hand is attached again", async () => {
    const { lab, host } = await running();
    put(lab, "VirtualDisk", "data", blank("1Gi", data));
    await lab.settle();
    jobs(lab);
    host.admin((world) => {
      const vm = world.vms()[0];
      if (vm) world.changeVm(vm.id, () => ({ drives: vm.drives.slice(0, 1) }));
    });
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.attach data"]);
  });

  test("removed from a running machine only after approval, and never the boot disk", async () => {
    const { lab, host } = await running();
    put(lab, "VirtualDisk", "data", blank("1Gi", data));
    await lab.settle();
    jobs(lab);
    edit(lab, "VirtualDisk", "data", { attachment: undefined });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("True/ChangesPending");
    expect(told(lab, "VirtualDisk", "data", "Attached")).toBe("True/Attached");
    expect(disk(lab, "data").pendingChanges).toMatchObject([
      { path: "spec.attachment.virtualMachine", from: "web", effect: "Disruptive" },
    ]);
    expect(jobs(lab)).toEqual([]);
    approve(lab, "web");
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.detach data"]);
    expect(vmOf(host, "web")?.state).toBe("Running");
    expect(told(lab, "VirtualDisk", "data", "Attached")).toBe("False/NotRequested");
    edit(lab, "VirtualDisk", "web-os", { attachment: undefined });
    await lab.settle();
    expect(disk(lab, "web-os").pendingChanges).toMatchObject([{ effect: "Restart" }]);
  });

  test("approved in the restart window, it is not removed after the window closed, but in the next one", async () => {
    const window = { schedule: "0 3 * * *", timeZone: "UTC", durationMinutes: 60 };
    const { lab, host } = await running({ disruption: { approval: "Manual", window } });
    const at = (time: string): Promise<void> => lab.clock.advance(Date.parse(time) - lab.clock.now().getTime());
    put(lab, "VirtualDisk", "data", blank("1Gi", data));
    await lab.settle();
    jobs(lab);
    edit(lab, "VirtualDisk", "data", { attachment: undefined });
    await lab.settle();
    approve(lab, "web");
    await lab.settle();
    expect(jobs(lab)).toEqual([]);
    // A backup holds a checkpoint while the window is open.
    const hold = (checkpoints: VmCheckpoint[]): void =>
      host.admin((world) => {
        const [vm] = world.vms();
        const leaf = (path: string): string => path.replace(/\.vhdx$/i, "_1.avhdx");
        const root = (path: string): string => path.replace(/_1\.avhdx$/i, ".vhdx");
        for (const { path } of vm?.drives ?? []) {
          if (checkpoints.length === 0) world.removeFile(path);
          else
            world.putFile({ ...world.knownDisk(path), path: leaf(path), diskType: "Differencing", parentPath: path });
        }
        const to = checkpoints.length === 0 ? root : leaf;
        const drives = vm?.drives.map((drive) => ({ ...drive, path: to(drive.path) })) ?? [];
        if (vm) world.changeVm(vm.id, () => ({ drives, checkpoints }));
      });
    const id = "00000000-0000-4000-8000-00000000c0de";
    hold([{ id, name: "backup", type: "Recovery", createdAt: "2026-01-02T00:00:00Z", files: [] }]);
    await at("2026-01-02T03:10:00Z");
    await lab.settle();
    const { approval } = statusOf<VirtualMachine>(lab, "VirtualMachine", "web");
    expect(approval).toMatchObject({ until: "2026-01-02T04:00:00Z" });
    const wakeAt = lab.clock.now().getTime() + (lab.decide("VirtualMachine", "web").wakeAfterMs ?? 0);
    expect(new Date(wakeAt).toISOString()).toMatch(/^2026-01-02T04:00:0/);
    await at("2026-01-02T04:00:00Z");
    hold([]);
    await lab.inventory();
    // The machine's own controller has not looked since the window closed.
    expect(statusOf<VirtualMachine>(lab, "VirtualMachine", "web").approval).toEqual(approval);
    expect(lab.decide("VirtualDisk", "data").act).toEqual({ do: "nothing" });
    await lab.settle();
    expect(jobs(lab)).toEqual([]);
    expect(told(lab, "VirtualMachine", "web", "RestartRequired")).toBe("True/AwaitingWindow");
    await at("2026-01-03T03:00:00Z");
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.detach data"]);
  });

  test("moves to another machine of the host, never copied", async () => {
    const { lab, host } = await running();
    addMachine(lab, "db", { powerState: "Stopped" });
    put(lab, "VirtualDisk", "data", blank("1Gi", { attachment: { virtualMachine: "db" } }));
    await lab.settle();
    const { id } = disk(lab, "data");
    jobs(lab);
    edit(lab, "VirtualDisk", "data", data);
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.detach data", "disk.attach data"]);
    expect(disk(lab, "data")).toMatchObject({ id, attachedTo: { virtualMachine: "web" } });
    expect(vmOf(host, "db")?.disks).toHaveLength(1);
  });

  test("stays where it is while the machine that it is to move to is paused", async () => {
    const { lab } = await running();
    addMachine(lab, "db", { powerState: "Stopped" });
    put(lab, "VirtualDisk", "data", blank("1Gi", { attachment: { virtualMachine: "db" } }));
    await lab.settle();
    jobs(lab);
    lab.annotate("VirtualMachine", "web", { [annotations.paused]: "true" });
    edit(lab, "VirtualDisk", "data", data);
    await lab.settle();
    expect(jobs(lab)).toEqual([]);
    expect(told(lab, "VirtualDisk", "data")).toBe("False/Paused");
    lab.annotate("VirtualMachine", "web", { [annotations.paused]: "false" });
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.detach data", "disk.attach data"]);
  });

  test("another place is a detachment and an attachment, under one approval", async () => {
    const { lab } = await running();
    put(lab, "VirtualDisk", "data", blank("1Gi", data));
    await lab.settle();
    jobs(lab);
    const attachment = { virtualMachine: "web", controller: "SCSI", controllerNumber: 0, controllerLocation: 9 };
    edit(lab, "VirtualDisk", "data", { attachment });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("True/ChangesPending");
    approve(lab, "web");
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.detach data", "disk.attach data"]);
    expect(disk(lab, "data").attachedTo).toMatchObject({ controllerLocation: 9 });
  });

  test("to a machine on another host it stalls, and nothing is done", async () => {
    const { lab } = await running();
    addHost(lab, "hv2");
    addMachine(lab, "far", { host: "hv2", powerState: "Stopped" });
    put(lab, "VirtualDisk", "data", blank("1Gi", data));
    await lab.settle();
    jobs(lab);
    edit(lab, "VirtualDisk", "data", { attachment: { virtualMachine: "far" } });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/HostMismatch");
    expect(jobs(lab)).toEqual([]);
    expect(disk(lab, "data").attachedTo?.virtualMachine).toBe("web");
  });

  test("to a machine that nobody here owns it is told, and left", async () => {
    const { lab, host } = await running({ powerState: "Stopped" });
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    jobs(lab);
    host.admin((world) => {
      const [vm] = world.vms();
      const drive = {
        controllerType: "SCSI" as const,
        controllerNumber: 0,
        controllerLocation: 0,
        minIOPS: 0,
        maxIOPS: 0,
      };
      if (vm)
        world.putVm({
          ...vm,
          id: "00000000-0000-4000-8000-0000000000ff",
          name: "foreign",
          notes: "",
          drives: [{ ...drive, path: disk(lab, "data").path ?? "" }],
        });
    });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/DiskInUse");
    expect(jobs(lab)).toEqual([]);
  });

  test("rates are set, changed and taken away in place", async () => {
    const { lab, host } = await running();
    put(lab, "VirtualDisk", "data", blank("1Gi", { attachment: { virtualMachine: "web", maxIOPS: 500 } }));
    await lab.settle();
    edit(lab, "VirtualDisk", "data", { attachment: { virtualMachine: "web", minIOPS: 10, maxIOPS: 900 } });
    await lab.settle();
    expect(vmOf(host, "web")?.disks[1]).toMatchObject({ minIOPS: 10, maxIOPS: 900 });
    edit(lab, "VirtualDisk", "data", { attachment: { virtualMachine: "web" } });
    await lab.settle();
    expect(vmOf(host, "web")?.disks[1]).not.toHaveProperty("maxIOPS");
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
  });

  test("a paused machine holds its disks back", async () => {
    const { lab } = await running();
    lab.annotate("VirtualMachine", "web", { [annotations.paused]: "true" });
    put(lab, "VirtualDisk", "data", blank("1Gi", data));
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.create data"]);
    expect(told(lab, "VirtualDisk", "data")).toBe("False/Paused");
  });
});

describe("while a job runs", () => {
  const inFlight = (lab: Lab, host: LabHost, name: string, operation: "disk.clone", percent: number) =>
    host.jobs.set(lab.get("VirtualDisk", name).metadata.uid, {
      id: "job-1",
      operation,
      startedAt: new Date(0),
      percent,
    });

  test("a clone shows its progress in steps of ten, and nothing else is sent", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "copy", { source: { type: "Image", image: "beos" }, host: "hv1" });
    await lab.settle();
    edit(lab, "VirtualDisk", "copy", { size: "30Gi" });
    inFlight(lab, host, "copy", "disk.clone", 47);
    const { act, status } = lab.decide("VirtualDisk", "copy");
    expect(act).toEqual({ do: "nothing" });
    expect((status as VirtualDisk["status"])?.progress).toEqual({
      operation: "disk.clone",
      percent: 40,
      startedAt: "1970-01-01T00:00:00Z",
    });
  });

  test("a deletion waits for it", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    jobs(lab);
    inFlight(lab, host, "data", "disk.clone", 1);
    lab.delete("VirtualDisk", "data");
    await lab.settle();
    expect(jobs(lab)).toEqual([]);
    host.jobs.clear();
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.delete data"]);
  });
});

describe("what is there stays", () => {
  test("a disk whose file is gone is never made again", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    jobs(lab);
    host.admin((world) => world.removeFile(disk(lab, "data").path ?? ""));
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/DiskMissing");
    expect(jobs(lab)).toEqual([]);
  });

  test("two files that match are ambiguous", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    jobs(lab);
    host.admin((world) =>
      world.putFile({ ...world.knownDisk(disk(lab, "data").path ?? ""), path: "D:\\Disks\\copy.vhdx" }),
    );
    edit(lab, "VirtualDisk", "data", { size: "2Gi" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/OwnershipAmbiguous");
    expect(jobs(lab)).toEqual([]);
  });

  test("of a machine that vanished with a checkpoint the leaf is attached again, never the file below it", async () => {
    const { lab, host } = await running();
    addCheckpoint(host, "web");
    await lab.settle();
    const before = disk(lab, "web-os");
    host.admin((world) => world.vms().forEach(({ id }) => world.removeVm(id)));
    await lab.settle();
    const [drive] = vmOf(host, "web")?.disks ?? [];
    expect(drive?.path).toMatch(/_1\.avhdx$/);
    expect(disk(lab, "web-os")).toMatchObject({ path: before.path, parents: before.parents, id: before.id });
    expect(told(lab, "VirtualDisk", "web-os")).toBe("True/Converged");
  });

  test("a checkpoint that nobody can place holds the disk back", async () => {
    const { lab, host } = await running({ powerState: "Stopped" });
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    jobs(lab);
    const path = disk(lab, "data").path ?? "";
    host.admin((world) =>
      ["_1.avhdx", "_2.avhdx"].forEach((end) =>
        world.putFile({
          ...world.knownDisk(path),
          path: path.replace(/\.vhdx$/, end),
          diskType: "Differencing",
          parentPath: path,
        }),
      ),
    );
    edit(lab, "VirtualDisk", "data", { ...data, size: "2Gi" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/CheckpointChainBroken");
    lab.delete("VirtualDisk", "data");
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("False/DiskHasCheckpoints");
    expect(jobs(lab)).toEqual([]);
  });

  test("an edit of the storage class moves the file with its machine running", async () => {
    const { lab, host } = await running();
    edit(lab, "VirtualDisk", "web-os", { storageClass: "fast" });
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.move web-os"]);
    expect(disk(lab, "web-os").path).toMatch(/^D:\\Fast\\default\\web-os\./);
    expect(vmOf(host, "web")?.state).toBe("Running");
  });

  test("a lost store's file is left until it is taken back by its uid", async () => {
    const { lab } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    const { id } = disk(lab, "data");
    const { uid } = lab.get("VirtualDisk", "data").metadata;
    lab.objects.delete("VirtualDisk/default/data");
    jobs(lab);
    put(lab, "VirtualDisk", "data", blank("1Gi", { host: "hv1" }));
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/IdentityChanged");
    expect(jobs(lab)).toEqual([]);
    lab.annotate("VirtualDisk", "data", { [annotations.reclaim]: uid });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
    expect(disk(lab, "data").id).toBe(id);
  });

  test("a file of the same name that another control plane made is no reason for a second one", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    const { path } = disk(lab, "data");
    lab.objects.delete("VirtualDisk/default/data");
    jobs(lab);
    put(lab, "VirtualDisk", "data", blank("1Gi", { host: "hv1" }));
    const foreign = "01JABCDEFGHJKMNPQRSTVWXYZ0";
    host.admin((world) => {
      world.putText(`${path}.aetherv.json`, { ...world.sidecar(path ?? ""), controlPlaneId: foreign });
    });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/NameConflict");
    expect(JSON.stringify(disk(lab, "data").conditions)).toContain(foreign);
    expect(jobs(lab)).toEqual([]);
  });

  test("a host that does not answer: nothing is done, and the status says so", async () => {
    const { lab, host } = await running();
    host.reach = { at: "down", since: new Date(0), missed: 2, fault: { code: "HostUnreachable", message: "no route" } };
    edit(lab, "VirtualDisk", "web-os", { size: "50Gi" });
    expect(lab.decide("VirtualDisk", "web-os")).toMatchObject({ act: { do: "nothing" }, plan: [] });
    const status = lab.decide("VirtualDisk", "web-os").status as VirtualDisk["status"];
    expect(status?.conditions?.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`)).toContain(
      "Ready Unknown HostUnreachable",
    );
    expect(status?.id).toBe(disk(lab, "web-os").id);
  });
});

describe("deletion", () => {
  test("moves the file to the trash; one that a running machine had for a day at least", async () => {
    const { lab, host } = stage();
    lab.apply({
      kind: "VMHost",
      name: "hv1",
      spec: { ...(lab.get("VMHost", "hv1").spec as object), trashRetention: "1h" },
    });
    addMachine(lab, "web");
    put(lab, "VirtualDisk", "spare", blank("1Gi"));
    await lab.settle();
    edit(lab, "VirtualMachine", "web", { powerState: "Stopped" });
    await lab.settle();
    edit(lab, "VirtualDisk", "web-os", { attachment: undefined });
    await lab.settle();
    lab.delete("VirtualDisk", "web-os");
    lab.delete("VirtualDisk", "spare");
    await lab.settle();
    expect(lab.find("VirtualDisk", "web-os")).toBeUndefined();
    expect(lab.find("VirtualDisk", "spare")).toBeUndefined();
    const hours = Object.fromEntries(
      [...host.snapshot.trash.values()].map(({ owner, deletedAt, purgeAt }) => [
        owner.name,
        (Date.parse(purgeAt) - Date.parse(deletedAt)) / 3_600_000,
      ]),
    );
    expect(hours).toEqual({ "web-os": 24, spare: 1 });
  });

  test("clears up after a copy that was broken off", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "copy", { source: { type: "Image", image: "debian-12" } });
    host.behaviour = {
      ...host.behaviour,
      faults: [{ id: "f", operation: "disk.clone", count: 1, fault: { type: "partial" } }],
    };
    await lab.settle();
    const partials = () =>
      host.store.read((tx) =>
        [...tx.of("file")].map((file) => (file as { path: string }).path).filter((path) => path.includes(".partial.")),
      );
    expect(partials()).toHaveLength(1);
    lab.delete("VirtualDisk", "copy");
    lab.forgive();
    await lab.settle();
    expect(lab.find("VirtualDisk", "copy")).toBeUndefined();
    expect(partials()).toEqual([]);
    expect(host.snapshot.trash.size).toBe(0);
  });

  test("is held by the mass-delete guard, which is told with its batch", async () => {
    const { lab } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    jobs(lab);
    lab.massDelete = { batch: "0badcafe", message: "Too many at once." };
    lab.delete("VirtualDisk", "data");
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/MassDeleteGuard");
    expect(disk(lab, "data").deletionBatch).toBe("0badcafe");
    expect(jobs(lab)).toEqual([]);
  });

  test("a file put into the trash by somebody is told, and not made again", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    const { uid } = lab.get("VirtualDisk", "data").metadata;
    const owner = { kind: "VirtualDisk" as const, namespace: "default", name: "data", uid };
    await host.run("disk.delete", { owner, path: disk(lab, "data").path, retentionSeconds: 3600 }, []);
    jobs(lab);
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data", "Stalled")).toBe("True/DiskMissing");
    expect(disk(lab, "data").trash?.path).toMatch(/Trash/);
    expect(jobs(lab)).toEqual([]);
  });

  test("waits while its machine has it", async () => {
    const { lab, host } = await running();
    lab.delete("VirtualDisk", "web-os");
    await lab.settle();
    expect(told(lab, "VirtualDisk", "web-os", "Stalled")).toBe("True/InUse");
    expect(jobs(lab)).toEqual([]);
    lab.delete("VirtualMachine", "web");
    await lab.settle();
    expect(lab.find("VirtualDisk", "web-os")).toBeUndefined();
    expect(host.snapshot.trash.size).toBe(1);
  });

  test("is held by a disk based on it", async () => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "base", { source: { type: "Image", image: "debian-12" } });
    put(lab, "VirtualDisk", "child", {
      source: { type: "Differencing", parent: { type: "VirtualDisk", name: "base" } },
    });
    await lab.settle();
    expect(disk(lab, "child")).toMatchObject({ diskType: "Differencing", parents: [disk(lab, "base").path] });
    lab.delete("VirtualDisk", "base");
    await lab.settle();
    expect(told(lab, "VirtualDisk", "base", "Stalled")).toBe("True/DiskHasChildren");
    lab.delete("VirtualDisk", "child");
    await lab.settle();
    expect(lab.find("VirtualDisk", "child")).toBeUndefined();
    // In the trash it could still be brought back.
    expect(told(lab, "VirtualDisk", "base", "Stalled")).toBe("True/DiskHasChildren");
    host.admin((world) => [...host.snapshot.trash.keys()].forEach((path) => world.removeFile(path)));
    lab.forgive();
    await lab.settle();
    expect(lab.find("VirtualDisk", "base")).toBeUndefined();
  });

  test.each([
    { why: "deletionPolicy Orphan", spec: { deletionPolicy: "Orphan" }, annotate: {}, gone: true, file: true },
    {
      why: "the annotation force-orphan",
      spec: {},
      annotate: { [annotations.forceOrphan]: "true" },
      gone: true,
      file: true,
    },
    { why: "only observed", spec: { managementPolicy: "Observe" }, annotate: {}, gone: true, file: true },
    { why: "protected", spec: { deletionProtection: true }, annotate: {}, gone: false, file: true },
    { why: "paused", spec: {}, annotate: { [annotations.paused]: "true" }, gone: false, file: true },
  ])("leaves the file: $why", async ({ spec, annotate, gone, file }) => {
    const { lab, host } = stage();
    put(lab, "VirtualDisk", "data", blank("1Gi"));
    await lab.settle();
    edit(lab, "VirtualDisk", "data", spec);
    lab.annotate("VirtualDisk", "data", annotate);
    lab.delete("VirtualDisk", "data");
    await lab.settle();
    expect(lab.find("VirtualDisk", "data") === undefined).toBe(gone);
    expect([...host.snapshot.disks.keys()].some((path) => path.includes("data."))).toBe(file);
  });

  test("an adopted file is taken over, kept where it was found, and given up", async () => {
    const lab = new Lab();
    const host = addHost(lab, "hv1", { adoption: { namespaces: ["default"], paths: ["D:\\Old"] } });
    const path = "D:\\Old\\legacy.vhdx";
    host.admin((world) => {
      const image = world.disks().find((one) => one.path.endsWith("debian-12.vhdx"));
      if (image) world.putFile({ ...image, path, diskId: "00000000-0000-4000-8000-00000000abcd" });
    });
    put(lab, "VirtualDisk", "legacy", { source: { type: "File", path } });
    await lab.settle();
    expect(disk(lab, "legacy")).toMatchObject({ path, id: "00000000-0000-4000-8000-00000000abcd" });
    expect(told(lab, "VirtualDisk", "legacy")).toBe("True/Converged");
    lab.delete("VirtualDisk", "legacy");
    await lab.settle();
    expect(lab.find("VirtualDisk", "legacy")).toBeUndefined();
    expect(host.snapshot.disks.get(path)?.sidecar).toBeUndefined();
    expect(host.snapshot.trash.size).toBe(0);
  });
});

test("a disk whose parent was changed is reported and left alone", async () => {
  const { lab, host } = stage();
  put(lab, "VirtualDisk", "child", {
    host: "hv1",
    source: { type: "Differencing", parent: { type: "Image", name: "debian-12" } },
  });
  await lab.settle();
  expect(told(lab, "VirtualDisk", "child")).toBe("True/Converged");
  jobs(lab);
  host.admin((world) => {
    const image = world.disks().find(({ path }) => path.endsWith("debian-12.vhdx"));
    if (image) world.putFile({ ...image, writtenAt: "2026-01-01T09:00:00.000Z" });
  });
  await lab.settle();
  expect(told(lab, "VirtualDisk", "child")).toBe("False/CheckpointChainBroken");
  expect(jobs(lab)).toEqual([]);
});
