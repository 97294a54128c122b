import { describe, expect, test } from "vitest";
import { annotations } from "../../../../src/api/annotations.ts";
import type { VirtualDisk } from "../../../../src/api/generated/types.ts";
import { keyText } from "../../../../src/api/resource.ts";
import type { LabHost } from "../../../support/lab.ts";
import { Lab } from "../../../support/lab.ts";
import { guid } from "../../../support/states.ts";
import { addHost, addMachine, edit, jobs, put, statusOf, told } from "../stage.ts";

const disk = (lab: Lab) => statusOf<VirtualDisk>(lab, "VirtualDisk", "data");

/** A detached disk in the class "standard", beside a machine. */
const detached = async (): Promise<{ lab: Lab; host: LabHost; path: string }> => {
  const lab = new Lab();
  const host = addHost(lab, "hv1", {
    storageClasses: [
      { name: "standard", path: "D:\\Disks", default: true },
      { name: "fast", path: "D:\\Fast" },
      { name: "third", path: "D:\\Third" },
    ],
  });
  addMachine(lab, "web");
  put(lab, "VirtualDisk", "data", { source: { type: "Blank" }, size: "1Gi", host: "hv1", storageClass: "standard" });
  await lab.settle();
  jobs(lab);
  return { lab, host, path: disk(lab).path ?? "" };
};

const files = (host: LabHost): readonly string[] =>
  [...host.snapshot.disks.values()].map(({ path }) => path).filter((path) => path.includes("\\data."));
const trashed = (host: LabHost): readonly string[] =>
  [...host.snapshot.trash.values()].map(({ originalPath }) => originalPath);
const inFast = (path: string): string => path.replace("D:\\Disks", "D:\\Fast");

/** What a move to "fast" leaves that was cut off before it put the original away; then somebody writes into the original. */
const copyBeside = (host: LabHost, path: string, writtenAt?: string): void =>
  host.admin((world) => {
    const file = world.knownDisk(path);
    world.putFile({ ...file, path: inFast(path) });
    if (writtenAt !== undefined) world.putFile({ ...file, writtenAt });
  });
const later = "2026-01-01T09:00:00.000Z";

test("a detached disk's storage class changes by a copy; the original goes to the trash", async () => {
  const { lab, host, path } = await detached();
  edit(lab, "VirtualDisk", "data", { storageClass: "fast" });
  await lab.settle();
  expect(jobs(lab)).toEqual(["disk.move data"]);
  expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
  expect(files(host)).toEqual([inFast(path)]);
  expect(trashed(host)).toEqual([path]);
});

describe("a move that was cut off before it put the original away", () => {
  test("is finished", async () => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    edit(lab, "VirtualDisk", "data", { storageClass: "fast" });
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.move data"]);
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
    expect(files(host)).toEqual([inFast(path)]);
    expect(trashed(host)).toEqual([path]);
  });

  test("is finished when the disk was moved right after it was made, and its status did not come to tell its place", async () => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    edit(lab, "VirtualDisk", "data", { storageClass: "fast" });
    const { path: _, ...status } = disk(lab);
    lab.objects.set(keyText(lab.key("VirtualDisk", "data")), { ...lab.get("VirtualDisk", "data"), status });
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.move data"]);
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
    expect(files(host)).toEqual([inFast(path)]);
  });

  test.each([
    { why: "the edit was taken back", edits: {} },
    { why: "the spec asks for no class any more", edits: { storageClass: undefined } },
  ])("$why: the copy goes to the trash", async ({ edits }) => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    edit(lab, "VirtualDisk", "data", edits);
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.move data"]);
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
    expect(files(host)).toEqual([path]);
    expect(trashed(host)).toEqual([inFast(path)]);
    expect(disk(lab)).toMatchObject({ path, storageClass: "standard" });
  });

  test("the spec asks for a third class by now: the copy goes, then the original moves", async () => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    edit(lab, "VirtualDisk", "data", { storageClass: "third" });
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.move data", "disk.move data"]);
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
    expect(files(host)).toEqual([path.replace("D:\\Disks", "D:\\Third")]);
    expect(trashed(host).toSorted()).toEqual([path, inFast(path)].toSorted());
  });

  test.each([
    { why: "the edit stands", edits: { storageClass: "fast" } },
    { why: "the edit was taken back", edits: {} },
  ])("$why, but they differ: both stay, and neither is attached", async ({ edits }) => {
    const { lab, host, path } = await detached();
    copyBeside(host, path, later);
    edit(lab, "VirtualDisk", "data", { ...edits, attachment: { virtualMachine: "web" } });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("False/NameConflict");
    expect(new Set(jobs(lab))).toEqual(new Set(["disk.move data"]));
    expect(files(host).toSorted()).toEqual([path, inFast(path)].toSorted());
    expect(trashed(host)).toEqual([]);
  });

  test("both go to the trash with their object", async () => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    lab.delete("VirtualDisk", "data");
    await lab.settle();
    expect(lab.find("VirtualDisk", "data")).toBeUndefined();
    expect(files(host)).toEqual([]);
    expect(trashed(host).toSorted()).toEqual([path, inFast(path)].toSorted());
  });

  test("a machine has one of the files: a person decides", async () => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    host.admin((world) => {
      const [vm] = world.vms();
      const drive = {
        controllerType: "SCSI",
        controllerNumber: 0,
        controllerLocation: 9,
        minIOPS: 0,
        maxIOPS: 0,
      } as const;
      if (vm) world.changeVm(vm.id, ({ drives }) => ({ drives: [...drives, { ...drive, path: inFast(path) }] }));
    });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("False/OwnershipAmbiguous");
    expect(jobs(lab)).toEqual([]);
  });

  test.each([
    { why: "another folder", as: (path: string) => inFast(path).replace("\\default\\", "\\mine\\") },
    { why: "the class of the other", as: (path: string) => path.replace("\\default\\", "\\mine\\") },
  ])("a copy that no move explains stays: in $why", async ({ as }) => {
    const { lab, host, path } = await detached();
    host.admin((world) => world.putFile({ ...world.knownDisk(path), path: as(path) }));
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("False/OwnershipAmbiguous");
    expect(jobs(lab)).toEqual([]);
  });

  test("two files that were taken over from a copy made by hand are two objects' files: neither goes", async () => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    host.admin((world) => {
      const { diskId } = world.knownDisk(path);
      world.putText(`${inFast(path)}.aetherv.json`, { uid: guid(99), diskId });
    });
    edit(lab, "VirtualDisk", "data", { storageClass: "fast" });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "data")).toBe("False/OwnershipAmbiguous");
    expect(jobs(lab)).toEqual([]);
  });

  test("nothing is made on the disk before one of its files is gone", async () => {
    const { lab, host, path } = await detached();
    copyBeside(host, path);
    lab.annotate("VirtualDisk", "data", { [annotations.paused]: "true" });
    edit(lab, "VirtualDisk", "data", { storageClass: "fast" });
    put(lab, "VirtualDisk", "child", {
      source: { type: "Differencing", parent: { type: "VirtualDisk", name: "data" } },
    });
    await lab.settle();
    expect(told(lab, "VirtualDisk", "child")).toBe("False/WaitingForReference");
    expect(jobs(lab)).toEqual([]);
    lab.annotate("VirtualDisk", "data", { [annotations.paused]: "false" });
    await lab.settle();
    expect(jobs(lab)).toEqual(["disk.move data", "disk.create child"]);
    expect(told(lab, "VirtualDisk", "data")).toBe("True/Converged");
    expect(files(host)).toEqual([inFast(path)]);
  });
});

test("of what lies in the trash the file that went last is told, not what a move put away before", async () => {
  const { lab, host, path } = await detached();
  edit(lab, "VirtualDisk", "data", { storageClass: "fast" });
  await lab.settle();
  const { uid } = lab.get("VirtualDisk", "data").metadata;
  const owner = { kind: "VirtualDisk" as const, namespace: "default", name: "data", uid };
  await host.run("disk.delete", { owner, path: inFast(path), retentionSeconds: 3600 }, []);
  await lab.settle();
  expect(trashed(host).toSorted()).toEqual([path, inFast(path)].toSorted());
  const told = [...host.snapshot.trash.values()].find((one) => one.path === disk(lab).trash?.path);
  expect(told?.originalPath).toBe(inFast(path));
});
