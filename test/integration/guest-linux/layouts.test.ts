import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { payloadText, type Line } from "../../../src/guest/payload.ts";
import { agentFolder, inAgent, makeRoot, repository, shells, type Root } from "../../unit/guest-linux/rig.ts";

const timeout = 120_000;
const cache = join(repository, ".cache/rigs/netplan");
const generator = join(cache, "root/usr/libexec/netplan/generate");

/** Debian's netplan, unpacked beside; nothing is installed on this machine. Undefined when it is there. */
const whyNoNetplan = (): string | undefined => {
  if (!existsSync(generator)) {
    mkdirSync(cache, { recursive: true });
    spawnSync("apt-get", ["download", "-q", "netplan.io", "libnetplan0"], { cwd: cache, stdio: "ignore" });
    for (const name of readdirSync(cache).filter((one) => one.endsWith(".deb")))
      spawnSync("dpkg-deb", ["-x", join(cache, name), join(cache, "root")]);
  }
  return existsSync(generator) ? undefined : "apt-get could not download netplan.io";
};

const adapter = (at: number, mac: string, more: Readonly<Record<string, string>>): readonly Line[] => [
  [`adapter.${at}.mac`, mac],
  [`adapter.${at}.name`, `lan${at}`],
  ...Object.entries(more).map(([key, value]): Line => [`adapter.${at}.${key}`, value]),
];

const v4 = {
  "ipv4.method": "Static",
  "ipv4.address": "192.0.2.10",
  "ipv4.prefixLength": "24",
  "ipv4.gateway": "192.0.2.1",
  "ipv4.dns.0": "192.0.2.53",
  "ipv4.search.0": "example.org",
};
const v6 = {
  "ipv6.method": "Static",
  "ipv6.address": "2001:db8::10",
  "ipv6.prefixLength": "64",
  "ipv6.gateway": "2001:db8::1",
  "ipv6.dns.0": "2001:db8::53",
};

const cases: readonly { why: string; lines: readonly Line[]; holds: readonly string[]; lacks?: readonly string[] }[] = [
  {
    why: "a static address",
    lines: adapter(0, "00155D010203", v4),
    holds: ["Address=192.0.2.10/24", "Gateway=192.0.2.1", "DNS=192.0.2.53", "Domains=example.org"],
    lacks: ["DHCP="],
  },
  {
    why: "static addresses of both families",
    lines: adapter(0, "00155D010203", { ...v4, ...v6 }),
    holds: ["Address=192.0.2.10/24", "Address=2001:db8::10/64", "Gateway=2001:db8::1", "IPv6AcceptRA=no"],
  },
  {
    why: "DHCP of both families, DNS servers of one's own",
    lines: adapter(0, "00155D010203", { "ipv4.method": "DHCP", "ipv4.dns.0": "192.0.2.53", "ipv6.method": "DHCP" }),
    holds: ["DHCP=yes", "DNS=192.0.2.53", "UseDNS=false"],
  },
];

/** What the agent writes for netplan, in /etc/netplan of the root. */
const write = (root: Root, lines: readonly Line[]): void => {
  const [shell] = shells;
  if (!shell) throw new Error("no shell");
  root.write("run/aetherv/work/payload", payloadText(lines));
  root.write("run/aetherv/network/x", "");
  root.write("sys/class/net/eth0/address", "00:15:5d:01:02:03\n");
  root.write("etc/netplan/50-cloud-init.yaml", "network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n");
  const ran = inAgent(shell, root, `name_interfaces; network_write_netplan "$AETHERV_ROOT/etc/netplan"`);
  expect(ran).toEqual({ code: 0, out: "", log: "" });
};

describe("what is written for netplan", () => {
  test.for(cases)("is taken by Debian's own generator: $why", { timeout }, ({ lines, holds, lacks = [] }, context) => {
    const why = whyNoNetplan();
    if (why !== undefined) return context.skip(why);
    const root = makeRoot();
    try {
      write(root, lines);
      const env = { PATH: process.env["PATH"], LD_LIBRARY_PATH: join(cache, "root/usr/lib/x86_64-linux-gnu") };
      const made = spawnSync(generator, ["--root-dir", root.path], { env, encoding: "utf8" });
      expect(made).toMatchObject({ status: 0, stderr: "" });
      expect(readdirSync(join(root.path, "etc/netplan"))).toEqual([
        "50-cloud-init.yaml.aetherv-off",
        "90-aetherv.yaml",
      ]);
      const folder = join(root.path, "run/systemd/network");
      const text = readdirSync(folder)
        .map((name) => readFileSync(join(folder, name), "utf8"))
        .join("\n");
      expect(text).toMatch(/MACAddress=00:15:5d:01:02:03/);
      for (const line of holds) expect(text.split("\n")).toContain(line);
      for (const part of lacks) expect(text).not.toContain(part);
    } finally {
      root.remove();
    }
  });
});

test("the unit that install.sh places is one that systemd takes", { timeout }, (context) => {
  if (spawnSync("systemd-analyze", ["--version"]).status !== 0) return context.skip("systemd-analyze is not installed");
  const root = makeRoot();
  try {
    mkdirSync(join(root.path, "etc/systemd/system"), { recursive: true });
    const env = { ...process.env, AETHERV_ROOT: root.path };
    const installed = spawnSync("sh", [join(agentFolder, "install.sh")], { env, encoding: "utf8" });
    expect(installed).toMatchObject({ status: 0, stderr: "" });
    const unit = readFileSync(join(root.path, "etc/systemd/system/aetherv-guest.service"), "utf8");
    // Verified where it will lie; its program is looked for on this machine.
    root.write("verify/aetherv-guest.service", unit.replace("ExecStart=", `ExecStart=${root.path}`));
    const said = spawnSync("systemd-analyze", ["verify", "--man=no", join(root.path, "verify/aetherv-guest.service")], {
      encoding: "utf8",
    });
    expect(`${said.stdout}${said.stderr}`).toBe("");
    expect(said.status).toBe(0);
    expect(existsSync(join(root.path, "etc/systemd/system/multi-user.target.wants/aetherv-guest.service"))).toBe(true);
  } finally {
    root.remove();
  }
});
