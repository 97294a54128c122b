import { describe, expect, test } from "vitest";
import { annotations } from "../../../../src/api/annotations.ts";
import type { NetworkAdapter, VirtualMachine } from "../../../../src/api/generated/types.ts";
import type { LabHost } from "../../../support/lab.ts";
import { Lab } from "../../../support/lab.ts";
import { addHost, addMachine, approve, edit, jobs, put, statusOf, told } from "../stage.ts";

const nic = (lab: Lab, name: string) => statusOf<NetworkAdapter>(lab, "NetworkAdapter", name);
const adapters = (host: LabHost, vmName = "web") =>
  [...host.snapshot.vms.values()].find((vm) => vm.name === vmName)?.adapters ?? [];
const running = async (
  over: object = {},
  disk: object = {},
  host: object = {},
): Promise<{ lab: Lab; host: LabHost }> => {
  const lab = new Lab();
  const made = addHost(lab, "hv1", host);
  addMachine(lab, "web", over, disk);
  await lab.settle();
  jobs(lab);
  return { lab, host: made };
};
const gen1 = { source: { type: "Image", image: "debian-12-gen1" } };
/** Changes the first adapter of the machine, as a person at the console would. */
const byHand = (host: LabHost, change: object): void =>
  host.admin((world) => {
    const [vm] = world.vms();
    if (vm) world.changeVm(vm.id, () => ({ adapters: vm.adapters.map((one) => ({ ...one, ...change })) }));
  });

describe("making", () => {
  test("an adapter gets its network's switch and VLAN, and an address that is kept", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", {
      virtualMachine: "web",
      network: "dmz",
      dhcpGuard: true,
      bandwidth: { maximumMbps: 100 },
    });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan")).toBe("True/Converged");
    expect(adapters(host)).toMatchObject([
      { switchName: "External", connected: true, vlan: { mode: "Access", id: 20 }, dhcpGuard: true, dynamicMac: false },
    ]);
    expect(nic(lab, "lan")).toMatchObject({ host: "hv1", switchName: "External", vlan: { mode: "Access", id: 20 } });
    expect(nic(lab, "lan").macAddress).toMatch(/^00:15:5D(:[0-9A-F]{2}){3}$/);
    expect(told(lab, "NetworkAdapter", "lan", "Attached")).toBe("True/Attached");
    jobs(lab);
    await lab.settle();
    expect(jobs(lab)).toEqual([]);
  });

  test.each([
    {
      why: "the host has no such network",
      spec: { network: "wan" },
      says: "NetworkNotFound",
      message: /lan, dmz, inner/,
    },
    { why: "its switch is gone", spec: { network: "gone" }, says: "SwitchNotFound", message: /External, Internal/ },
    {
      why: "the switch reserves in another way",
      spec: { network: "inner", bandwidth: { minimumWeight: 5 } },
      says: "InvalidSpec",
      message: /Absolute/,
    },
    {
      why: "a legacy adapter on generation 2",
      spec: { network: "lan", legacy: true },
      says: "InvalidSpec",
      message: /generation 1/,
    },
    {
      why: "nobody may adopt here",
      spec: { adopt: { type: "ID", id: "Microsoft:1" } },
      says: "NotAllowed",
      message: /adoption\.namespaces/,
    },
  ])("stalls: $why", async ({ spec, says, message }) => {
    const networks = [
      { name: "lan", switchName: "External" },
      { name: "dmz", switchName: "External", vlanId: 20 },
      { name: "inner", switchName: "Internal" },
      ...(says === "SwitchNotFound" ? [{ name: "gone", switchName: "Nowhere" }] : []),
    ];
    const { lab } = await running({}, {}, { networks });
    put(lab, "NetworkAdapter", "odd", { virtualMachine: "web", ...spec });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "odd", "Stalled")).toBe(`True/${says}`);
    expect(nic(lab, "odd").conditions?.find(({ type }) => type === "Stalled")?.message).toMatch(message);
    expect(jobs(lab)).toEqual([]);
  });

  test("generation 1 takes an adapter only when off: after approval", async () => {
    const { lab, host } = await running({ generation: 1 }, gen1);
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    expect(jobs(lab)).toEqual([]);
    expect(statusOf<VirtualMachine>(lab, "VirtualMachine", "web").pendingChanges).toContainEqual(
      expect.objectContaining({ path: "NetworkAdapter/lan:spec.network", to: "lan", effect: "Restart" }),
    );
    approve(lab, "web");
    await lab.settle();
    expect(jobs(lab)).toEqual(["vm.power web", "nic.create lan", "vm.power web"]);
    expect(adapters(host)).toHaveLength(1);
  });

  test("the plan shows an adapter whose machine is not there yet", async () => {
    const lab = new Lab();
    const host = addHost(lab, "hv1");
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "dmz" });
    put(lab, "VirtualMachine", "web", {
      host: "hv1",
      cpu: { count: 1 },
      memory: { startup: "1Gi" },
      powerState: "Stopped",
    });
    lab.annotate("VirtualMachine", "web", { [annotations.paused]: "true" });
    await lab.settle();
    expect(host.snapshot.vms.size).toBe(0);
    expect(lab.decide("NetworkAdapter", "lan").plan).toMatchObject([
      {
        operation: "nic.create",
        spec: { config: { switchName: "External", vlan: { mode: "Access", id: 20 } } },
        effect: "Hot",
      },
    ]);
    expect(jobs(lab)).toEqual([]);
  });

  test("waits for its machine", async () => {
    const lab = new Lab();
    addHost(lab, "hv1");
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan")).toBe("False/WaitingForReference");
  });
});

describe("changing", () => {
  test.each([
    { why: "network", edits: { network: "inner" }, is: { switchName: "Internal", vlan: { mode: "Untagged" } } },
    {
      why: "VLAN trunk",
      edits: { vlan: { mode: "Trunk", allowed: [20, "1-10", 11] } },
      is: { vlan: { mode: "Trunk", allowed: "1-11,20", nativeId: 0 } },
    },
    { why: "cable", edits: { connected: false }, is: { connected: false } },
    { why: "guards", edits: { routerGuard: true, macSpoofing: true }, is: { routerGuard: true, macSpoofing: true } },
    { why: "bandwidth", edits: { bandwidth: { minimumWeight: 7 } }, is: { bandwidth: { minimumWeight: 7 } } },
  ])("$why: in place, the machine running", async ({ edits, is }) => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    const { id } = nic(lab, "lan");
    jobs(lab);
    edit(lab, "NetworkAdapter", "lan", edits);
    await lab.settle();
    expect(jobs(lab)).toEqual(["nic.update lan"]);
    expect(adapters(host)).toMatchObject([{ id, ...is }]);
    expect(told(lab, "NetworkAdapter", "lan")).toBe("True/Converged");
  });

  test("a static address needs a restart, and its approval", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    jobs(lab);
    edit(lab, "NetworkAdapter", "lan", { macAddress: "02:00:00:00:00:01", dhcpGuard: true });
    await lab.settle();
    expect(jobs(lab)).toEqual(["nic.update lan"]);
    expect(told(lab, "NetworkAdapter", "lan")).toBe("True/ChangesPending");
    expect(nic(lab, "lan").pendingChanges).toMatchObject([
      { path: "spec.macAddress", to: "02:00:00:00:00:01", effect: "Restart" },
    ]);
    approve(lab, "web");
    await lab.settle();
    expect(adapters(host)).toMatchObject([{ macAddress: "020000000001" }]);
    expect(nic(lab, "lan")).toMatchObject({ macAddress: "02:00:00:00:00:01" });
  });

  test("what somebody changed by hand is put right; another address is told until approved", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "dmz" });
    await lab.settle();
    const { macAddress } = nic(lab, "lan");
    jobs(lab);
    byHand(host, { vlan: { mode: "Access", id: 99 }, macAddress: "00155DFFFFFF" });
    await lab.settle();
    expect(jobs(lab)).toEqual(["nic.update lan"]);
    expect(adapters(host)).toMatchObject([{ vlan: { mode: "Access", id: 20 }, macAddress: "00155DFFFFFF" }]);
    expect(nic(lab, "lan")).toMatchObject({
      macAddress,
      pendingChanges: [{ path: "spec.macAddress", to: macAddress, effect: "Restart" }],
    });
  });

  test("removed by hand, it is made again with its address", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    const { macAddress } = nic(lab, "lan");
    host.admin((world) => {
      const [vm] = world.vms();
      if (vm) world.changeVm(vm.id, () => ({ adapters: [] }));
    });
    await lab.settle();
    expect(adapters(host)).toHaveLength(1);
    expect(nic(lab, "lan").macAddress).toBe(macAddress);
  });

  test("an address of the pool that is taken elsewhere, or kept for a machine that is gone, is not given", async () => {
    const { lab, host } = await running();
    const { minimum } = host.snapshot.host?.macPool ?? { minimum: "" };
    const first = (minimum.match(/../g) ?? []).join(":");
    put(lab, "NetworkAdapter", "waits", { virtualMachine: "nowhere", network: "lan", macAddress: first });
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    expect(adapters(host)).toHaveLength(1);
    expect(adapters(host)[0]?.macAddress).not.toBe(minimum);
  });

  test("a renamed switch and a network taken away stall, and move nothing", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    jobs(lab);
    host.admin((world) => {
      const one = world.switches().find(({ name }) => name === "External");
      if (one) world.putSwitch({ ...one, name: "Uplink" });
    });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan", "Stalled")).toBe("True/SwitchNotFound");
    lab.apply({ kind: "VMHost", name: "hv1", spec: { ...(lab.get("VMHost", "hv1").spec as object), networks: [] } });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan", "Stalled")).toBe("True/NetworkNotFound");
    expect(jobs(lab)).toEqual([]);
    expect(adapters(host)).toMatchObject([{ switchName: "Uplink", connected: true }]);
  });

  test("an address that an adapter on another host has is told", async () => {
    const { lab } = await running();
    addHost(lab, "hv2");
    addMachine(lab, "far", { host: "hv2" });
    put(lab, "NetworkAdapter", "a", { virtualMachine: "web", network: "lan", macAddress: "02:00:00:00:00:01" });
    await lab.settle();
    put(lab, "NetworkAdapter", "b", { virtualMachine: "far", network: "lan", macAddress: "02:00:00:00:00:01" });
    jobs(lab);
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "b", "Stalled")).toBe("True/DuplicateMacAddress");
    expect(jobs(lab)).toEqual([]);
  });

  describe("the host's choice turns out to be another's before it was told", () => {
    const taken = "02:00:00:00:00:01";
    /** The adapter is in its machine, as a nic.create without a reply leaves it; `others` has its address. */
    const untold = async (power: "Running" | "Stopped", others: (lab: Lab) => void) => {
      const { lab, host } = await running({ powerState: power });
      others(lab);
      await lab.settle();
      put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
      const name = `lan.${lab.get("NetworkAdapter", "lan").metadata.uid.slice(0, 8)}`;
      host.admin((world) => {
        const vm = world.vms().find((one) => one.name === "web");
        const adapter = { id: "Microsoft:1", name, macAddress: "020000000001", dynamicMac: false, legacy: false };
        const off = { vlan: { mode: "Untagged" }, macSpoofing: false, dhcpGuard: false, routerGuard: false } as const;
        if (vm) world.changeVm(vm.id, () => ({ adapters: [{ ...adapter, ...off, bandwidth: {}, ipAddresses: [] }] }));
      });
      await lab.settle();
      return { lab, host };
    };
    /** Kept for an adapter whose machine is not there. */
    const kept = (lab: Lab): void =>
      put(lab, "NetworkAdapter", "kept", { virtualMachine: "nowhere", network: "lan", macAddress: taken });
    /** In use on another host. */
    const inUse = (lab: Lab): void => {
      addHost(lab, "hv2");
      addMachine(lab, "far", { host: "hv2" });
      put(lab, "NetworkAdapter", "used", { virtualMachine: "far", network: "lan", macAddress: taken });
    };

    test.each([
      { why: "kept", others: kept },
      { why: "in use", others: inUse },
    ])("$why: it gets another of the pool while its machine is off", async ({ others }) => {
      const { lab, host } = await untold("Stopped", others);
      const [adapter] = adapters(host);
      const { minimum, maximum } = host.snapshot.host?.macPool ?? { minimum: "G", maximum: "0" };
      expect(adapter?.macAddress && adapter.macAddress >= minimum && adapter.macAddress <= maximum).toBe(true);
      expect(nic(lab, "lan").macAddress?.replaceAll(":", "")).toBe(adapter?.macAddress);
      expect(told(lab, "NetworkAdapter", "lan")).toBe("True/Converged");
      jobs(lab);
      await lab.settle();
      expect(jobs(lab)).toEqual([]);
    });

    test("on a running machine that is asked first, and the address stays untold", async () => {
      const { lab, host } = await untold("Running", kept);
      expect(adapters(host)).toMatchObject([{ macAddress: "020000000001" }]);
      const [pending] = nic(lab, "lan").pendingChanges ?? [];
      expect(pending).toMatchObject({ path: "spec.macAddress", from: taken, effect: "Restart" });
      expect(nic(lab, "lan").macAddress).toBeUndefined();
      approve(lab, "web");
      await lab.settle();
      expect(nic(lab, "lan").macAddress).toBe(pending?.to);
      expect(adapters(host)[0]?.macAddress).toBe(String(pending?.to).replaceAll(":", ""));
    });

    test("an address that was told stays", async () => {
      const { lab, host } = await running({ powerState: "Stopped" });
      put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
      await lab.settle();
      const { macAddress } = nic(lab, "lan");
      put(lab, "NetworkAdapter", "kept", { virtualMachine: "nowhere", network: "lan", macAddress });
      jobs(lab);
      await lab.settle();
      expect(jobs(lab)).toEqual([]);
      expect(adapters(host)[0]?.macAddress).toBe(macAddress?.replaceAll(":", ""));
    });
  });

  test("a paused adapter, and one of a paused machine, is left alone", async () => {
    const { lab } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    jobs(lab);
    lab.annotate("NetworkAdapter", "lan", { [annotations.paused]: "true" });
    edit(lab, "NetworkAdapter", "lan", { dhcpGuard: true });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan", "Paused")).toBe("True/Paused");
    lab.annotate("NetworkAdapter", "lan", { [annotations.paused]: "false" });
    lab.annotate("VirtualMachine", "web", { [annotations.paused]: "true" });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan")).toBe("False/Paused");
    expect(jobs(lab)).toEqual([]);
  });
});

describe("addresses", () => {
  const ipv4 = { method: "Static", address: "192.0.2.10", prefixLength: 24 };
  const guest = { hostname: "web" };
  test.each([
    { why: "no guest section", vm: {}, says: "False/NoGuestConfiguration" },
    {
      why: "a guest section, which is not published yet",
      vm: { osFamily: "Linux", guest },
      says: "False/GuestConfigurationPending",
    },
  ])("$why: told, and Ready all the same", async ({ vm, says }) => {
    const { lab } = await running(vm);
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan", ipv4 });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan", "AddressConfigured")).toBe(says);
    expect(told(lab, "NetworkAdapter", "lan")).toBe("True/Converged");
  });

  test("none declared: no such condition", async () => {
    const { lab } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan", "AddressConfigured")).toBeUndefined();
  });
});

describe("deletion", () => {
  test("hot on generation 2; on generation 1 after approval", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    jobs(lab);
    lab.delete("NetworkAdapter", "lan");
    await lab.settle();
    expect(jobs(lab)).toEqual(["nic.delete lan"]);
    expect(adapters(host)).toEqual([]);

    const old = await running({ generation: 1 }, gen1);
    edit(old.lab, "VirtualMachine", "web", { powerState: "Stopped" });
    await old.lab.settle();
    put(old.lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await old.lab.settle();
    edit(old.lab, "VirtualMachine", "web", { powerState: "Running" });
    await old.lab.settle();
    jobs(old.lab);
    old.lab.delete("NetworkAdapter", "lan");
    await old.lab.settle();
    expect(jobs(old.lab)).toEqual([]);
    approve(old.lab, "web");
    await old.lab.settle();
    expect(jobs(old.lab)).toEqual(["vm.power web", "nic.delete lan", "vm.power web"]);
    expect(old.lab.find("NetworkAdapter", "lan")).toBeUndefined();
  });

  test("awaiting approval, it says so", async () => {
    const { lab } = await running({ generation: 1 }, gen1);
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    approve(lab, "web");
    await lab.settle();
    lab.delete("NetworkAdapter", "lan");
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan")).toBe("False/AwaitingApproval");
  });

  test("a machine on its way out is not repaired any more", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    lab.delete("VirtualMachine", "web");
    byHand(host, { dhcpGuard: true });
    await lab.inventory();
    expect(lab.decide("NetworkAdapter", "lan").act).toEqual({ do: "nothing" });
  });

  test("with its machine, no job of its own", async () => {
    const { lab } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    jobs(lab);
    lab.delete("NetworkAdapter", "lan");
    lab.delete("VirtualMachine", "web");
    await lab.settle();
    expect(jobs(lab).filter((job) => job.startsWith("nic."))).toEqual([]);
    expect(lab.find("NetworkAdapter", "lan")).toBeUndefined();
  });

  test("an adopted adapter keeps what its spec does not say, and is given up", async () => {
    const { lab, host } = await running({}, {}, { adoption: { namespaces: ["default"] } });
    const id = "Microsoft:00000000-0000-4000-8000-0000000000aa\\00000000-0000-4000-8000-0000000000bb";
    host.admin((world) => {
      const [vm] = world.vms();
      const hand = {
        id,
        name: "Network Adapter",
        macAddress: "00155D0000AA",
        dynamicMac: true,
        legacy: false,
        vlan: { mode: "Access" as const, id: 7 },
        macSpoofing: true,
        dhcpGuard: false,
        routerGuard: false,
        bandwidth: {},
        ipAddresses: [],
      };
      if (vm) world.changeVm(vm.id, () => ({ adapters: [hand] }));
    });
    put(lab, "NetworkAdapter", "old", {
      virtualMachine: "web",
      adopt: { type: "MACAddress", macAddress: "00:15:5d:00:00:aa" },
      dhcpGuard: true,
    });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "old")).toBe("True/Converged");
    expect(adapters(host)).toMatchObject([
      { id, vlan: { mode: "Access", id: 7 }, macSpoofing: true, dhcpGuard: true, dynamicMac: true },
    ]);
    lab.delete("NetworkAdapter", "old");
    await lab.settle();
    expect(lab.find("NetworkAdapter", "old")).toBeUndefined();
    expect(adapters(host)).toMatchObject([{ id, name: "old" }]);
  });

  test("an adopted adapter that goes together with its adopted machine gets its bare name back: both can be adopted again", async () => {
    const { lab, host } = await running({}, {}, { adoption: { namespaces: ["default"] } });
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan", deletionPolicy: "Orphan" });
    await lab.settle();
    const adopt = { type: "Name", name: "web" };
    edit(lab, "VirtualMachine", "web", { adopt });
    lab.delete("VirtualMachine", "web");
    lab.delete("NetworkAdapter", "lan");
    await lab.settle();
    expect(lab.find("VirtualMachine", "web")).toBeUndefined();
    expect(lab.find("NetworkAdapter", "lan")).toBeUndefined();
    expect(adapters(host)).toMatchObject([{ name: "lan" }]);
  });
});

describe("a lost store", () => {
  /** The machine's adapter is named for `lan` with a uid that no object has, and `lan` is a new object. */
  const lost = async (): Promise<{ lab: Lab; host: LabHost; id: string | undefined; mac: string | undefined }> => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    const [before] = adapters(host);
    byHand(host, { name: "lan.deadbeef" });
    lab.objects.delete("NetworkAdapter/default/lan");
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    return { lab, host, id: before?.id, mac: before?.macAddress };
  };

  test("its adapter stalls: neither taken nor doubled", async () => {
    const { lab, host, id } = await lost();
    expect(told(lab, "NetworkAdapter", "lan")).toBe("False/IdentityChanged");
    expect(nic(lab, "lan").conditions?.find(({ type }) => type === "Stalled")?.message).toContain("uid deadbeef");
    expect(adapters(host)).toMatchObject([{ id, name: "lan.deadbeef" }]);
  });

  test.each([
    { why: "by the 8 digits that its name shows", uid: "deadbeef", back: true },
    { why: "by the whole lost uid", uid: "deadbeef-0000-4000-8000-000000000001", back: true },
    { why: "not by another uid", uid: "deadbee0", back: false },
  ])("is taken back $why", async ({ uid, back }) => {
    const { lab, host, id, mac } = await lost();
    lab.annotate("NetworkAdapter", "lan", { [annotations.reclaim]: uid });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan")).toBe(back ? "True/Converged" : "False/IdentityChanged");
    const mine = `lan.${lab.get("NetworkAdapter", "lan").metadata.uid.slice(0, 8)}`;
    expect(adapters(host)).toMatchObject([{ id, macAddress: mac, name: back ? mine : "lan.deadbeef" }]);
  });

  test("an adapter whose uid another object has is not lost", async () => {
    const { lab, host } = await running();
    put(lab, "NetworkAdapter", "other", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    byHand(host, { name: `lan.${lab.get("NetworkAdapter", "other").metadata.uid.slice(0, 8)}` });
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan")).toBe("True/Converged");
    expect(adapters(host)).toHaveLength(2);
  });

  test("is told beside its machine, which is not taken back yet either", async () => {
    const { lab, host, id } = await lost();
    lab.objects.delete("VirtualMachine/default/web");
    lab.objects.delete("NetworkAdapter/default/lan");
    put(lab, "VirtualMachine", "web", {
      host: "hv1",
      cpu: { count: 1 },
      memory: { startup: "1Gi" },
      boot: { order: [{ type: "Disk", name: "web-os" }] },
    });
    put(lab, "NetworkAdapter", "lan", { virtualMachine: "web", network: "lan" });
    await lab.settle();
    expect(told(lab, "VirtualMachine", "web")).toBe("False/IdentityChanged");
    expect(told(lab, "NetworkAdapter", "lan")).toBe("False/IdentityChanged");
    lab.annotate("NetworkAdapter", "lan", { [annotations.reclaim]: "deadbeef" });
    await lab.settle();
    expect(told(lab, "NetworkAdapter", "lan")).toBe("False/WaitingForReference");
    expect(adapters(host)).toMatchObject([{ id, name: "lan.deadbeef" }]);
  });
});
