import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import type { JobResult } from "../../../src/protocol/generated/types.ts";
import {
  clearCalls,
  editHost,
  makeDisk,
  makeHost,
  readCalls,
  readDisk,
  realPath,
  setFaults,
} from "../../rigs/hyperv/host.ts";
import { fixtures } from "./cases.ts";
import { AGENT_FOLDER, AgentSession } from "./hyperv/session.ts";

/** What the host is asked, what a part that can't be read means, and what the host itself reports. */
const rig = await ensurePowerShell();
const TIMEOUT = 240_000;
const { layout } = fixtures.values as { layout: object };
let ids = 0;
let made = 20;
const request = (operation: string, resource_spec: object) => ({
  operation,
  resource_spec,
  correlation_id: String((ids += 1)).padStart(26, "0"),
  metadata: {
    timestamp: "2026-01-01T00:00:00Z",
    host: "host-1",
    control_plane: "plane-1",
    epoch: 5,
    deadline_seconds: 120,
    debug: false,
    dry_run: false,
    locks: [],
  },
});
const uid = (digit: string): string =>
  `${digit.padStart(8, "0")}-0000-4000-8000-${String(process.pid).padStart(12, "0")}`;
const owner = { kind: "VirtualMachine", namespace: "default", name: "web", uid: uid("a") };
const disk = (digit: string) => ({ kind: "VirtualDisk", namespace: "default", name: "data", uid: uid(digit) });

interface Inventory {
  readonly digest: string;
  readonly complete: boolean;
  readonly unknown: readonly { readonly part: string; readonly message: string }[];
  readonly observed: {
    readonly vms?: { upsert?: { id: string; clustered: boolean }[]; remove?: string[]; unknown?: string[] };
    readonly disks?: { upsert?: { path: string; unusable?: string }[]; remove?: string[] };
    readonly trash?: { upsert?: { path: string }[]; remove?: string[] };
    readonly host?: { cluster?: string; capabilities: object };
  };
}

if (rig.kind === "skipped") test.skip(`the inventory: ${rig.why}`, () => undefined);
else
  describe("the inventory of the PowerShell agent", () => {
    const root = mkdtempSync(join(tmpdir(), "aetherv-inventory-"));
    const session = new AgentSession({ rig, edition: "5.1", root, bundle: AGENT_FOLDER });
    let vmId = "";
    const send = async (operation: string, spec: object): Promise<JobResult> => {
      const result = await session.send(request(operation, spec));
      if (!result) throw new Error(`no answer: ${session.errors}`);
      return result;
    };
    const done = async (operation: string, spec: object): Promise<JobResult["data"]> => {
      const result = await send(operation, spec);
      expect(result, result.message).toMatchObject({ status: "success" });
      return result.data;
    };
    const inventory = async (since?: string): Promise<Inventory> =>
      (await done("host.inventory", since === undefined ? { layout } : { layout, since })) as unknown as Inventory;
    const blank = async (digit: string): Promise<string> =>
      String(
        (await done("disk.create", { owner: disk(digit), layout, type: "Blank", storageClass: "fast", size: 2 ** 30 }))[
          "path"
        ],
      );

    /** Machines with a disk each, beside the one that the agent made. */
    const grow = async (count: number): Promise<void> => {
      const names = Array.from({ length: count }, () => randomUUID());
      for (const name of names) await makeDisk(root, `D:\\Fast\\default\\m.${name}.vhdx`, { size: 2 ** 30 });
      await editHost(root, (host) => {
        const [first] = host.vms ?? [];
        for (const name of names) {
          const drive = { controllerType: "SCSI", controllerNumber: 0, controllerLocation: 0 };
          const copy = {
            ...structuredClone(first),
            id: randomUUID(),
            name: `m-${name}`,
            notes: "",
            scsi: [{ id: randomUUID() }],
          };
          host.vms?.push({ ...copy, adapters: [], drives: [{ ...drive, path: `D:\\Fast\\default\\m.${name}.vhdx` }] });
        }
      });
    };

    beforeAll(async () => {
      await makeHost(root);
      vmId = String((await done("vm.create", { owner, layout, generation: 2, config: { name: "web" } }))["vmId"]);
    }, TIMEOUT);
    afterAll(async () => {
      await setFaults(root, []);
      await session.close();
      rmSync(root, { recursive: true, force: true });
    });

    test(
      "one changed disk is one Get-VHD and one disk in the answer",
      async () => {
        const path = await blank("1");
        const { digest } = await inventory();
        const now = await readDisk(root, path);
        await makeDisk(root, path, { ...now, size: 2 ** 31 });
        await clearCalls(root);
        const changed = await inventory(digest);
        expect((await readCalls(root)).filter((call) => call === "Get-VHD")).toHaveLength(1);
        expect(changed.observed.disks?.upsert?.map((one) => one.path)).toEqual([path]);
        expect(changed.observed.vms).toBeUndefined();
      },
      TIMEOUT,
    );

    test.each([
      { on: "CIM:Msvm_ComputerSystem", parts: ["vms", "disks", "trash"] },
      { on: "CIM:Msvm_VirtualSystemSettingData", parts: ["vms", "disks", "trash"] },
      { on: "CIM:Msvm_StorageAllocationSettingData", parts: ["vms", "disks", "trash"] },
      { on: "CIM:Msvm_SyntheticEthernetPortSettingData", parts: ["vms"] },
      { on: "CIM:Msvm_KvpExchangeComponent", parts: ["guest"] },
      { on: "CIM:Msvm_HeartbeatComponent", parts: ["guest"] },
      { on: "CIM:Win32_OperatingSystem", parts: ["host"] },
      { on: "Get-VMSwitch", parts: ["host"] },
    ])(
      "$on fails: $parts are unknown, nothing is gone, the others come through",
      async ({ on, parts }) => {
        await done("vm.power", { owner, vmId, state: "Running" });
        const { digest } = await inventory();
        await blank(`${(made += 1)}`);
        await setFaults(root, [{ on, do: "throw", times: 1 }]);
        const read = await inventory(digest);
        await setFaults(root, []);
        expect(read).toMatchObject({ complete: false, digest });
        expect(read.unknown.map((one) => one.part)).toEqual(expect.arrayContaining(parts));
        expect(read.unknown.map((one) => one.part).filter((part) => !parts.includes(part))).toEqual([]);
        for (const part of [read.observed.vms, read.observed.disks, read.observed.trash])
          expect(part?.remove).toBeUndefined();
        if (!parts.includes("disks")) expect(read.observed.disks?.upsert).toHaveLength(1);
        const after = await inventory(digest);
        expect(after).toMatchObject({ complete: true, unknown: [] });
        expect(after.observed.disks?.upsert).toHaveLength(1);
      },
      TIMEOUT,
    );

    test(
      "without rights CIM answers no rows and no error: unknown with PermissionDenied, and no job takes it for absence",
      async () => {
        const path = await blank("9");
        const { digest } = await inventory();
        await setFaults(root, [{ on: "CIM:Msvm_*", do: "empty" }]);
        const read = await inventory(digest);
        expect(read).toMatchObject({ complete: false, digest });
        expect(read.unknown).toContainEqual({ part: "vms", message: expect.stringMatching(/^PermissionDenied: /) });
        for (const part of [read.observed.vms, read.observed.disks, read.observed.trash]) expect(part).toBeUndefined();
        for (const [operation, spec] of [
          ["vm.get", { owner }],
          ["vm.delete", { owner, vmId, layout }],
          ["vm.create", { owner: { ...owner, uid: uid("b") }, layout, generation: 2, config: { name: "new" } }],
          ["disk.delete", { owner: disk("9"), path, retentionSeconds: 0 }],
        ] as const)
          expect(await send(operation, spec), operation).toMatchObject({
            status: "error",
            code: expect.stringMatching(/^(PermissionDenied|InvalidRequest)$/),
          });
        await setFaults(root, []);
        expect(existsSync(realPath(root, path))).toBe(true);
        await setFaults(root, [{ on: "CIM:Msvm_ProcessorSettingData", do: "empty" }]);
        expect((await inventory(digest)).observed.vms?.unknown).toContain(vmId);
        await setFaults(root, []);
        expect(await inventory()).toMatchObject({ complete: true, unknown: [] });
      },
      TIMEOUT,
    );

    test(
      "limits, hot memory, cluster: the host's own words; a clustered machine is observed only",
      async () => {
        expect((await inventory()).observed.host).toMatchObject({
          capabilities: { maximumVmProcessors: 32, maximumVmMemoryBytes: 12 * 2 ** 40, hotAddMemory: true, tpm: true },
        });
        await editHost(root, (host) => {
          host.host = {
            ...host.host,
            cluster: "CL1",
            osVersion: "6.3.9600",
            maximumVmProcessors: 8,
            maximumVmMemoryBytes: 2 ** 40,
          };
          for (const vm of host.vms ?? []) if (vm["id"] === vmId) vm["clustered"] = true;
        });
        const { observed } = await inventory();
        expect(observed.host).toMatchObject({
          cluster: "CL1",
          capabilities: { maximumVmProcessors: 8, maximumVmMemoryBytes: 2 ** 40, hotAddMemory: false },
        });
        expect(observed.vms?.upsert?.filter((vm) => vm.clustered).map((vm) => vm.id)).toEqual([vmId]);
        expect(await send("vm.update", { owner, vmId, set: { notes: "x" } })).toMatchObject({ code: "OwnedByOther" });
        await editHost(root, (host) => {
          host.host = { ...host.host, osVersion: "10.0.20348" };
          delete host.host["cluster"];
          for (const vm of host.vms ?? []) vm["clustered"] = false;
        });
        expect((await inventory()).observed.host).not.toHaveProperty("cluster");
      },
      TIMEOUT,
    );

    test(
      "a parent that was written to: its child is unusable, and says why; the others are read",
      async () => {
        const parent = await blank("2");
        const child = String(
          (
            await done("disk.create", {
              owner: disk("3"),
              layout,
              type: "Differencing",
              storageClass: "fast",
              parent: { path: parent },
            })
          )["path"],
        );
        const shown = async () => (await inventory()).observed.disks?.upsert?.find((one) => one.path === child);
        expect(await shown()).not.toHaveProperty("unusable");
        await chmod(realPath(root, parent), 0o644);
        await makeDisk(root, parent, {
          ...(await readDisk(root, parent)),
          size: 2 ** 30,
          dataWriteId: randomUUID(),
          bodyBytes: 8192,
        });
        expect(await shown()).toMatchObject({ unusable: expect.stringMatching(/./) });
        rmSync(realPath(root, parent));
        expect(await shown()).toMatchObject({ unusable: expect.stringContaining("missing") });
      },
      TIMEOUT,
    );

    test(
      "change tracking files travel along: to another volume, into the trash, and back",
      async () => {
        const path = await blank("4");
        const both = (at: string): boolean[] => ["", ".rct", ".mrt"].map((end) => existsSync(realPath(root, at + end)));
        for (const end of [".rct", ".mrt"]) await writeFile(realPath(root, path + end), end);
        const moved = String(
          (await done("disk.move", { owner: disk("4"), path, layout, storageClass: "slow" }))["path"],
        );
        expect([both(moved), both(path)]).toEqual([
          [true, true, true],
          [false, false, false],
        ]);
        await done("disk.delete", { owner: disk("4"), path: moved, retentionSeconds: 3600 });
        expect(both(moved)).toEqual([false, false, false]);
        const [item] = (await inventory()).observed.trash?.upsert?.filter((one) => one.path.startsWith("C:")) ?? [];
        await done("disk.restore", { trashPath: item?.path });
        expect(both(moved)).toEqual([true, true, true]);
      },
      TIMEOUT,
    );

    test(
      "with 1, 20 and 200 machines (beside what the other tests left): as many queries, one more call a changed disk, next to no bytes when nothing changed",
      async () => {
        await inventory();
        const counts: { machines: number; all: number; quiet: number; bytes: number }[] = [];
        for (const more of [0, 19, 180]) {
          await grow(more);
          await clearCalls(root);
          const { digest, complete } = await inventory();
          expect(complete).toBe(true);
          const calls = await readCalls(root);
          expect(calls.filter((call) => call === "Get-VHD").length).toBe(more);
          await clearCalls(root);
          const quiet = await inventory(digest);
          expect(quiet).toMatchObject({ digest, full: false, complete: true, observed: {} });
          counts.push({
            machines: more,
            all: calls.filter((call) => call !== "Get-VHD").length,
            quiet: (await readCalls(root)).length,
            bytes: JSON.stringify(quiet).length,
          });
        }
        const [one] = counts;
        for (const count of counts) expect(count).toMatchObject({ all: one?.all, quiet: one?.all, bytes: one?.bytes });
        expect(one?.all).toBeLessThan(45);
        expect(one?.bytes).toBeLessThan(300);
      },
      TIMEOUT,
    );
  });
