import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addImage } from "../../../agents/simulator/model/seed.ts";
import { World } from "../../../agents/simulator/model/world.ts";
import { ensureHost, openHost, readBehaviour } from "../../../agents/simulator/process/host.ts";
import { seededRandom } from "../../../agents/simulator/process/random.ts";
import { simulatorCommand } from "../../../src/cli/simulator/command.ts";

let data = "";
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "aetherv-admin-"));
  ensureHost(join(data, "simulated", "hv1"), { name: "hv1" });
});
afterEach(() => rmSync(data, { recursive: true }));

const run = async (line: string): Promise<string> => {
  const said: string[] = [];
  const command = simulatorCommand(() => data);
  for (const child of [command, ...command.commands, ...command.commands.flatMap((one) => one.commands)])
    child.exitOverride().configureOutput({ writeOut: (text) => said.push(text), writeErr: (text) => said.push(text) });
  await new Command("aetherv").addCommand(command).parseAsync(["simulator", ...line.split(" ")], { from: "user" });
  return said.join("");
};

const world = <T>(work: (world: World) => T): T =>
  openHost(join(data, "simulated", "hv1")).read((tx) => work(new World(tx)));
const vm = (name: string) => world((now) => now.vms().find((one) => one.name === name));

const withDisk = (): void => {
  openHost(join(data, "simulated", "hv1")).transact((tx) => {
    const now = new World(tx);
    const path = addImage(now, seededRandom(1), {
      file: "data.vhdx",
      folder: "D:\\Fast",
      size: 2 ** 30,
      fileSize: 2 ** 20,
    });
    const [found] = now.vms();
    if (!found) throw new Error("no machine");
    const place = { controllerType: "SCSI", controllerNumber: 0, controllerLocation: 0 } as const;
    now.putVm({ ...found, drives: [{ ...place, path, minIOPS: 0, maxIOPS: 0 }] });
  });
};

test("a new host takes what seed.json says, and the defaults for the rest", () => {
  const folder = join(data, "simulated", "hv2");
  mkdirSync(folder);
  writeFileSync(
    join(folder, "seed.json"),
    JSON.stringify({ cpu: 4, switches: [{ name: "Only", type: "Private", bandwidthMode: "None" }] }),
  );
  expect(ensureHost(folder, { name: "hv2", cpu: 8 })).toBe(true);
  expect(ensureHost(folder, { name: "hv2", cpu: 16 })).toBe(false);
  openHost(folder).read((tx) => {
    const now = new World(tx);
    expect(now.host()).toMatchObject({ name: "hv2", logicalProcessors: 4, memoryBytes: 256 * 2 ** 30 });
    expect(now.switches().map((one) => one.name)).toEqual(["Only"]);
    expect(now.disk("D:\\Images\\debian-12.vhdx")?.size).toBe(20 * 2 ** 30);
  });
});

describe("aetherv simulator", () => {
  test("lists hosts and machines", async () => {
    expect(await run("list")).toBe("hv1\n");
    await run("add-vm hv1 foreign 4Gi Running");
    expect(await run("list hv1")).toMatch(/foreign\s+Running\s+1\s+4 GiB\s+0\s+\(nobody\)/);
    expect(await run("show hv1")).toContain("D:\\Images\\debian-12.vhdx");
    expect(JSON.parse(await run("show hv1 foreign"))).toMatchObject({ name: "foreign", generation: 2 });
  });

  test.each([
    {
      line: "set-memory hv1 foreign 8Gi",
      becomes: { memory: { startupBytes: 8 * 2 ** 30 } },
      says: "8 GiB (was 1 GiB)",
    },
    { line: "set-cpu hv1 foreign 4", becomes: { cpu: { count: 4 } }, says: "4 virtual processors" },
    { line: "power hv1 foreign Running", becomes: { state: "Running" }, says: "Running (was Off)" },
    { line: "power hv1 foreign saved", becomes: { state: "Saved" }, says: "Saved" },
    { line: "hang hv1 foreign", becomes: { hung: true }, says: "hangs" },
    { line: "edit-notes hv1 foreign some text", becomes: { notes: "some text" }, says: "some text" },
    { line: "set-vlan hv1 foreign 99", becomes: { adapters: [{ vlan: { mode: "Access", id: 99 } }] }, says: "VLAN 99" },
    { line: "set-vlan hv1 foreign 0", becomes: { adapters: [{ vlan: { mode: "Untagged" } }] }, says: "untagged" },
    {
      line: "connect hv1 foreign internal",
      becomes: { adapters: [{ switchId: expect.any(String) }] },
      says: "Internal",
    },
    { line: "detach-disk hv1 foreign data", becomes: { drives: [] }, says: "no longer attached" },
    {
      line: "add-checkpoint hv1 foreign nightly",
      becomes: { checkpoints: [{ name: "nightly" }], drives: [{ path: expect.stringMatching(/avhdx$/) }] },
      says: ".avhdx",
    },
  ])("$line", async ({ line, becomes, says }) => {
    await run("add-vm hv1 foreign");
    withDisk();
    expect(await run(line)).toContain(says);
    expect(vm("foreign")).toMatchObject(becomes);
  });

  test("a removed checkpoint merges", async () => {
    await run("add-vm hv1 foreign");
    withDisk();
    await run("add-checkpoint hv1 foreign");
    expect(await run("remove-checkpoint hv1 foreign")).toContain("being merged");
    expect(vm("foreign")).toMatchObject({ merging: true, checkpoints: [] });
  });

  test("changes what is not a machine", async () => {
    await run("rename-switch hv1 External Uplink");
    await run("delete-switch hv1 Internal");
    await run("add-image hv1 debian-13.vhdx");
    await run("open-disk hv1 debian-13.vhdx backup");
    await run("fill-volume hv1 D: 2Gi");
    await run("delete-disk hv1 ubuntu-24.04.vhdx");
    world((now) => {
      expect(now.switches().map((one) => one.name)).toEqual(["Uplink"]);
      expect(now.disk("D:\\Images\\debian-13.vhdx")).toMatchObject({ openBy: "backup", os: { family: "Linux" } });
      expect(now.disk("D:\\Images\\ubuntu-24.04.vhdx")).toBeUndefined();
      const volume = now.volumeOf("D:\\x");
      // The deleted image freed its 3 GiB again.
      expect(volume && now.freeBytes(volume)).toBe(5 * 2 ** 30);
    });
  });

  test("machines come, go and multiply", async () => {
    await run("add-vm hv1 foreign");
    withDisk();
    await run("copy-vm hv1 foreign twin");
    await run("rename-vm hv1 foreign original");
    expect(vm("twin")?.drives).toMatchObject([{ path: "D:\\Exports\\twin\\Virtual Hard Disks\\data.vhdx" }]);
    await run("unregister-vm hv1 original");
    expect(world((now) => now.files().filter((file) => file.type === "vmcx"))).toHaveLength(1);
    await run("delete-vm hv1 twin");
    expect(world((now) => now.vms())).toEqual([]);
  });

  test("behaviour: offline, latency, faults", async () => {
    await run("offline hv1");
    await run("latency hv1 0.5");
    await run("fault add hv1 crash=stamped operation=vm.create count=2 probability=0.5 target=web");
    await run("fault add hv1 error=HyperVError");
    const { faults = [], ...rest } = readBehaviour(join(data, "simulated", "hv1"));
    expect(rest).toEqual({ offline: true, latency: { factor: 0.5 } });
    expect(faults).toMatchObject([
      { operation: "vm.create", count: 2, probability: 0.5, target: "web", fault: { type: "crash", point: "stamped" } },
      { fault: { type: "error", code: "HyperVError" } },
    ]);
    await run("online hv1");
    expect(await run("fault clear hv1")).toContain("2 faults removed");
    expect(readBehaviour(join(data, "simulated", "hv1"))).toMatchObject({ offline: false, faults: [] });
  });

  test.each([
    { line: "list nope", error: /no simulated host "nope"/ },
    { line: "delete-vm hv1 none", error: /no virtual machine "none"/ },
    { line: "set-memory hv1 foreign 4G", error: /"4G" is no size/ },
    { line: "set-cpu hv1 foreign many", error: /COUNT: expected a whole number from 1 to 240/ },
    { line: "power hv1 foreign Onn", error: /expected one of Running, Off, Saved, Paused/ },
    { line: "fault add hv1 explode", error: /FAULT: expected one of slow, hang/ },
    { line: "fault add hv1 error=Nope", error: /expected error=CODE/ },
    { line: "fault add hv1 hang colour=red", error: /expected operation=, target=/ },
    { line: "latency hv1 -1", error: /FACTOR/ },
    { line: "fill-volume hv1 X:", error: /no volume "X:"; there are: C:/ },
    { line: "add-image hv1 file.txt", error: /ends in .vhdx, .vhd or .iso/ },
  ])("refuses: $line", async ({ line, error }) => {
    await run("add-vm hv1 foreign");
    await expect(run(line)).rejects.toThrow(error);
  });
});
