import { expect, test } from "vitest";
import { refreshedOrder } from "../../../agents/simulator/model/operations/bootOrder.ts";
import { newVm } from "../../../agents/simulator/model/operations/vmDefaults.ts";
import { folderOf, join } from "../../../agents/simulator/model/paths.ts";
import type { DiskFile, Vm } from "../../../agents/simulator/model/types.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { carryOut } from "../../property/admin.ts";
import type { WorldSpec } from "../../property/world.ts";
import { diskNamed, nicNamed, oneVm, Stage, vmNamed } from "./stage.ts";

const foreignId = "0f0e0d0c-0000-4000-8000-00000000f0f0";

/** Somebody else's machine, as it must stay. */
const foreign = (name: string): Vm =>
  newVm({
    id: foreignId,
    adapterId: `Microsoft:${foreignId.toUpperCase()}\\1`,
    name,
    generation: 2,
    path: "D:\\Foreign",
  });

const untouched = (stage: Stage): Vm | undefined => stage.vms().find(({ id }) => id === foreignId);

test("foreign VM of the same name: it stays as it is, and ours is made once the name is free", async () => {
  const stage = await Stage.open({ ...oneVm, vms: [] });
  stage.byHand((world) => world.putVm(foreign("web")));
  await stage.pass(60);
  await stage.want(oneVm);
  await stage.pass(300);
  expect(stage.standing("VirtualMachine", "web")).toBe("Stalled/NameConflict");
  expect(untouched(stage)).toEqual(foreign("web"));
  stage.byHand((world) => world.removeVm(foreignId));
  await stage.close();
});

test("two VMs of one name: the one that carries our mark is ours", async () => {
  const stage = await Stage.built(oneVm);
  stage.byHand((world) => world.putVm(foreign("web")));
  await stage.want({ ...oneVm, vms: [vmNamed("web", { cpu: 4 })] });
  await stage.pass(120);
  expect(stage.vm("web")?.cpu.count).toBe(4);
  expect(untouched(stage)).toEqual(foreign("web"));
  await stage.want({ ...oneVm, vms: [] });
  await stage.pass(120);
  expect(stage.vms()).toEqual([foreign("web")]);
  stage.quiet();
});

test("disk moved then its old VM deleted: the disk lives on in its new machine", async () => {
  const vms = [vmNamed("web"), vmNamed("db")];
  const world: WorldSpec = { ...oneVm, vms, disks: [diskNamed("data", { vm: "web" })] };
  const stage = await Stage.built(world);
  const [file] = stage.filesOf("data");
  await stage.want({ ...world, vms: [vmNamed("db")], disks: [diskNamed("data", { vm: "db" })] });
  await stage.close();
  expect(stage.vm("db")?.drives.map(({ path }) => path)).toContain(file?.path);
  expect(stage.filesOf("data").map(({ diskId }) => diskId)).toEqual([file?.diskId]);
});

/** Every disk of the machine goes on in an .avhdx. */
const checkpoint =
  (type: "Standard" | "Recovery") =>
  (world: World): void => {
    const [vm] = world.vms();
    if (!vm) throw new Error("no machine");
    const files: string[] = [];
    const drives = vm.drives.map((drive, index) => {
      const { os: _, ...parent } = world.knownDisk(drive.path);
      const path = join(folderOf(drive.path), `c${index}_00000000-0000-4000-8000-00000000000${index}.avhdx`);
      const diskId = `00000000-0000-4000-8000-0000000000c${index}`;
      const child: DiskFile = {
        ...parent,
        path,
        diskId,
        diskType: "Differencing",
        fileSize: 2 ** 30,
        parentPath: drive.path,
      };
      world.putFile(child);
      files.push(path);
      return { ...drive, path };
    });
    const made = {
      id: "00000000-0000-4000-8000-0000000000cc",
      name: "by hand",
      type,
      createdAt: "2026-01-01T00:00:00Z",
      files,
    };
    world.putVm(refreshedOrder({ ...vm, drives, checkpoints: [made] }));
  };

/** The checkpoint goes, its files are merged two seconds later. */
const merge =
  (stage: Stage) =>
  (world: World): void => {
    const [vm] = world.vms();
    const files = vm?.checkpoints[0]?.files ?? [];
    const at = stage.simulation.scheduler.ms + 2000;
    if (vm) world.putVm({ ...vm, checkpoints: [], merging: true, due: [...vm.due, { at, what: "Merged", files }] });
  };

test.each([
  { name: "checkpoint made by hand", type: "Standard" },
  { name: "backup's transient checkpoint during a disk edit", type: "Recovery" },
] as const)("$name: the disk grows once it is gone", async ({ type }) => {
  const world = { ...oneVm, disks: [diskNamed("data", { vm: "web" })] };
  const stage = await Stage.built(world);
  stage.byHand(checkpoint(type));
  await stage.want({ ...world, disks: [diskNamed("data", { vm: "web", sizeGi: 30 })] });
  await stage.pass(200);
  expect(stage.filesOf("data").map(({ size }) => size)).toEqual([20 * 2 ** 30]);
  expect(stage.vm("web")?.checkpoints).toHaveLength(1);
  stage.byHand(merge(stage));
  await stage.close();
  expect(stage.filesOf("data").map(({ size }) => size)).toEqual([30 * 2 ** 30]);
});

test("disk file renamed by hand: it is known by its identity, and no other is made", async () => {
  const world = { ...oneVm, disks: [diskNamed("data")] };
  const stage = await Stage.built(world);
  const [file] = stage.filesOf("data");
  stage.byHand((on) => on.renameFile(file?.path ?? "", "D:\\VMs\\default\\renamed.vhdx"));
  const made = stage.begun("disk.create");
  await stage.pass(300);
  expect(stage.begun("disk.create")).toBe(made);
  expect(stage.read((on) => on.disk("D:\\VMs\\default\\renamed.vhdx")?.diskId)).toBe(file?.diskId);
  expect(stage.filesOf("data")).toEqual([]);
  stage.quiet();
});

test("VM moved to another managed host by hand: it is found there, and not made anew", async () => {
  const hosts = ["hv1", "hv2"];
  const stage = await Stage.built({ ...oneVm, hosts, vms: [vmNamed("web", { loose: true })] });
  const from = stage.vm("web") ? "hv1" : "hv2";
  const to = from === "hv1" ? "hv2" : "hv1";
  const vm = stage.vm("web", from);
  const files = vm?.drives.map(({ path }) => stage.read((world) => world.knownDisk(path), from)) ?? [];
  const created = stage.begun("vm.create", from) + stage.begun("vm.create", to);
  stage.simulation.moved(files.map(({ diskId }) => diskId));
  stage.byHand((world) => {
    world.removeVm(vm?.id ?? "");
    for (const { path } of files) world.removeDisk(path);
  }, from);
  stage.byHand((world) => {
    for (const file of files) world.putFile(file);
    if (vm) world.putVm(vm);
  }, to);
  await stage.pass(300);
  expect(stage.begun("vm.create", from) + stage.begun("vm.create", to)).toBe(created);
  expect(stage.vms(from)).toEqual([]);
  expect(stage.vms(to).map(({ id }) => id)).toEqual([vm?.id]);
  stage.quiet();
});

test("export copy imported beside its original: the copy is nobody's, and goes as it came", async () => {
  const world = { ...oneVm, nics: [nicNamed("nic", "web")] };
  const stage = await Stage.built(world);
  const { scheduler, chance } = stage.simulation;
  stage.byHand((on) => carryOut(on, { act: "copy", on: 0 }, scheduler.ms, chance));
  const original = stage.vm("web");
  const copy = stage.vms().find(({ id }) => id !== original?.id);
  await stage.want({ ...world, vms: [vmNamed("web", { cpu: 4 })] });
  await stage.pass(300);
  expect(stage.vms().find(({ id }) => id === copy?.id)).toEqual(copy);
  expect(stage.vm("web")?.id).toBe(original?.id);
  stage.quiet();
});

test("adapter's address given away while its machine was unregistered: the one that was told keeps it", async () => {
  const vms = [vmNamed("web"), vmNamed("db")];
  const stage = await Stage.built({ ...oneVm, vms });
  stage.simulation.host("hv1").host.behaviour = {
    faults: [{ id: "f", operation: "nic.create", count: 1, fault: { type: "crash", point: "created" } }],
  };
  await stage.want({ ...oneVm, vms, nics: [nicNamed("nic", "web")] });
  await stage.until("the adapter is made", () => stage.vm("web")?.adapters.length === 1);
  const [first] = stage.vm("web")?.adapters ?? [];
  const on = stage.vms().findIndex(({ name }) => name === "web");
  const { scheduler, chance } = stage.simulation;
  stage.byHand((world) => carryOut(world, { act: "unregisterVm", on }, scheduler.ms, chance));
  await stage.want({ ...oneVm, vms, nics: [nicNamed("nic", "web"), nicNamed("other", "db")] });
  await stage.until("the other one has the address", () => stage.vm("db")?.adapters.length === 1);
  expect(stage.vm("db")?.adapters[0]?.macAddress).toBe(first?.macAddress);
  await stage.close();
  expect(stage.vm("db")?.adapters[0]?.macAddress).toBe(first?.macAddress);
  expect(stage.vm("web")?.adapters[0]).toMatchObject({ id: first?.id });
  expect(stage.vm("web")?.adapters[0]?.macAddress).not.toBe(first?.macAddress);
});

test.each([
  { what: "given up", annotation: "aetherv.io/force-orphan" },
  { what: "paused", annotation: "aetherv.io/paused" },
])("machine $what while its deletion waits in line: it runs on when its turn would have come", async (asked) => {
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const stage = await Stage.built({ ...oneVm, vms: names.map((name) => vmNamed(name)) });
  const { host, watch } = stage.simulation.host("hv1");
  // Guests that take their time: a stop holds its slot for longer than a minute.
  host.behaviour = { faults: [{ id: "slow", operation: "vm.power", fault: { type: "slow", ms: 100_000 } }] };
  const ids = new Map(names.map((name) => [stage.uid("VirtualMachine", name), stage.vm(name)?.id]));
  const before = watch.audit.length;
  await stage.want({ ...oneVm, vms: [] });
  await stage.pass(60);
  const begun = new Set(watch.audit.slice(before).flatMap(({ at, locks }) => (at === "begin" ? (locks ?? []) : [])));
  const last = names.find((name) => !begun.has(stage.uid("VirtualMachine", name)));
  if (last === undefined) throw new Error("no deletion waits in line");
  expect(begun.size).toBeGreaterThan(0);
  const id = ids.get(stage.uid("VirtualMachine", last));
  await stage.simulation.backend.annotate(stage.key("VirtualMachine", last), asked.annotation, "true");
  await stage.pass(3600);
  expect(stage.vms().map((vm) => ({ id: vm.id, state: vm.state }))).toEqual([{ id, state: "Running" }]);
  stage.quiet();
});
