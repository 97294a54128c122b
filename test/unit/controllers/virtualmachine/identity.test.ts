import { describe, expect, test } from "vitest";
import { readNotes, stampOf, writeNotes } from "../../../../agents/simulator/model/stamp.ts";
import type { Vm } from "../../../../agents/simulator/model/types.ts";
import { Lab, conditionOf, controlPlane, readyText } from "../../../support/lab.ts";
import type { LabHost } from "../../../support/lab.ts";
import { declareVm, declareWeb, vmOf, vmSpec } from "../../../support/samples.ts";

const start = (hosts: readonly string[] = ["hv1"], spec: object = {}): Lab => {
  const lab = new Lab();
  for (const name of hosts) lab.addHost(name, spec);
  return lab;
};

const ready = async (hosts?: readonly string[]): Promise<Lab> => {
  const lab = start(hosts);
  declareWeb(lab);
  await lab.settle();
  lab.sent.length = 0;
  return lab;
};

const host = (lab: Lab, name = "hv1"): LabHost => {
  const found = lab.hosts.get(name);
  if (!found) throw new Error(`no host ${name}`);
  return found;
};

const idOf = (lab: Lab, name = "web"): string => vmOf(lab, name).status?.id ?? "";

const machine = (lab: Lab, on = "hv1", name = "web"): Vm | undefined =>
  host(lab, on).store.read((tx) => [...tx.of("vm")].find((one) => (one as Vm).name === name)) as Vm | undefined;

const copy = (lab: Lab, to: string, patch: Partial<Vm>): void => {
  const vm = machine(lab);
  if (!vm) throw new Error("no machine to copy");
  host(lab, to).admin((world) => world.putVm({ ...vm, drives: [], adapters: [], bootOrder: [], ...patch }));
};

const otherId = "11111111-2222-4333-8444-555555555555";

describe("whose machine it is", () => {
  test("an unowned machine of the same name is left alone: NameConflict", async () => {
    const lab = await ready();
    copy(lab, "hv1", { id: otherId, name: "db", notes: "by hand", state: "Off" });
    declareVm(lab, "db", { powerState: "Stopped" });
    await lab.settle();
    expect(readyText(vmOf(lab, "db"))).toMatch(/^False NameConflict/);
    expect(machine(lab, "hv1", "db")?.notes).toBe("by hand");
  });

  test("a copy with the same notes is no owner: its stamp names another machine's id", async () => {
    const lab = await ready();
    copy(lab, "hv1", { id: otherId, name: "web-copy", state: "Off" });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^True/);
    expect(lab.sent).toEqual([]);
  });

  test("two machines with valid stamps: nothing acts", async () => {
    const lab = await ready(["hv1", "hv2"]);
    const { uid } = vmOf(lab, "web").metadata;
    const owner = { kind: "VirtualMachine" as const, namespace: "default", name: "web", uid };
    const on = vmOf(lab, "web").status?.host === "hv1" ? "hv2" : "hv1";
    const vm = host(lab, vmOf(lab, "web").status?.host).store.read((tx) => [...tx.of("vm")][0]) as Vm;
    host(lab, on).admin((world) =>
      world.putVm({
        ...vm,
        id: otherId,
        drives: [],
        adapters: [],
        bootOrder: [],
        notes: writeNotes("", stampOf(controlPlane, owner, otherId)),
      }),
    );
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ notes: "new" }) });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False OwnershipAmbiguous/);
    lab.delete("VirtualMachine", "web");
    await lab.settle();
    expect(lab.sent).toEqual([]);
    expect(lab.find("VirtualMachine", "web")).toBeDefined();
  });

  test("a lost stamp stalls until approved, then is written again; nothing is rebuilt", async () => {
    const lab = await ready();
    host(lab).admin((world) => world.changeVm(idOf(lab), (vm) => ({ notes: readNotes(vm.notes).notes })));
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False OwnershipLost/);
    // Its disk must not read as a stranger's to be taken out by hand.
    const told = readyText(lab.get("VirtualDisk", "web-os"));
    expect(told).toMatch(/^False WaitingForReference.*lost the mark of VirtualMachine web/);
    expect(lab.sent).toEqual([]);
    lab.annotate("VirtualMachine", "web", { "aetherv.io/approve": vmOf(lab, "web").status?.planHash ?? "" });
    await lab.settle();
    expect(lab.sent).toEqual(["vm.update web"]);
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(vmOf(lab, "web").status?.approval).toBeUndefined();
  });

  test("a lost uid of the same name stalls, and is taken back by reclaim", async () => {
    const lab = await ready();
    const old = vmOf(lab, "web").metadata.uid;
    lab.objects.delete("VirtualMachine/default/web");
    declareVm(lab, "web", { powerState: "Running" });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(new RegExp(`^False IdentityChanged.*${old}`));
    expect(lab.sent.filter((one) => one.startsWith("vm."))).toEqual([]);
    lab.annotate("VirtualMachine", "web", { "aetherv.io/reclaim": old });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(host(lab).snapshot.vms.size).toBe(1);
  });
});

describe("deletion", () => {
  const deleted = async (lab: Lab): Promise<void> => {
    lab.delete("VirtualMachine", "web");
    await lab.settle();
  };

  test.each([{ why: "deletionProtection holds", over: { deletionProtection: true }, reason: "DeletionProtected" }])(
    "$why",
    async ({ over, reason }) => {
      const lab = await ready();
      lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec(over) });
      await lab.settle();
      await deleted(lab);
      expect(readyText(vmOf(lab, "web"))).toMatch(new RegExp(`^False ${reason}`));
      expect(machine(lab)?.state).toBe("Running");
    },
  );

  test("the mass-delete guard's batch is shown, and nothing is sent", async () => {
    const lab = await ready();
    lab.massDelete = { batch: "abcd1234", message: "too many" };
    await deleted(lab);
    expect(readyText(vmOf(lab, "web"))).toBe("False MassDeleteGuard: too many");
    expect(vmOf(lab, "web").status?.deletionBatch).toBe("abcd1234");
    expect(lab.sent).toEqual([]);
  });

  test("Orphan takes the stamp off and leaves the machine as it is", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ deletionPolicy: "Orphan" }) });
    await lab.settle();
    await deleted(lab);
    expect(lab.find("VirtualMachine", "web")).toBeUndefined();
    expect(machine(lab)).toMatchObject({ state: "Running", notes: "" });
  });

  test("an unreachable host is waited for; force-orphan gives the machine up", async () => {
    const lab = await ready();
    const fault = { code: "HostUnreachable" as const, message: "no answer" };
    host(lab).reach = { at: "down", since: lab.clock.now(), missed: 3, fault };
    lab.delete("VirtualMachine", "web");
    await expect(lab.settle()).resolves.toBeUndefined();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False HostUnreachable/);
    lab.annotate("VirtualMachine", "web", { "aetherv.io/force-orphan": "true" });
    expect(lab.decide("VirtualMachine", "web").events).toMatchObject([{ type: "Warning", reason: "ForceOrphaned" }]);
    await lab.settle();
    expect(lab.find("VirtualMachine", "web")).toBeUndefined();
    expect(machine(lab)?.state).toBe("Running");
  });

  test("a saved machine asked to go goes", async () => {
    const lab = await ready();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ powerState: "Saved" }) });
    await lab.settle();
    await deleted(lab);
    expect(lab.find("VirtualMachine", "web")).toBeUndefined();
    expect(machine(lab)).toBeUndefined();
  });

  test("a machine deleted by hand needs no job to be let go", async () => {
    const lab = await ready();
    host(lab).admin((world) => world.removeVm(idOf(lab)));
    await deleted(lab);
    expect(lab.find("VirtualMachine", "web")).toBeUndefined();
    expect(lab.sent.filter((one) => one.startsWith("vm."))).toEqual([]);
  });

  test("absent here, and another host unknown: kept until it is known", async () => {
    const lab = await ready(["hv1", "hv2"]);
    const on = vmOf(lab, "web").status?.host ?? "";
    const other = on === "hv1" ? "hv2" : "hv1";
    host(lab, on).admin((world) => world.removeVm(idOf(lab)));
    const fault = { code: "HostUnreachable" as const, message: "no answer" };
    host(lab, other).reach = { at: "down", since: lab.clock.now(), missed: 3, fault };
    await deleted(lab);
    expect(readyText(vmOf(lab, "web"))).toMatch(new RegExp(`^False HostUnreachable.*${other}`));
    expect(lab.decide("VirtualMachine", "web").wakeAfterMs, "no news of its own host is due").toBeLessThan(60_000);
  });
});

describe("a vanished machine", () => {
  const vanish = (lab: Lab): void => host(lab).admin((world) => world.removeVm(idOf(lab)));

  test("is rebuilt from its disks, with its MAC address", async () => {
    const lab = await ready();
    const [id, mac] = [idOf(lab), vmOf(lab, "web").status?.macAddresses?.[0]?.macAddress];
    vanish(lab);
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(idOf(lab)).not.toBe(id);
    expect(machine(lab)?.state).toBe("Running");
    expect(machine(lab)?.drives).toHaveLength(1);
    expect(vmOf(lab, "web").status?.macAddresses?.[0]?.macAddress).toBe(mac);
    expect(lab.sent.filter((one) => one.startsWith("disk.c"))).toEqual([]);
  });

  test("holds the disks that its old configuration may name: none is attached elsewhere meanwhile", async () => {
    const lab = await ready();
    const disk = lab.get("VirtualDisk", "web-os");
    // Declared elsewhere since it was last seen with its disk.
    lab.objects.set("VirtualDisk/default/web-os", {
      ...disk,
      spec: { ...(disk.spec as object), attachment: { virtualMachine: "other" } },
    });
    vanish(lab);
    lab.sent.length = 0;
    lab.held.length = 0;
    await lab.settle();
    const made = lab.sent.indexOf("vm.create web");
    expect(lab.held[made]).toEqual([vmOf(lab, "web").metadata.uid, disk.metadata.uid]);
  });

  test("with a TPM it is rebuilt only after approval", async () => {
    const lab = start();
    declareWeb(lab, { security: { tpm: true } });
    await lab.settle();
    vanish(lab);
    lab.sent.length = 0;
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False VanishedWithTpm/);
    expect(lab.sent.filter((one) => one.startsWith("vm."))).toEqual([]);
    lab.annotate("VirtualMachine", "web", { "aetherv.io/approve": vmOf(lab, "web").status?.planHash ?? "" });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
  });

  test("with a checkpoint's leaf missing nothing is rebuilt", async () => {
    const lab = await ready();
    const vm = vmOf(lab, "web");
    const disks = vm.status?.disks?.map((one) => ({ ...one, path: one.path.replace(".vhdx", "_1.avhdx") }));
    lab.objects.set("VirtualMachine/default/web", { ...vm, status: { ...vm.status, disks } });
    vanish(lab);
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False CheckpointChainBroken/);
  });

  test("while another host does not answer nothing is rebuilt", async () => {
    const lab = await ready(["hv1", "hv2"]);
    const on = vmOf(lab, "web").status?.host ?? "";
    const other = on === "hv1" ? "hv2" : "hv1";
    const fault = { code: "HostUnreachable" as const, message: "no answer" };
    host(lab, other).reach = { at: "down", since: lab.clock.now(), missed: 3, fault };
    host(lab, on).admin((world) => world.removeVm(idOf(lab)));
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False HostUnreachable/);
    expect(host(lab, on).snapshot.vms.size).toBe(0);
    expect(lab.decide("VirtualMachine", "web").wakeAfterMs, "no news of its own host is due").toBeLessThan(60_000);
  });

  test("found again on another host: told, never twice", async () => {
    const lab = await ready(["hv1", "hv2"]);
    const on = vmOf(lab, "web").status?.host ?? "";
    const other = on === "hv1" ? "hv2" : "hv1";
    const vm = host(lab, on).store.read((tx) => [...tx.of("vm")][0]) as Vm;
    host(lab, on).admin((world) => world.removeVm(vm.id));
    host(lab, other).admin((world) => world.putVm({ ...vm, drives: [], adapters: [], bootOrder: [] }));
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False HostMismatch/);
    expect(host(lab, on).snapshot.vms.size).toBe(0);
  });
});

describe("adoption", () => {
  /** A machine made by us, then stripped of its stamp: as good as a foreign one. */
  const foreign = async (grant: object): Promise<Lab> => {
    const lab = start(["hv1"], grant);
    declareVm(lab, "old", { powerState: "Stopped", boot: { order: [{ type: "Disk", name: "none" }] }, host: "hv1" });
    await lab.settle();
    const id = idOf(lab, "old");
    host(lab).admin((world) => world.changeVm(id, (vm) => ({ name: "legacy", notes: readNotes(vm.notes).notes })));
    lab.objects.delete("VirtualMachine/default/old");
    lab.sent.length = 0;
    return lab;
  };

  const adopt = (lab: Lab, over: object = {}): void =>
    lab.apply({
      kind: "VirtualMachine",
      name: "legacy",
      spec: {
        managementPolicy: "Manage",
        deletionProtection: false,
        powerPolicy: "Enforce",
        adopt: { type: "Name", name: "legacy" },
        ...over,
      },
    });

  const granted = { adoption: { namespaces: ["default"] } };

  test("is only observed until approved, then stamped and brought to the fields that the spec has", async () => {
    const lab = await foreign(granted);
    adopt(lab, { notes: "ours" });
    await lab.settle();
    const seen = vmOf(lab, "legacy");
    expect(conditionOf(seen, "Adopted")).toMatchObject({ status: "False", reason: "AwaitingApproval" });
    expect(readyText(seen)).toMatch(/^True Observed/);
    expect(lab.sent).toEqual([]);
    lab.annotate("VirtualMachine", "legacy", { "aetherv.io/approve": seen.status?.planHash ?? "" });
    await lab.settle();
    expect(conditionOf(vmOf(lab, "legacy"), "Adopted")?.status).toBe("True");
    expect(readNotes(machine(lab, "hv1", "legacy")?.notes ?? "").notes).toBe("ours");
    expect(machine(lab, "hv1", "legacy")?.cpu.count).toBe(2);
    expect(readyText(vmOf(lab, "legacy"))).toBe("True Converged: ");
  });

  test("deleting an unapproved adopter touches nothing", async () => {
    const lab = await foreign(granted);
    adopt(lab);
    await lab.settle();
    lab.delete("VirtualMachine", "legacy");
    await lab.settle();
    expect(lab.find("VirtualMachine", "legacy")).toBeUndefined();
    expect(lab.sent).toEqual([]);
  });

  test("without the host owner's grant it stalls", async () => {
    const lab = await foreign({});
    adopt(lab);
    await lab.settle();
    expect(readyText(vmOf(lab, "legacy"))).toMatch(/^False NotAllowed/);
  });

  test("deleting an adopted one leaves it: Orphan is its default", async () => {
    const lab = await foreign(granted);
    adopt(lab);
    await lab.settle();
    lab.annotate("VirtualMachine", "legacy", { "aetherv.io/approve": vmOf(lab, "legacy").status?.planHash ?? "" });
    await lab.settle();
    lab.delete("VirtualMachine", "legacy");
    await lab.settle();
    expect(lab.find("VirtualMachine", "legacy")).toBeUndefined();
    expect(machine(lab, "hv1", "legacy")?.notes).toBe("");
  });
});
