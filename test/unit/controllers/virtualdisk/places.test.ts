import { expect, test } from "vitest";
import type { VirtualDisk } from "../../../../src/api/generated/types.ts";
import { Lab } from "../../../support/lab.ts";
import { addHost, addMachine, put, statusOf, told } from "../stage.ts";

test("a data disk on IDE that is there first leaves IDE 0:0 to the boot disk of generation 1", async () => {
  const lab = new Lab();
  addHost(lab, "hv1");
  const attachment = { virtualMachine: "web", controller: "IDE" };
  put(lab, "VirtualDisk", "a-data", { source: { type: "Blank" }, size: "1Gi", attachment });
  addMachine(lab, "web", { generation: 1 }, { source: { type: "Blank" }, size: "1Gi" });
  await lab.settle();
  expect(told(lab, "VirtualMachine", "web")).toBe("True/Converged");
  const at = (name: string) => statusOf<VirtualDisk>(lab, "VirtualDisk", name).attachedTo;
  expect(at("web-os")).toMatchObject({ controller: "IDE", controllerNumber: 0, controllerLocation: 0 });
  expect(at("a-data")).toMatchObject({ controller: "IDE" });
});
