import type { VirtualMachine, VirtualMachineSpec } from "../../src/api/generated/types.ts";
import type { Lab } from "./lab.ts";

/** The spec of the machine "web": generation 2, Linux, 2 processors, 2 GiB, one disk, one adapter. */
export const vmSpec = (over: Partial<VirtualMachineSpec> = {}): VirtualMachineSpec => ({
  managementPolicy: "Manage",
  deletionProtection: false,
  powerPolicy: "Enforce",
  osFamily: "Linux",
  cpu: { count: 2 },
  memory: { startup: "2Gi" },
  boot: { order: [{ type: "Disk", name: "web-os" }] },
  ...over,
});

export const declareVm = (lab: Lab, name: string, over: Partial<VirtualMachineSpec> = {}): void =>
  lab.apply({ kind: "VirtualMachine", name, spec: vmSpec(over) });

/** A VM with a disk of the image debian-12 and an adapter on "lan". */
export const declareWeb = (lab: Lab, over: Partial<VirtualMachineSpec> = {}, disk: object = {}): void => {
  lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec(over) });
  lab.apply({
    kind: "VirtualDisk",
    name: "web-os",
    spec: {
      managementPolicy: "Manage",
      deletionProtection: false,
      source: { type: "Image", image: "debian-12" },
      attachment: { virtualMachine: "web" },
      ...disk,
    },
  });
  lab.apply({
    kind: "NetworkAdapter",
    name: "web-lan",
    spec: { managementPolicy: "Manage", deletionProtection: false, virtualMachine: "web", network: "lan" },
  });
};

export const vmOf = (lab: Lab, name: string): VirtualMachine => lab.get<VirtualMachine>("VirtualMachine", name);
