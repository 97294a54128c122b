import { expect, test } from "vitest";
import { diskNamed, oneVm, Stage, vmNamed } from "./stage.ts";

const edited = { ...oneVm, vms: [vmNamed("web", { cpu: 4 })] };

test("informer frozen: an edit that nobody hears of is carried out once the watch is found dead", async () => {
  const stage = await Stage.built(oneVm, "kubernetes");
  stage.kubernetes.wires.weather.frozen = true;
  await stage.want(edited);
  await stage.until("the edit is carried out", () => stage.vm("web")?.cpu.count === 4, 900);
  await stage.close();
});

test("a disk given back while nobody hears of it is not taken from its machine", async () => {
  const world = { ...oneVm, disks: [diskNamed("data", { vm: "web" })] };
  const stage = await Stage.built(world, "kubernetes");
  const { host } = stage.simulation.host("hv1");
  host.behaviour = { offline: true };
  host.kill();
  await stage.pass(1);
  await stage.want({ ...world, disks: [diskNamed("data")] });
  await stage.pass(2);
  stage.kubernetes.wires.weather.frozen = true;
  await stage.want(world);
  await stage.pass(50);
  const taken = stage.begun("disk.detach");
  host.behaviour = { offline: false };
  await stage.pass(45);
  expect(stage.begun("disk.detach")).toBe(taken);
  expect(stage.vm("web")?.drives).toHaveLength(2);
  await stage.close();
});

test("a disk deleted while nobody hears of it is not attached to a machine, which would hold it", async () => {
  const world = { ...oneVm, disks: [diskNamed("data")] };
  const stage = await Stage.built(world, "kubernetes");
  const { host } = stage.simulation.host("hv1");
  host.behaviour = { offline: true };
  host.kill();
  await stage.pass(1);
  await stage.want({ ...world, disks: [diskNamed("data", { vm: "web" })] });
  await stage.pass(2);
  stage.kubernetes.wires.weather.frozen = true;
  await stage.want(oneVm);
  const attached = stage.begun("disk.attach");
  host.behaviour = { offline: false };
  await stage.pass(45);
  expect(stage.begun("disk.attach")).toBe(attached);
  await stage.close();
  expect(stage.filesOf("data")).toEqual([]);
});

test("old deletionTimestamp replayed for a recreated name: the new object and its machine stay", async () => {
  const stage = await Stage.built(oneVm, "kubernetes");
  const place = "/apis/aetherv.io/v1alpha1/virtualmachines";
  await stage.want({ ...oneVm, vms: [] });
  await stage.until("all of it is gone", () => stage.standings().length === 1);
  const old = stage.kubernetes.changes(place).filter(({ object }) => object.metadata.deletionTimestamp !== undefined);
  expect(old.length).toBeGreaterThan(0);
  await stage.want(oneVm);
  await stage.until("it is there again", () => stage.vm("web")?.state === "Running");
  const { id } = stage.vm("web") ?? {};
  for (const change of old) stage.kubernetes.wires.changed(change);
  await stage.pass(120);
  await stage.close();
  expect(stage.vm("web")?.id).toBe(id);
});

test("delete and recreate inside a watch gap: the old machine goes, the new one comes", async () => {
  const stage = await Stage.built(oneVm, "kubernetes");
  const before = stage.vm("web")?.id;
  stage.kubernetes.wires.weather.state = "down";
  stage.kubernetes.wires.cutWatches(stage.simulation.chance);
  await stage.want({ ...oneVm, vms: [] });
  await stage.pass(3);
  await stage.want(oneVm);
  stage.kubernetes.model.compact();
  await stage.pass(5);
  stage.kubernetes.wires.weather.state = "fine";
  await stage.close();
  expect(stage.vms().map(({ name }) => name)).toEqual(["web"]);
  expect(stage.vm("web")?.id).not.toBe(before);
});

test("relist that drops half: what is missing in a list is not taken from its host", async () => {
  const world = { ...oneVm, vms: [vmNamed("web"), vmNamed("db")], disks: [diskNamed("data", { vm: "web" })] };
  const stage = await Stage.built(world, "kubernetes");
  const ids = stage.vms().map(({ id }) => id);
  const { weather } = stage.kubernetes.wires;
  weather.halved = true;
  stage.kubernetes.wires.cutWatches(stage.simulation.chance);
  stage.kubernetes.model.compact();
  await stage.pass(300);
  weather.halved = false;
  stage.kubernetes.wires.cutWatches(stage.simulation.chance);
  stage.kubernetes.model.compact();
  await stage.close();
  expect(stage.vms().map(({ id }) => id)).toEqual(ids);
});

test("A-B-A edit: an edit and its opposite end where they began", async () => {
  const stage = await Stage.built(oneVm, "kubernetes");
  const { id } = stage.vm("web") ?? {};
  await stage.want(edited);
  await stage.pass(0.2);
  await stage.want(oneVm);
  await stage.close();
  expect(stage.vm("web")).toMatchObject({ id, cpu: { count: 2 }, state: "Running" });
});

test("leader stopped 20 s then resumed: it has no effect beside the one that took its place", async () => {
  const stage = await Stage.built(oneVm, "kubernetes");
  const leader = stage.simulation.supervisor.leader;
  leader?.pause();
  await stage.want(edited);
  await stage.pass(20);
  leader?.resume();
  await stage.until("the edit is carried out", () => stage.vm("web")?.cpu.count === 4);
  await stage.close();
  expect(stage.simulation.supervisor.leader?.name).not.toBe(leader?.name);
});

test("storm of 409/429/5xx: it is outlasted", async () => {
  const stage = await Stage.open(oneVm, "kubernetes");
  stage.kubernetes.wires.weather.state = "storm";
  await stage.pass(120);
  stage.kubernetes.wires.weather.state = "fine";
  await stage.close();
});

test("torn last record: the store is as before its last write, and goes on", async () => {
  const stage = await Stage.built(oneVm, "files");
  const { id } = stage.vm("web") ?? {};
  await stage.want(edited);
  await stage.until("the edit is carried out", () => stage.vm("web")?.cpu.count === 4);
  stage.simulation.supervisor.crash(0);
  await stage.files.tear();
  await stage.close();
  expect(stage.vm("web")).toMatchObject({ id, cpu: { count: 4 } });
});

test("clone in progress at failover: the copy is not begun a second time", async () => {
  const stage = await Stage.open(oneVm, "kubernetes");
  await stage.until(
    "the copy is on its way",
    () => stage.filesOf("web-os").length > 0 || stage.begun("disk.clone") > 0,
  );
  stage.simulation.supervisor.leader?.end("is killed");
  await stage.close();
  expect(stage.filesOf("web-os")).toHaveLength(1);
});
