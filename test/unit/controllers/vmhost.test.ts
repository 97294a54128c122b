import { describe, expect, test } from "vitest";
import type { VMHost } from "../../../src/api/generated/types.ts";
import { steadySize } from "../../../controllers/vmhost/sizes.ts";
import { Lab, conditionOf, readyText } from "../../support/lab.ts";
import { declareWeb, vmOf, vmSpec } from "../../support/samples.ts";

const GiB = 2 ** 30;

const hostOf = (lab: Lab): VMHost => lab.get<VMHost>("VMHost", "hv1");

const start = async (): Promise<Lab> => {
  const lab = new Lab();
  lab.addHost("hv1");
  declareWeb(lab);
  await lab.settle();
  await lab.clock.advance(60_000);
  await lab.settle();
  return lab;
};

describe("a host's status", () => {
  test("tells what it is and holds", async () => {
    const lab = await start();
    const { status } = hostOf(lab);
    expect(readyText(hostOf(lab))).toBe("True Converged: ");
    expect(status?.capacity).toMatchObject({ cpu: 32, memory: 256 * GiB });
    expect(status?.allocated).toMatchObject({ cpu: 2, memory: 2 * GiB });
    expect(status?.virtualMachines).toEqual({ managed: 1, unmanaged: 0 });
    expect(status?.images?.map(({ name }) => name)).toContain("debian-12-netinst.iso");
    expect(conditionOf(hostOf(lab), "Reachable")?.status).toBe("True");
    expect(conditionOf(hostOf(lab), "CapacityAvailable")?.status).toBe("True");
  });

  test("news of what it holds are written at once, but while its machines are worked on once in 30 seconds", async () => {
    const lab = await start();
    const lose = (name: string): void =>
      lab.hosts.get("hv1")?.admin((world) => {
        const [file] = world.disks();
        if (file)
          world.putFile({ ...file, path: `D:\\Disks\\default\\${name}.11111111-2222-4333-8444-555555555555.vhdx` });
      });
    lose("first");
    await lab.inventory();
    const told = lab.decide("VMHost", "hv1");
    expect((told.status as VMHost["status"])?.orphans).toHaveLength(1);
    lab.objects.set("VMHost//hv1", { ...hostOf(lab), status: told.status });
    lab.apply({ kind: "VirtualMachine", name: "second", spec: vmSpec({ host: "hv1" }) });
    lose("second");
    await lab.inventory();
    const held = lab.decide("VMHost", "hv1");
    expect(held.status).toEqual(told.status);
    expect(held.wakeAfterMs).toBeGreaterThan(0);
    await lab.clock.advance(held.wakeAfterMs ?? 0);
    expect((lab.decide("VMHost", "hv1").status as VMHost["status"])?.orphans).toHaveLength(2);
  });

  test("lists things of ours that no object declares, since when, and keeps that time", async () => {
    const lab = await start();
    const { uid } = vmOf(lab, "web").metadata;
    for (const kind of ["VirtualMachine/default/web", "VirtualDisk/default/web-os", "NetworkAdapter/default/web-lan"])
      lab.objects.delete(kind);
    await lab.clock.advance(60_000);
    await lab.settle();
    const orphans = hostOf(lab).status?.orphans;
    expect(orphans?.map(({ kind }) => kind).toSorted()).toEqual(["NetworkAdapter", "VirtualDisk", "VirtualMachine"]);
    expect(hostOf(lab).status?.virtualMachines).toEqual({ managed: 0, unmanaged: 0 });
    await lab.clock.advance(3_600_000);
    await lab.settle();
    expect(hostOf(lab).status?.orphans).toEqual(orphans);
    expect(uid).toBeDefined();
  });

  test("its problems stall it, with the field", async () => {
    const lab = await start();
    const host = lab.hosts.get("hv1");
    host?.problems.push({ field: "storageClasses[name=fast].path", code: "InvalidRequest", message: "no such folder" });
    await lab.settle();
    expect(readyText(hostOf(lab))).toBe("False InvalidRequest: spec.storageClasses[name=fast].path: no such folder");
  });

  test("a host that does not answer is Unknown after two intervals, not before", async () => {
    const lab = await start();
    const host = lab.hosts.get("hv1");
    if (!host) throw new Error("no host");
    const fault = { code: "HostUnreachable" as const, message: "no answer" };
    host.reach = { at: "down", since: lab.clock.now(), missed: 1, fault };
    await lab.settle();
    expect(readyText(hostOf(lab))).toMatch(/^True/);
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True/);
    host.reach = { at: "down", since: lab.clock.now(), missed: 2, fault };
    await lab.settle();
    expect(readyText(hostOf(lab))).toMatch(/^Unknown HostUnreachable/);
    expect(readyText(vmOf(lab, "web"))).toMatch(/^Unknown HostUnreachable/);
    expect(conditionOf(vmOf(lab, "web"), "Created")?.status).toBe("True");
  });
});

describe("deletion of a host", () => {
  test("is held while anything is placed on it", async () => {
    const lab = await start();
    lab.delete("VMHost", "hv1");
    await lab.settle();
    expect(readyText(hostOf(lab))).toMatch(/^False InUse: .*VirtualMachine\/default\/web/);
  });

  test("of an empty one goes through", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    await lab.settle();
    lab.delete("VMHost", "hv1");
    await lab.settle();
    expect(lab.find("VMHost", "hv1")).toBeUndefined();
  });
});

describe("sizes", () => {
  test.each([
    { why: "first sight", before: undefined, now: 5, shown: 5 },
    { why: "off by less than 1 GiB", before: 10 * GiB, now: 10 * GiB - 1, shown: 10 * GiB },
    { why: "off by 1 GiB but less than 5 %", before: 100 * GiB, now: 98 * GiB, shown: 100 * GiB },
    { why: "off by both", before: 100 * GiB, now: 94 * GiB, shown: 94 * GiB },
  ])("$why", ({ before, now, shown }) => expect(steadySize(before, now)).toBe(shown));
});
