import { describe, expect, test } from "vitest";
import type { DiskFile, Drive, Vm } from "../../../agents/simulator/model/types.ts";
import { newVm } from "../../../agents/simulator/model/operations/vmDefaults.ts";
import type { InventoryData, JobResult, Operation, OperationSpecs } from "../../../src/protocol/generated/types.ts";
import { Bench, layout, owner } from "./support.ts";

const GiB = 2 ** 30;
const fast = { ...layout, storageClasses: [...layout.storageClasses, { name: "slow", path: "C:\\Slow" }] };
const data = owner("VirtualDisk", "data");
const path = `D:\\Fast\\default\\data.${data.uid}.vhdx`;

const stage = (): {
  bench: Bench;
  send: <O extends Operation>(operation: O, spec: OperationSpecs[O]) => Promise<JobResult>;
} => {
  const bench = new Bench();
  bench.behaviour = { latency: { factor: 0 } };
  const agent = bench.agent();
  return { bench, send: (operation, spec) => bench.send(agent, bench.request(operation, spec)) };
};

const made = async (more: object = {}) => {
  const all = stage();
  const spec = { owner: data, layout: fast, storageClass: "fast", type: "Blank", size: GiB, ...more };
  expect(await all.send("disk.create", spec as OperationSpecs["disk.create"])).toMatchObject({ status: "success" });
  return all;
};

const codeOf = ({ code }: JobResult): string | undefined => code;
const paths = (bench: Bench): readonly string[] => bench.world((world) => world.files().map((file) => file.path));

/** A machine of nobody with these files. */
const addVm = (bench: Bench, over: Partial<Vm>, ...files: readonly string[]): string => {
  const id = "00000000-0000-4000-8000-0000000000aa";
  const drives = files.map((file, at): Drive => ({
    controllerType: "SCSI",
    controllerNumber: 0,
    controllerLocation: at,
    path: file,
    minIOPS: 0,
    maxIOPS: 0,
  }));
  bench.change((world) =>
    world.putVm({
      ...newVm({ id, adapterId: "a", name: "by hand", generation: 2, path: "D:\\VMs\\by hand" }),
      drives,
      ...over,
    }),
  );
  return id;
};

const change = (bench: Bench, wanted: string, over: Partial<DiskFile>): void =>
  bench.change((world) => world.putFile({ ...world.knownDisk(wanted), ...over }));

describe("files of change tracking", () => {
  const track = (bench: Bench): void =>
    bench.change((world) => {
      for (const end of [".rct", ".mrt"]) world.putFile({ type: "text", path: path + end, fileSize: 4096 });
    });
  const beside = (bench: Bench): readonly string[] =>
    paths(bench)
      .filter((one) => /\.(rct|mrt)$/.test(one))
      .toSorted();

  test("travel with a detached disk that is moved, and lie with the original in the trash", async () => {
    const { bench, send } = await made();
    track(bench);
    expect(codeOf(await send("disk.move", { owner: data, path, layout: fast, storageClass: "slow" }))).toBeUndefined();
    const [moved] = beside(bench);
    expect(moved).toBe(`C:\\Slow\\default\\data.${data.uid}.vhdx.mrt`);
    expect(beside(bench).filter((one) => one.includes("AetherV.Trash"))).toHaveLength(2);
    expect(beside(bench)).toHaveLength(4);
  });

  test("go into the trash with their disk, come back with it, and are purged with it", async () => {
    const { bench, send } = await made();
    track(bench);
    expect(codeOf(await send("disk.delete", { owner: data, path, retentionSeconds: 3600 }))).toBeUndefined();
    expect(beside(bench).every((one) => one.includes("AetherV.Trash"))).toBe(true);
    const trashPath = paths(bench).find((one) => one.includes("AetherV.Trash") && one.endsWith(".vhdx")) ?? "";
    expect(codeOf(await send("disk.restore", { trashPath }))).toBeUndefined();
    expect(beside(bench)).toEqual([`${path}.mrt`, `${path}.rct`]);
    await send("disk.delete", { owner: data, path, retentionSeconds: 60 });
    await send("host.inventory", { layout: fast });
    await bench.clock.advance(120_000);
    await send("host.inventory", { layout: fast });
    expect(beside(bench)).toEqual([]);
  });
});

test("a moved disk's original in the trash is not restored beside the disk", async () => {
  const { bench, send } = await made();
  await send("disk.move", { owner: data, path, layout: fast, storageClass: "slow" });
  const trashPath = paths(bench).find((one) => one.includes("AetherV.Trash") && one.endsWith(".vhdx")) ?? "";
  expect(codeOf(await send("disk.restore", { trashPath }))).toBe("NameConflict");
});

test("a disk that is written while it is copied stays where it is, and the copy goes", async () => {
  const { bench } = await made();
  bench.behaviour = { latency: { factor: 1, copyBytesPerSecond: 65536 } };
  const agent = bench.agent("p2");
  const pending = agent.handle(
    bench.request("disk.move", { owner: data, path, layout: fast, storageClass: "slow" }),
    () => undefined,
  );
  await bench.clock.advance(1000);
  change(bench, path, { writtenAt: bench.clock.now().toISOString() });
  expect(codeOf(await bench.finish(pending))).toBe("Busy");
  expect(paths(bench).filter((one) => one.includes(data.uid) && one.endsWith(".vhdx"))).toEqual([path]);
});

describe("a copy whose original has to stay after all", () => {
  const target = `C:\\Slow\\default\\data.${data.uid}.vhdx`;
  const move = { owner: data, path, layout: fast, storageClass: "slow" };
  const write = (bench: Bench): void => change(bench, path, { size: 2 * GiB, writtenAt: "2026-02-01T00:00:00Z" });
  let agents = 1;
  /** Moves the disk on a host, of which both files are changed once the copy has its name. */
  const moveWhile = async (bench: Bench, touch: (bench: Bench) => void): Promise<JobResult> => {
    let isDone = false;
    const betweenEffects = (): Promise<void> => {
      if (!isDone && paths(bench).includes(target)) {
        isDone = true;
        touch(bench);
      }
      return Promise.resolve();
    };
    const agent = bench.agent(`p${(agents += 1)}`, { betweenEffects });
    const result = await bench.send(agent, bench.request("disk.move", move));
    expect(isDone).toBe(true);
    return result;
  };
  const movedWhile = async (touch: (bench: Bench) => void) => {
    const { bench, send } = await made();
    return { bench, send, code: codeOf(await moveWhile(bench, touch)) };
  };
  const inTrash = (bench: Bench): readonly string[] =>
    paths(bench).filter((one) => one.includes("AetherV.Trash") && one.endsWith(".vhdx"));

  test("goes into the trash; the original stays, and can be moved again", async () => {
    const { bench, send, code } = await movedWhile(write);
    expect(code).toBe("Busy");
    expect(inTrash(bench)).toEqual([expect.stringMatching(/^C:/)]);
    expect([paths(bench).includes(path), paths(bench).includes(target)]).toEqual([true, false]);
    expect(codeOf(await send("disk.move", move))).toBeUndefined();
    expect(bench.world((world) => world.knownDisk(target).size)).toBe(2 * GiB);
  });

  test("goes into the trash when a machine got the original", async () => {
    const { bench, code } = await movedWhile((on) => void addVm(on, {}, path));
    expect(code).toBe("DiskInUse");
    expect(inTrash(bench)).toEqual([expect.stringMatching(/^C:/)]);
    expect([paths(bench).includes(path), paths(bench).includes(target)]).toEqual([true, false]);
  });

  test("gives way to the next one, so that a move that fails again and again fills no volume", async () => {
    const { bench, send } = await movedWhile(write);
    const [first] = inTrash(bench);
    const again = (on: Bench): void => change(on, path, { writtenAt: "2026-02-02T00:00:00Z" });
    expect(codeOf(await moveWhile(bench, again))).toBe("Busy");
    const [second, ...more] = inTrash(bench);
    expect([second === first, more]).toEqual([false, []]);
    await send("host.inventory", { layout: fast });
    expect(paths(bench)).toContain(second);
  });

  test("stays in the trash when somebody wrote into it there", async () => {
    const { bench, send } = await movedWhile(write);
    const [first = ""] = inTrash(bench);
    change(bench, first, { writtenAt: "2030-01-01T00:00:00Z" });
    expect(codeOf(await send("disk.move", move))).toBeUndefined();
    expect(inTrash(bench)).toEqual(expect.arrayContaining([first]));
  });

  test.each([
    {
      why: "it was written, too",
      touch: (bench: Bench) => change(bench, target, { writtenAt: "2026-03-01T00:00:00Z" }),
    },
    { why: "a machine has it", touch: (bench: Bench) => void addVm(bench, {}, target) },
    { why: "somebody has it open", touch: (bench: Bench) => change(bench, target, { openBy: "Explorer" }) },
  ])("stays when $why", async ({ touch }) => {
    const { bench, code } = await movedWhile((on) => {
      write(on);
      touch(on);
    });
    expect(code).toBe("Busy");
    expect(inTrash(bench)).toEqual([]);
    expect(paths(bench)).toEqual(expect.arrayContaining([path, target]));
  });
});

test("a third storage migration of one machine is refused", async () => {
  const { bench, send } = await made();
  const others = ["D:\\Fast\\default\\b.u-b.vhdx", "D:\\Fast\\default\\c.u-c.vhdx"];
  for (const other of others)
    bench.change((world) => world.putFile({ ...world.knownDisk(path), path: other, diskId: other }));
  addVm(bench, {}, path, ...others);
  const run = (uid: string, id: string): void =>
    bench.change((world) =>
      world.tx.put(`run:${id}`, {
        correlation_id: id,
        operation: "disk.move",
        locks: [uid],
        startedAt: "",
        process: "p9",
      }),
    );
  bench.alive.add("p9");
  const move = { owner: data, path, layout: fast, storageClass: "slow" };
  run("u-b", "B".repeat(26));
  run("u-c", "C".repeat(26));
  const refused = await send("disk.move", move);
  expect([codeOf(refused), refused.message]).toMatchObject(["Busy", expect.stringContaining("2 storage migrations")]);
  bench.change((world) => world.tx.delete(`run:${"C".repeat(26)}`));
  expect(codeOf(await send("disk.move", move))).toBeUndefined();
});

describe("a shared disk", () => {
  const sharedId = "00000000-0000-4000-8000-00000000beef";
  test.each([
    { why: "is not grown", operation: "disk.update", spec: { size: 2 * GiB } },
    { why: "is not moved", operation: "disk.move", spec: { layout: fast, storageClass: "slow" } },
    { why: "is not deleted", operation: "disk.delete", spec: { retentionSeconds: 60 } },
  ] as const)("$why", async ({ operation, spec }) => {
    const { bench, send } = await made();
    const shared = "D:\\Fast\\default\\shared.vhds";
    bench.change((world) => world.putFile({ ...world.knownDisk(path), path: shared, diskId: sharedId }));
    const target = { owner: data, path: shared, diskId: sharedId };
    expect(codeOf(await send(operation, { ...target, ...spec } as OperationSpecs[typeof operation]))).toBe(
      "DiskShared",
    );
  });

  test("is neither taken over nor cloned", async () => {
    const { bench, send } = await made();
    const shared = "D:\\Fast\\default\\shared.vhds";
    bench.change((world) => world.putFile({ ...world.knownDisk(path), path: shared, diskId: sharedId }));
    const other = owner("VirtualDisk", "other");
    expect(codeOf(await send("disk.create", { owner: other, layout: fast, type: "File", path: shared }))).toBe(
      "DiskShared",
    );
    const clone = { owner: other, layout: fast, storageClass: "fast", source: { path: shared } };
    expect(codeOf(await send("disk.clone", clone))).toBe("DiskShared");
  });
});

describe("a differencing disk", () => {
  const parent = "D:\\Images\\debian-12.vhdx";
  const child = { type: "Differencing", size: undefined, parent: { image: "debian-12" } };
  const listed = async (send: ReturnType<typeof stage>["send"], since?: string): Promise<InventoryData> =>
    (await send("host.inventory", { layout: fast, ...(since !== undefined && { since }) }))
      .data as unknown as InventoryData;

  test.each([
    { why: "was written into", over: { writtenAt: "2026-01-01T09:00:00.000Z" } },
    { why: "has another identifier", over: { diskId: "00000000-0000-4000-8000-00000000beef" } },
    { why: "has another size", over: { size: 21 * GiB } },
  ])("whose parent $why is told as unusable, at once, and its machine does not start", async ({ over }) => {
    const { bench, send } = await made(child);
    const before = await listed(send);
    expect(before.observed.disks?.upsert).toMatchObject([{ path, parentPath: parent }]);
    expect(before.observed.disks?.upsert?.[0]?.unusable).toBeUndefined();
    change(bench, parent, over);
    const after = await listed(send, before.digest);
    expect(after.full).toBe(false);
    const told = after.observed.disks?.upsert?.find((one) => one.path === path);
    expect(told?.unusable).toContain(parent);
    const web = owner("VirtualMachine", "web");
    const created = await send("vm.create", {
      owner: web,
      layout: fast,
      generation: 2,
      config: { name: "web" },
    } as OperationSpecs["vm.create"]);
    const vmId = (created.data as { vmId: string }).vmId;
    bench.change((world) =>
      world.changeVm(vmId, () => ({
        drives: [{ controllerType: "SCSI", controllerNumber: 0, controllerLocation: 0, path, minIOPS: 0, maxIOPS: 0 }],
      })),
    );
    const start = await send("vm.power", { owner: web, vmId, state: "Running" });
    expect([codeOf(start), start.message]).toMatchObject(["HyperVError", expect.stringContaining("0xC03A000E")]);
  });
});

describe("a saved machine", () => {
  const saved = async (free: number) => {
    const { bench, send } = stage();
    const web = owner("VirtualMachine", "web");
    const created = await send("vm.create", {
      owner: web,
      layout: fast,
      generation: 2,
      config: { name: "web", memory: { startupBytes: 4 * GiB } },
    } as OperationSpecs["vm.create"]);
    const vmId = (created.data as { vmId: string }).vmId;
    const power = (state: OperationSpecs["vm.power"]["state"]) =>
      send("vm.power", { owner: web, vmId, state, mode: "TurnOff" });
    await power("Running");
    bench.change((world) => {
      const volume = world.volumeOf("D:\\VMs");
      if (volume) world.putVolume({ ...volume, otherBytes: volume.otherBytes + world.freeBytes(volume) - free });
    });
    const left = (): number =>
      bench.world((world) => world.freeBytes(world.volumeOf("D:\\VMs") ?? { root: "", totalBytes: 0, otherBytes: 0 }));
    return { power, left };
  };

  test("takes as much disk space as it has memory, until it is started or turned off", async () => {
    const { power, left } = await saved(10 * GiB);
    expect(codeOf(await power("Saved"))).toBeUndefined();
    expect(left()).toBe(6 * GiB);
    expect(codeOf(await power("Running"))).toBeUndefined();
    expect(left()).toBe(10 * GiB);
    await power("Saved");
    await power("Off");
    expect(left()).toBe(10 * GiB);
  });

  test("is not saved where its memory finds no space", async () => {
    const { power, left } = await saved(3 * GiB);
    expect(codeOf(await power("Saved"))).toBe("InsufficientStorage");
    expect(left()).toBe(3 * GiB);
  });
});

test("a storage class's folder that does not exist is no problem: its first disk makes it", async () => {
  const { send } = stage();
  const layoutOfNew = { ...layout, storageClasses: [{ name: "new", path: "D:\\Not\\Yet" }] };
  expect((await send("host.validate", { layout: layoutOfNew, networks: [] })).data).toMatchObject({ problems: [] });
  const disk = { owner: data, layout: layoutOfNew, storageClass: "new", type: "Blank" as const, size: GiB };
  expect(codeOf(await send("disk.create", disk))).toBeUndefined();
});
