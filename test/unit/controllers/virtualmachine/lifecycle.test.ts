import { describe, expect, test } from "vitest";
import { Lab, conditionOf, readyText } from "../../../support/lab.ts";
import { declareWeb, vmOf, vmSpec } from "../../../support/samples.ts";

describe("a machine from YAML to Ready", () => {
  test("is made, gets its devices, and starts", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(readyText(lab.get("VirtualDisk", "web-os"))).toMatch(/^True/);
    expect(readyText(lab.get("NetworkAdapter", "web-lan"))).toMatch(/^True/);
    const { status } = vmOf(lab, "web");
    expect(status?.powerState).toBe("Running");
    expect(status?.host).toBe("hv1");
    expect(status?.firstStartedAt).toBeDefined();
    const [state] = [...(lab.hosts.get("hv1")?.snapshot.vms.values() ?? [])];
    expect(state).toMatchObject({ name: "web", cpu: { count: 2 }, state: "Running", automaticStopAction: "ShutDown" });
    expect(state?.bootOrder[0]).toMatchObject({ type: "Disk", controllerType: "SCSI" });
  });

  test("in steady state nothing is sent and no status changes", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    const [sent, before] = [lab.sent.length, JSON.stringify([...lab.objects.values()])];
    await lab.settle();
    expect(lab.sent.length).toBe(sent);
    expect(JSON.stringify([...lab.objects.values()])).toBe(before);
  });

  test("a hot change is made at once, a cold one waits for approval, and the approved one is made while it is off", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ cpu: { count: 4, relativeWeight: 200 } }) });
    await lab.settle();
    const waiting = vmOf(lab, "web");
    expect(readyText(waiting)).toMatch(/^True ChangesPending/);
    expect(conditionOf(waiting, "RestartRequired")).toMatchObject({ status: "True", reason: "AwaitingApproval" });
    expect(waiting.status?.pendingChanges).toEqual([{ path: "spec.cpu.count", from: "2", to: "4", effect: "Restart" }]);
    const [state] = [...(lab.hosts.get("hv1")?.snapshot.vms.values() ?? [])];
    expect(state?.cpu).toMatchObject({ count: 2, relativeWeight: 200 });
    expect(state?.state).toBe("Running");
    lab.annotate("VirtualMachine", "web", { "aetherv.io/approve": waiting.status?.planHash ?? "" });
    lab.sent.length = 0;
    await lab.settle();
    expect(lab.sent).toEqual(["vm.power web", "vm.update web", "vm.power web"]);
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect([...(lab.hosts.get("hv1")?.snapshot.vms.values() ?? [])][0]).toMatchObject({
      cpu: { count: 4 },
      state: "Running",
    });
    expect(vmOf(lab, "web").status?.approval).toBeUndefined();
  });

  test("found off and without any of its disks it waits for them, though it was started before", async () => {
    const lab = new Lab();
    const host = lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    lab.sent.length = 0;
    host.admin((world) => world.vms().forEach((vm) => world.putVm({ ...vm, state: "Off", drives: [] })));
    await lab.inventory();
    expect(lab.decide("VirtualMachine", "web").act).toEqual({ do: "nothing" });
    await lab.settle();
    expect(lab.sent).toEqual(["disk.attach web-os", "vm.power web"]);
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
  });

  test("a deletion stops it gracefully, then removes it; its disk's file stays", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    lab.sent.length = 0;
    lab.delete("VirtualMachine", "web");
    await lab.settle();
    expect(lab.sent.slice(0, 2)).toEqual(["vm.power web", "vm.delete web"]);
    expect(lab.find("VirtualMachine", "web")).toBeUndefined();
    expect(lab.hosts.get("hv1")?.snapshot.vms.size).toBe(0);
    expect(lab.find("VirtualDisk", "web-os")).toBeDefined();
  });

  test("a guest section where nothing can be sealed (a preview) is told, and holds nothing up", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab, { guest: { growFilesystems: true, hostname: "web" } });
    await lab.settle();
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    expect(conditionOf(vmOf(lab, "web"), "GuestConfigured")).toMatchObject({
      status: "False",
      reason: "GuestConfigurationPending",
    });
  });
});
