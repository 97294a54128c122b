import { findKind, kinds, nearestKind, type KindInfo } from "../api/kinds.ts";
import { nearest } from "../api/nearest.ts";
import type { Key, Resource } from "../api/resource.ts";
import { ControlError, type ControlPlane } from "../server/control.ts";

/** Words of the trade, beside the names that the CRDs give. */
const aliases: Readonly<Record<string, string>> = {
  vm: "VirtualMachine",
  vms: "VirtualMachine",
  disk: "VirtualDisk",
  disks: "VirtualDisk",
  nic: "NetworkAdapter",
  nics: "NetworkAdapter",
  adapter: "NetworkAdapter",
  adapters: "NetworkAdapter",
  host: "VMHost",
  hosts: "VMHost",
  deployment: "ManagedDeployment",
  deployments: "ManagedDeployment",
};

/** A kind by any name that people type: kind, plural, singular, short name or a word of the trade. */
export const kindNamed = (typed: string): KindInfo | undefined => findKind(aliases[typed.toLowerCase()] ?? typed);

/** The kind that was typed, or an error that names the nearest one. */
export const kindTyped = (typed: string): KindInfo => {
  const info = kindNamed(typed);
  if (info) return info;
  const near = nearestKind(typed) ?? nearest(typed, Object.keys(aliases));
  const all = kinds.map((one) => `${one.plural} (${one.shortNames.join(", ")})`).join(", ");
  throw new ControlError(
    "Invalid",
    `unknown kind "${typed}"`,
    near === undefined ? `kinds are ${all}` : `did you mean "${near}"? Kinds are ${all}`,
  );
};

export const keyTyped = (info: KindInfo, name: string, namespace: string): Key => ({
  kind: info.kind,
  namespace: info.scope === "Cluster" ? "" : namespace,
  name,
});

/** `KIND/NAME`, or `KIND` and `NAME`, as kubectl takes them. Several names may follow one kind. */
export const keysTyped = (words: readonly string[], namespace: string): readonly Key[] => {
  const [first] = words;
  if (first === undefined) throw new ControlError("Invalid", "which object? Give KIND/NAME", "for example vm/web");
  if (words.some((word) => word.includes("/"))) return words.map((word) => slashed(word, namespace));
  if (words.length === 1 && !kindNamed(first))
    throw new ControlError("Invalid", `"${first}" does not name an object`, `use KIND/NAME, as vm/${first}`);
  const info = kindTyped(first);
  if (words.length === 1) throw new ControlError("Invalid", `which ${info.kind}? Give ${first}/NAME`);
  return words.slice(1).map((name) => keyTyped(info, name, namespace));
};

const slashed = (word: string, namespace: string): Key => {
  const [kind = "", name = "", ...more] = word.split("/");
  if (name === "" || more.length > 0)
    throw new ControlError("Invalid", `"${word}" does not name an object`, "use KIND/NAME, as vm/web");
  return keyTyped(kindTyped(kind), name, namespace);
};

/** The object, or an error that names the nearest one there is. */
export const existing = async (control: ControlPlane, key: Key): Promise<Resource> => {
  const found = await control.get(key);
  if (found) return found;
  const all = await control.list(key.kind);
  const here = all.filter((one) => (one.metadata.namespace ?? "") === key.namespace).map((one) => one.metadata.name);
  const elsewhere = all.find((one) => one.metadata.name === key.name)?.metadata.namespace;
  const where = key.namespace === "" ? "" : ` in namespace "${key.namespace}"`;
  throw new ControlError("NotFound", `${key.kind} "${key.name}" not found${where}`, hint(key, here, elsewhere));
};

const hint = (key: Key, here: readonly string[], elsewhere: string | undefined): string => {
  if (elsewhere !== undefined) return `there is one in namespace "${elsewhere}": add -n ${elsewhere}`;
  const near = nearest(key.name, here);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (here.length === 0) return `there is no ${key.kind} here`;
  return `there are ${[...here].sort().slice(0, 10).join(", ")}${here.length > 10 ? " and others" : ""}`;
};

/** "virtualmachine/web", the form that every command takes back. */
export const keyShort = (key: Key): string => `${(findKind(key.kind)?.singular ?? key.kind).toLowerCase()}/${key.name}`;
