import { describe, expect, test } from "vitest";
import type { NetworkAdapter, VirtualDisk } from "../../../../src/api/generated/types.ts";
import type { VmState } from "../../../../src/protocol/generated/types.ts";
import { Lab, conditionOf, readyText } from "../../../support/lab.ts";
import { declareWeb, vmOf, vmSpec } from "../../../support/samples.ts";

const gen1 = { generation: 1 as const, boot: { order: [{ type: "Disk" as const, name: "web-os" }] } };
const vhd = { source: { type: "Image", image: "debian-12-gen1" } };

const seen = (lab: Lab): VmState | undefined => [...(lab.hosts.get("hv1")?.snapshot.vms.values() ?? [])][0];

const declare = async (lab: Lab): Promise<void> => {
  lab.addHost("hv1");
  declareWeb(lab, gen1, vhd);
  await lab.settle();
};

const grow = (lab: Lab, size: string): void => {
  const { spec } = lab.get<VirtualDisk>("VirtualDisk", "web-os");
  lab.apply({ kind: "VirtualDisk", name: "web-os", spec: { ...spec, size } });
};

const approve = (lab: Lab): void =>
  lab.annotate("VirtualMachine", "web", { "aetherv.io/approve": vmOf(lab, "web").status?.planHash ?? "" });

describe("a legacy machine", () => {
  test("of generation 1 boots from IDE 0:0", async () => {
    const lab = new Lab();
    await declare(lab);
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(seen(lab)).toMatchObject({ generation: 1, state: "Running" });
    expect(seen(lab)?.disks).toMatchObject([{ controllerType: "IDE", controllerNumber: 0, controllerLocation: 0 }]);
    expect(seen(lab)?.bootOrder[0]?.type).toBe("Disk");
  });
});

describe("changes of disks and adapters that need the machine off", () => {
  test("are one plan with the machine's own, approved once, and made in one stop", async () => {
    const lab = new Lab();
    await declare(lab);
    grow(lab, "30Gi");
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ ...gen1, cpu: { count: 4 } }) });
    await lab.settle();
    const { status } = vmOf(lab, "web");
    expect(status?.pendingChanges?.map(({ path }) => path)).toEqual(["spec.cpu.count", "VirtualDisk/web-os:spec.size"]);
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True ChangesPending/);
    expect(readyText(lab.get("VirtualDisk", "web-os"))).toMatch(/^True ChangesPending/);
    lab.sent.length = 0;
    approve(lab);
    await lab.settle();
    const powers = lab.sent.filter((one) => one === "vm.power web").length;
    expect(powers).toBe(2);
    expect(lab.sent.at(-1)).toBe("vm.power web");
    expect(lab.sent).toContain("disk.update web-os");
    expect(seen(lab)).toMatchObject({ state: "Running", cpu: { count: 4 } });
    expect(lab.get<VirtualDisk>("VirtualDisk", "web-os").status?.size).toBe(30 * 2 ** 30);
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(vmOf(lab, "web").status?.approval).toBeUndefined();
    expect(conditionOf(vmOf(lab, "web"), "RestartRequired")).toBeUndefined();
  });

  test("of a disk alone stop and start the machine too, under OnCreate as well", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab, { ...gen1, powerPolicy: "OnCreate" }, vhd);
    await lab.settle();
    grow(lab, "30Gi");
    await lab.settle();
    lab.sent.length = 0;
    approve(lab);
    await lab.settle();
    expect(lab.sent).toEqual(["vm.power web", "disk.update web-os", "vm.power web"]);
    expect(seen(lab)?.state).toBe("Running");
  });

  test("a static MAC address of an adapter waits for the same approval", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    const { spec } = lab.get<NetworkAdapter>("NetworkAdapter", "web-lan");
    lab.apply({ kind: "NetworkAdapter", name: "web-lan", spec: { ...spec, macAddress: "02:00:00:00:00:01" } });
    await lab.settle();
    expect(vmOf(lab, "web").status?.pendingChanges).toMatchObject([
      { path: "NetworkAdapter/web-lan:spec.macAddress", effect: "Restart" },
    ]);
    approve(lab);
    await lab.settle();
    expect(seen(lab)?.adapters[0]?.macAddress).toBe("020000000001");
    expect(seen(lab)?.state).toBe("Running");
  });

  test("a data disk taken away from a running machine is Disruptive: approved, it is detached without a stop", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    const data = {
      managementPolicy: "Manage",
      deletionProtection: false,
      source: { type: "Blank" },
      size: "1Gi",
    };
    lab.apply({ kind: "VirtualDisk", name: "data", spec: { ...data, attachment: { virtualMachine: "web" } } });
    await lab.settle();
    expect(seen(lab)?.disks).toHaveLength(2);
    lab.apply({ kind: "VirtualDisk", name: "data", spec: data });
    await lab.settle();
    expect(seen(lab)?.disks).toHaveLength(2);
    expect(vmOf(lab, "web").status?.pendingChanges).toMatchObject([{ effect: "Disruptive" }]);
    lab.sent.length = 0;
    approve(lab);
    await lab.settle();
    expect(seen(lab)?.disks).toHaveLength(1);
    expect(lab.sent).toEqual(["disk.detach data"]);
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
  });
});

describe("the first start", () => {
  test("waits for everything that refers to the machine, and says for what", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    lab.apply({
      kind: "VirtualDisk",
      name: "data",
      spec: {
        managementPolicy: "Manage",
        deletionProtection: false,
        source: { type: "Image", image: "no-such-image" },
        attachment: { virtualMachine: "web" },
        storageClass: "standard",
        host: "hv1",
      },
    });
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ host: "hv1" }) });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False WaitingForDevices: VirtualDisk data: ImageNotFound/);
    expect(seen(lab)?.state).toBe("Off");
  });
});
