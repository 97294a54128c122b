import type { NetworkAdapter } from "../../../../src/api/generated/types.ts";

/** The VLAN that an adapter is in, in words: as seen on the host, else as asked for. */
export const vlanText = ({ spec, status }: NetworkAdapter): string => {
  const vlan = status?.vlan ?? spec.vlan;
  if (!vlan?.mode) return "";
  const parts = {
    id: vlan.id,
    allowed: vlan.allowed,
    native: vlan.nativeId,
    primary: vlan.primaryId,
    secondary: vlan.secondaryIds,
  };
  const known = Object.entries(parts).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [name === "id" ? String(value) : `${name} ${String(value)}`];
  });
  return [vlan.mode, ...known].join(" ");
};
