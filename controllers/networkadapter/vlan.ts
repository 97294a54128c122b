import type { NetworkAdapterSpec } from "../../src/api/generated/types.ts";
import type { Vlan } from "../../src/protocol/generated/types.ts";
import { compact } from "../shared/objects.ts";

const numbersOf = (item: number | string): readonly number[] => {
  const [first = 0, last = first] = String(item).split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
};

/** VLANs as Hyper-V lists them: ascending, each once, neighbours as a range: "1-10,20". */
export const vlanList = (items: readonly (number | string)[]): string => {
  const sorted = [...new Set(items.flatMap(numbersOf))].toSorted((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const vlan of sorted) {
    const open = ranges.at(-1);
    if (open && vlan === open[1] + 1) open[1] = vlan;
    else ranges.push([vlan, vlan]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");
};

/** The spec's VLAN as the host is told it. */
export const vlanOf = ({ allowed, secondaryIds, ...spec }: NonNullable<NetworkAdapterSpec["vlan"]>): Vlan =>
  compact({
    ...spec,
    nativeId: spec.mode === "Trunk" ? (spec.nativeId ?? 0) : undefined,
    allowed: allowed && vlanList(allowed),
    secondaryIds: secondaryIds && vlanList(secondaryIds),
  }) as Vlan;

const membersOf: Readonly<Record<Vlan["mode"], readonly Exclude<keyof Vlan, "mode">[]>> = {
  Untagged: [],
  Access: ["id"],
  Trunk: ["allowed", "nativeId"],
  Isolated: ["primaryId", "secondaryId"],
  Community: ["primaryId", "secondaryId"],
  Promiscuous: ["primaryId", "secondaryIds"],
};

/** A VLAN with the members of its mode only, lists in one form: equal VLANs are then equal data. */
export const plainVlan = (vlan: Vlan): Vlan => {
  const members = membersOf[vlan.mode].map((name) => {
    const value = vlan[name];
    if (name === "nativeId") return [name, value ?? 0];
    return [name, typeof value === "string" ? vlanList(value.split(",").filter((part) => part !== "")) : value];
  });
  return compact({ mode: vlan.mode, ...Object.fromEntries(members) }) as Vlan;
};
