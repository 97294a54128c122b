import { annotations } from "../../../src/api/annotations.ts";
import type { AnyResource, VirtualMachine } from "../../../src/api/generated/types.ts";
import { issueText, validate } from "../../../src/api/validate.ts";
import { conditionOf } from "../../support/lab.ts";
import type { Lab, LabHost } from "../../support/lab.ts";

/** Applies a manifest as its author writes it: checked, constant defaults filled in. */
export const put = (lab: Lab, kind: AnyResource["kind"], name: string, spec: object): void => {
  const metadata = { name, ...(kind !== "VMHost" && { namespace: "default" }) };
  const verdict = validate({ apiVersion: "aetherv.io/v1alpha1", kind, metadata, spec });
  if (!verdict.valid) throw new Error(verdict.issues.map(issueText).join("\n"));
  lab.apply({ kind, name, spec: verdict.object.spec });
};

/** Edits fields of a spec; undefined removes one. */
export const edit = (lab: Lab, kind: AnyResource["kind"], name: string, changes: object): void => {
  const spec = { ...(lab.get(kind, name).spec as object), ...changes };
  put(lab, kind, name, Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)));
};

export const addHost = (lab: Lab, name: string, spec: object = {}): LabHost =>
  lab.addHost(name, {
    storageClasses: [
      { name: "standard", path: "D:\\Disks", default: true },
      { name: "fast", path: "D:\\Fast" },
    ],
    networks: [
      { name: "lan", switchName: "External" },
      { name: "dmz", switchName: "External", vlanId: 20 },
      { name: "inner", switchName: "Internal" },
    ],
    ...spec,
  });

/** A running machine of its own on hv1, booting from its disk `<name>-os`. */
export const addMachine = (lab: Lab, name: string, over: object = {}, disk: object = {}): void => {
  put(lab, "VirtualMachine", name, {
    host: "hv1",
    cpu: { count: 1 },
    memory: { startup: "1Gi" },
    boot: { order: [{ type: "Disk", name: `${name}-os` }] },
    shutdown: { mode: "TurnOff" },
    ...over,
  });
  put(lab, "VirtualDisk", `${name}-os`, {
    source: { type: "Image", image: "debian-12" },
    attachment: { virtualMachine: name },
    ...disk,
  });
};

/** "True/Converged", or what the condition says; undefined when there is none. */
export const told = (lab: Lab, kind: AnyResource["kind"], name: string, type = "Ready"): string | undefined => {
  const found = conditionOf(lab.get(kind, name), type);
  return found && `${found.status}/${found.reason}`;
};

export const statusOf = <R extends AnyResource>(lab: Lab, kind: R["kind"], name: string): NonNullable<R["status"]> =>
  (lab.get(kind, name) as AnyResource as R).status ?? ({} as NonNullable<R["status"]>);

/** Approves the plan that the machine shows now. */
export const approve = (lab: Lab, name: string): void => {
  const { planHash } = statusOf<VirtualMachine>(lab, "VirtualMachine", name);
  lab.annotate("VirtualMachine", name, { [annotations.approve]: planHash ?? "none" });
};

/** Jobs sent since the last call, as "disk.attach data". */
export const jobs = (lab: Lab): string[] => lab.sent.splice(0);
