import { describe, expect, test } from "vitest";
import { Lab } from "../../../support/lab.ts";
import { declareWeb, vmSpec } from "../../../support/samples.ts";

describe("the plan that people see", () => {
  test("of a machine that is not there: every declared setting, then its power", () => {
    const lab = new Lab();
    lab.addHost("hv1");
    lab.apply({
      kind: "VirtualMachine",
      name: "web",
      spec: vmSpec({ host: "hv1", notes: "n", powerState: "Running" }),
    });
    const { plan, metadata, act } = lab.decide("VirtualMachine", "web");
    expect(metadata?.annotations).toEqual({ "aetherv.io/host": "hv1" });
    expect(act).toEqual({ do: "nothing" });
    expect(plan.map(({ operation }) => operation)).toEqual(["vm.create", "vm.power"]);
    expect(plan.flatMap(({ changes }) => changes.map(({ path, to }) => [path, to]))).toEqual([
      ["spec.vmName", "web"],
      ["spec.osFamily", "Linux"],
      ["spec.notes", "n"],
      ["spec.cpu.count", 2],
      ["spec.memory.startup", "2Gi"],
      ["spec.boot.order", [{ type: "Disk", name: "web-os" }]],
      ["spec.powerState", "Running"],
    ]);
  });

  test("of edited fields: each with the effect it has on the running machine", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    const { metadata, status } = lab.get("VirtualMachine", "web");
    const spec = vmSpec({
      vmName: "www",
      notes: "n",
      cpu: { count: 4, relativeWeight: 50 },
      memory: { startup: "4Gi", dynamic: { minimum: "1Gi", maximum: "8Gi" } },
      security: { tpm: true },
      automaticStopAction: "Save",
      generation: 1,
    });
    lab.objects.set("VirtualMachine/default/web", {
      apiVersion: "aetherv.io/v1alpha1",
      kind: "VirtualMachine",
      metadata,
      spec,
      status,
    });
    const { plan } = lab.decide("VirtualMachine", "web");
    const effects = plan.flatMap(({ changes, effect }) => changes.map(({ path }) => [path, effect]));
    expect(effects).toEqual([
      ["spec.vmName", "Hot"],
      ["spec.notes", "Hot"],
      ["spec.cpu.relativeWeight", "Hot"],
      ["spec.cpu.count", "Restart"],
      ["spec.memory.startup", "Restart"],
      ["spec.memory.dynamic", "Restart"],
      ["spec.security.tpm", "Restart"],
      ["spec.automaticStopAction", "Restart"],
      ["spec.generation", "Forbidden"],
    ]);
    expect(plan.map(({ operation }) => operation)).toEqual(["vm.update", "vm.update", "vm.update"]);
  });

  test("of a deletion: off, then removed", async () => {
    const lab = new Lab();
    lab.addHost("hv1");
    declareWeb(lab);
    await lab.settle();
    lab.delete("VirtualMachine", "web");
    const { plan } = lab.decide("VirtualMachine", "web");
    expect(plan.map(({ operation, destructive }) => [operation, destructive])).toEqual([
      ["vm.power", true],
      ["vm.delete", true],
    ]);
  });
});
