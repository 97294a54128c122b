import type { Owner, Stamp } from "../../../src/protocol/generated/types.ts";

const MARK = "[aetherv] ";

const isStamp = (value: unknown): value is Stamp =>
  typeof value === "object" &&
  value !== null &&
  ["controlPlaneId", "namespace", "name", "uid", "vmId"].every(
    (field) => typeof (value as Record<string, unknown>)[field] === "string",
  ) &&
  (value as Stamp).kind === "VirtualMachine";

const parse = (text: string): Stamp | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return isStamp(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

/** The user's part of Notes, and the stamp of the marked last line if there is one. */
export const readNotes = (raw: string): { readonly notes: string; readonly stamp?: Stamp } => {
  const lines = raw.split("\n");
  const last = lines.at(-1) ?? "";
  const stamp = last.startsWith(MARK) ? parse(last.slice(MARK.length)) : undefined;
  return stamp ? { notes: lines.slice(0, -1).join("\n"), stamp } : { notes: raw };
};

export const writeNotes = (notes: string, stamp: Stamp | undefined): string => {
  if (!stamp) return notes;
  const line = MARK + JSON.stringify(stamp);
  return notes === "" ? line : `${notes}\n${line}`;
};

export const stampOf = (controlPlaneId: string, owner: Owner, vmId: string): Stamp => ({
  controlPlaneId,
  kind: "VirtualMachine",
  namespace: owner.namespace,
  name: owner.name,
  uid: owner.uid,
  vmId,
});

/** The stamp, if it counts: only while it names the machine that carries it. Else the machine is a copy. */
export const validStamp = (vm: { readonly id: string; readonly notes: string }): Stamp | undefined => {
  const { stamp } = readNotes(vm.notes);
  return stamp?.vmId === vm.id ? stamp : undefined;
};
