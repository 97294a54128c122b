import { describe, expect, test } from "vitest";
import { payloadText } from "../../../src/guest/payload.ts";
import { inAgent, makeRoot, shells } from "./rig.ts";

const payload = payloadText([
  ["adapter.0.mac", "00155D010203"],
  ["adapter.0.name", "lan"],
  ["adapter.0.ipv4.method", "Static"],
  ["adapter.0.ipv4.address", "192.0.2.10"],
  ["adapter.0.ipv4.prefixLength", "24"],
  ["adapter.0.ipv4.gateway", "192.0.2.1"],
  ["adapter.0.ipv4.dns.0", "192.0.2.53"],
  ["adapter.0.ipv4.dns.1", "192.0.2.54"],
]);

const cases = [
  {
    kind: "netplan",
    file: "90-aetherv.yaml",
    holds: ['addresses: ["192.0.2.10/24"]', 'via: "192.0.2.1"', "dhcp4: false"],
  },
  {
    kind: "NetworkManager",
    file: "aetherv-00155d010203.nmconnection",
    holds: ["address1=192.0.2.10/24,192.0.2.1", "dns=192.0.2.53;192.0.2.54;"],
  },
  {
    kind: "networkd",
    file: "05-aetherv-00155d010203.network",
    holds: ["Address=192.0.2.10/24", "Gateway=192.0.2.1", "DNS=192.0.2.54"],
  },
  {
    kind: "ifupdown",
    file: "interfaces",
    holds: ["auto lo", "address 192.0.2.10/24", "gateway 192.0.2.1", "iface other inet dhcp"],
  },
];

describe.each(cases)("the network by $kind", ({ kind, file, holds }) => {
  test("is written for the declared adapter; what others wrote for it is out of the way", { timeout: 60_000 }, () => {
    const shell = shells[0];
    const root = makeRoot();
    try {
      if (!shell) return;
      root.write("run/aetherv/work/payload", payload);
      root.write("run/aetherv/network/x", "");
      root.write("sys/class/net/eth0/address", "00:15:5d:01:02:03\n");
      root.write("tree/50-cloud-init.yaml", "network:\n  ethernets:\n    eth0:\n      dhcp4: true\n");
      root.write("tree/interfaces", "auto lo eth0\niface eth0 inet dhcp\n  metric 9\niface other inet dhcp\n");
      const ran = inAgent(shell, root, `name_interfaces; network_write_${kind} "$AETHERV_ROOT/tree"`);
      expect(ran).toEqual({ code: 0, out: "", log: "" });
      const written = root.read(`tree/${file}`);
      for (const text of holds) expect(written).toContain(text);
      expect(written).not.toContain("metric 9");
      if (kind === "netplan") expect(root.read("tree/50-cloud-init.yaml.aetherv-off")).toContain("dhcp4: true");
    } finally {
      root.remove();
    }
  });
});
