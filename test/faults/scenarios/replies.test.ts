import { expect, test } from "vitest";
import type { FaultRule } from "../../../agents/simulator/model/faults.ts";
import { isTrash } from "../../../agents/simulator/model/paths.ts";
import { fault } from "../../../src/protocol/errors.ts";
import { diskNamed, oneVm, Stage, vmNamed } from "./stage.ts";

const once = (operation: FaultRule["operation"], what: FaultRule["fault"]): readonly FaultRule[] => [
  { id: "f", ...(operation && { operation }), count: 1, fault: what },
];

test("intent sent, no reply: the machine is made once", async () => {
  const stage = await Stage.open(oneVm, "memory", once("vm.create", { type: "lost" }));
  await stage.until("the machine is made", () => stage.vms().length > 0);
  await stage.close();
  expect(stage.vms().map(({ name }) => name)).toEqual(["web"]);
});

test("reply twice and late: each is taken for what it is", async () => {
  const stage = await Stage.open(oneVm, "memory", [
    { id: "twice", fault: { type: "duplicate" } },
    { id: "late", operation: "disk.clone", count: 1, fault: { type: "slow", ms: 40_000 } },
  ]);
  await stage.pass(120);
  await stage.close();
  expect(stage.filesOf("web-os")).toHaveLength(1);
});

test("agent killed between New-VHD and New-VM: the disk's file is the one that was made, and the machine gets it", async () => {
  const world = { ...oneVm, disks: [diskNamed("data", { vm: "web" })] };
  const stage = await Stage.open(world, "memory", once("disk.create", { type: "crash", point: "created" }));
  await stage.until("the file is made", () => stage.filesOf("data").length > 0);
  const made = stage.filesOf("data").map(({ diskId }) => diskId);
  await stage.close();
  expect(stage.filesOf("data").map(({ diskId }) => diskId)).toEqual(made);
});

test.each([
  { what: "the edit stands", class: "fast", folder: "C:\\Fast" },
  { what: "the edit is taken back", class: "standard", folder: "D:\\VMs" },
] as const)(
  "agent killed between a move's copy and the original's end, and $what: one file stays, one is in the trash",
  async (end) => {
    const world = { ...oneVm, disks: [diskNamed("data")] };
    const stage = await Stage.built(world);
    const [file] = stage.filesOf("data");
    stage.simulation.host("hv1").host.behaviour = {
      faults: once("disk.move", { type: "crash", point: "manifest" }),
    };
    await stage.want({ ...world, disks: [diskNamed("data", { storageClass: "fast" })] });
    await stage.until("the copy is there", () => stage.filesOf("data").length === 2);
    await stage.want({ ...world, disks: [diskNamed("data", { storageClass: end.class })] });
    await stage.close();
    expect(
      stage.filesOf("data").map(({ path, diskId }) => ({ folder: path.slice(0, end.folder.length), diskId })),
    ).toEqual([{ folder: end.folder, diskId: file?.diskId }]);
    const trashed = stage.read((on) =>
      on.disks().filter(({ path, diskId }) => isTrash(path) && diskId === file?.diskId),
    );
    expect(trashed).toHaveLength(1);
  },
);

test("host offline during delete: the object stays until its machine is gone", async () => {
  const stage = await Stage.built(oneVm);
  const { host } = stage.simulation.host("hv1");
  host.behaviour = { offline: true };
  host.kill();
  await stage.want({ ...oneVm, vms: [] });
  await stage.pass(600);
  expect(stage.object("VirtualMachine", "web")?.metadata.deletionTimestamp).toBeDefined();
  expect(stage.vm("web")?.state).toBe("Running");
  host.behaviour = { offline: false };
  await stage.close();
  expect(stage.vms()).toEqual([]);
});

test("empty inventory: what can't be seen is neither made anew nor given up", async () => {
  const stage = await Stage.built(oneVm);
  const { id } = stage.vm("web") ?? {};
  const created = stage.begun("vm.create");
  stage.simulation.host("hv1").host.behaviour = {
    faults: [{ id: "blind", fault: { type: "incomplete", part: "vms" } }],
  };
  stage.simulation.supervisor.crash(0);
  await stage.pass(300);
  await stage.want({ ...oneVm, vms: [] });
  await stage.pass(300);
  expect(stage.begun("vm.create")).toBe(created);
  expect(stage.vm("web")?.id).toBe(id);
  await stage.close();
  expect(stage.vms()).toEqual([]);
});

test("host key changed: nothing is sent to it, and that is told", async () => {
  const stage = await Stage.built(oneVm);
  const { host, watch } = stage.simulation.host("hv1");
  const heard = (): number => host.received.length + watch.audit.length;
  stage.simulation.network.refuse("hv1", fault("HostKeyMismatch", "the host shows another key"));
  await stage.pass(1);
  const before = heard();
  await stage.want({ ...oneVm, vms: [vmNamed("web", { cpu: 4 })] });
  await stage.pass(300);
  expect(heard()).toBe(before);
  expect(JSON.stringify(stage.object("VMHost", "hv1")?.status)).toContain("the host shows another key");
  stage.simulation.network.refuse("hv1", undefined);
  await stage.close();
  expect(stage.vm("web")?.cpu.count).toBe(4);
});

test("finalizer with its host gone: the object goes once its owner gives the machine up", async () => {
  const stage = await Stage.built(oneVm);
  const { host } = stage.simulation.host("hv1");
  host.behaviour = { offline: true };
  host.kill();
  await stage.want({ ...oneVm, vms: [] });
  await stage.pass(120);
  for (const [kind, name] of [
    ["VirtualMachine", "web"],
    ["VirtualDisk", "web-os"],
  ] as const) {
    expect(stage.object(kind, name)).toBeDefined();
    await stage.simulation.backend.annotate(stage.key(kind, name), "aetherv.io/force-orphan", "true");
  }
  await stage.pass(60);
  expect([stage.standing("VirtualMachine", "web"), stage.standing("VirtualDisk", "web-os")]).toEqual(["gone", "gone"]);
  stage.quiet();
  expect(stage.vms()).toHaveLength(1);
});
