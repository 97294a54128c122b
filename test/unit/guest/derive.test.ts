import { describe, expect, test } from "vitest";
import type { NetworkAdapter, VirtualMachine } from "../../../src/api/generated/types.ts";
import type { GuestSources } from "../../../src/engine/ports.ts";
import { derive } from "../../../src/guest/derive.ts";

type Guest = NonNullable<VirtualMachine["spec"]["guest"]>;
type Address = NonNullable<NetworkAdapter["spec"]["ipv4"]>;

const metadata = {
  name: "web",
  namespace: "default",
  uid: "u",
  generation: 1,
  resourceVersion: "1",
  creationTimestamp: "",
};

const vm = (
  guest: Partial<Guest> | undefined,
  spec: Partial<VirtualMachine["spec"]> = {},
  name = "web",
): VirtualMachine =>
  ({
    apiVersion: "aetherv.io/v1alpha1",
    kind: "VirtualMachine",
    metadata: { ...metadata, name },
    spec: { osFamily: "Linux", ...spec, ...(guest && { guest: { growFilesystems: false, ...guest } }) },
  }) as unknown as VirtualMachine;

const adapter = (
  name: string,
  spec: { ipv4?: Address; ipv6?: Address },
  macAddress?: string,
): GuestSources["adapters"][number] => ({
  object: { apiVersion: "aetherv.io/v1alpha1", kind: "NetworkAdapter", metadata: { ...metadata, name }, spec },
  macAddress,
});

const none: GuestSources = { adapters: [] };

const shown = (machine: VirtualMachine, sources: GuestSources = none): readonly string[] => {
  const derived = derive(machine, sources);
  if (!derived) return ["undefined"];
  if (derived.at !== "derived") return [`${derived.at} ${derived.reason}: ${derived.message}`];
  return derived.lines.map(([key, value]) =>
    typeof value === "string" ? `${key}=${value}` : `${key}@${value.secret}/${value.key}`,
  );
};

interface Case {
  readonly why: string;
  readonly vm: VirtualMachine;
  readonly sources?: GuestSources;
  /** Lines beside os and hostname=web, in this order; or the one problem. */
  readonly lines: readonly string[];
}

const secret = { name: "creds", key: "password" };
const admin = { localAdministrator: { name: "operator", passwordSecretRef: secret } };
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me";
const windows = { osFamily: "Windows" } as const;
const mac = "00155D010203";
const fixed: Address = { method: "Static", address: "192.0.2.10", prefixLength: 24 };
const fixed6: Address = { method: "Static", address: "2001:db8::10", prefixLength: 64 };
const dhcp: Address = { method: "DHCP" };
const file = { path: "/etc/a", content: "x" };
const script = { name: "s", interpreter: "sh" as const, inline: "echo" };

const plain: readonly Case[] = [
  { why: "the least", vm: vm({}), lines: [] },
  { why: "a time zone", vm: vm({ timeZone: "Europe/Berlin" }), lines: ["timeZone=Europe/Berlin"] },
  { why: "an alias of a zone stays as declared", vm: vm({ timeZone: "US/Pacific" }), lines: ["timeZone=US/Pacific"] },
  {
    why: "administrator: the password by reference only",
    vm: vm(admin),
    lines: ["admin.name=operator", "admin.password@creds/password"],
  },
  {
    why: "keys of the administrator, in order",
    vm: vm({ ...admin, sshAuthorizedKeys: [key, `${key}2`] }),
    lines: ["admin.name=operator", "admin.password@creds/password", `admin.sshKey.0=${key}`, `admin.sshKey.1=${key}2`],
  },
  { why: "an empty list of keys declares none", vm: vm({ sshAuthorizedKeys: [] }), lines: [] },
  {
    why: "automation",
    vm: vm({ automation: { user: "ansible", publicKey: key } }),
    lines: ["automation.user=ansible", `automation.publicKey=${key}`],
  },
  {
    why: "a domain takes the two fixed keys of its Secret",
    vm: vm({ domainJoin: { domain: "ad.example.org", credentialsSecretRef: { name: "join" } } }),
    lines: ["domain.name=ad.example.org", "domain.username@join/username", "domain.password@join/password"],
  },
  {
    why: "with an organizational unit",
    vm: vm({
      domainJoin: { domain: "a.b", organizationalUnit: "OU=S,DC=a,DC=b", credentialsSecretRef: { name: "join" } },
    }),
    lines: [
      "domain.name=a.b",
      "domain.ou=OU=S,DC=a,DC=b",
      "domain.username@join/username",
      "domain.password@join/password",
    ],
  },
  {
    why: "growing, of a machine that boots from no disk",
    vm: vm({ growFilesystems: true }),
    lines: ["growFilesystems=true"],
  },
  {
    why: "growing: the boot disk's size makes a new generation",
    vm: vm({ growFilesystems: true }),
    sources: { adapters: [], rootDiskBytes: 21474836480 },
    lines: ["growFilesystems=true", "rootDisk.bytes=21474836480"],
  },
  { why: "not growing: the size does not matter", vm: vm({}), sources: { adapters: [], rootDiskBytes: 1 }, lines: [] },
  {
    why: "not growing: an unknown size does not matter",
    vm: vm({}),
    sources: { adapters: [], rootDiskBytes: "unknown" },
    lines: [],
  },
  { why: "a file", vm: vm({ files: [file] }), lines: ["file.0.path=/etc/a", "file.0.mode=0644", "file.0.content=x"] },
  {
    why: "an empty file is a file",
    vm: vm({ files: [{ path: "/a", content: "" }] }),
    lines: ["file.0.path=/a", "file.0.mode=0644", "file.0.content="],
  },
  {
    why: "a mode of three digits",
    vm: vm({ files: [{ ...file, mode: "755" }] }),
    lines: ["file.0.path=/etc/a", "file.0.mode=0755", "file.0.content=x"],
  },
  {
    why: "a mode of four digits",
    vm: vm({ files: [{ ...file, mode: "0400" }] }),
    lines: ["file.0.path=/etc/a", "file.0.mode=0400", "file.0.content=x"],
  },
  {
    why: "a file of a Secret is nobody else's to read",
    vm: vm({ files: [{ path: "/k", contentSecretRef: secret }] }),
    lines: ["file.0.path=/k", "file.0.mode=0600", "file.0.content@creds/password"],
  },
  {
    why: "unless its mode is declared",
    vm: vm({ files: [{ path: "/k", mode: "0640", contentSecretRef: secret }] }),
    lines: ["file.0.path=/k", "file.0.mode=0640", "file.0.content@creds/password"],
  },
  {
    why: "files in the order of the spec",
    vm: vm({
      files: [
        { path: "/b", content: "1" },
        { path: "/a", content: "2" },
      ],
    }),
    lines: [
      "file.0.path=/b",
      "file.0.mode=0644",
      "file.0.content=1",
      "file.1.path=/a",
      "file.1.mode=0644",
      "file.1.content=2",
    ],
  },
  {
    why: "paths that differ in case are two on Linux",
    vm: vm({
      files: [
        { path: "/A", content: "" },
        { path: "/a", content: "" },
      ],
    }),
    lines: [
      "file.0.path=/A",
      "file.0.mode=0644",
      "file.0.content=",
      "file.1.path=/a",
      "file.1.mode=0644",
      "file.1.content=",
    ],
  },
  {
    why: "a service: both",
    vm: vm({ services: [{ name: "ssh", state: "Running", startup: "Enabled" }] }),
    lines: ["service.0.name=ssh", "service.0.state=Running", "service.0.startup=Enabled"],
  },
  {
    why: "a service: state only",
    vm: vm({ services: [{ name: "ssh", state: "Stopped" }] }),
    lines: ["service.0.name=ssh", "service.0.state=Stopped"],
  },
  {
    why: "a service: startup only",
    vm: vm({ services: [{ name: "ssh", startup: "Disabled" }] }),
    lines: ["service.0.name=ssh", "service.0.startup=Disabled"],
  },
  {
    why: "a script with its defaults",
    vm: vm({ scripts: [script] }),
    lines: [
      "script.0.name=s",
      "script.0.interpreter=sh",
      "script.0.run=OnChange",
      "script.0.timeoutSeconds=600",
      "script.0.content=echo",
    ],
  },
  {
    why: "a script in full",
    vm: vm({ scripts: [{ ...script, interpreter: "bash", run: "Once", timeoutSeconds: 5 }] }),
    lines: [
      "script.0.name=s",
      "script.0.interpreter=bash",
      "script.0.run=Once",
      "script.0.timeoutSeconds=5",
      "script.0.content=echo",
    ],
  },
  {
    why: "a script of a Secret",
    vm: vm({ scripts: [{ name: "s", interpreter: "sh", run: "Always", secretRef: secret }] }),
    lines: [
      "script.0.name=s",
      "script.0.interpreter=sh",
      "script.0.run=Always",
      "script.0.timeoutSeconds=600",
      "script.0.content@creds/password",
    ],
  },
  {
    why: "PowerShell on Linux is the guest's to judge",
    vm: vm({ scripts: [{ ...script, interpreter: "powershell" }] }),
    lines: [
      "script.0.name=s",
      "script.0.interpreter=powershell",
      "script.0.run=OnChange",
      "script.0.timeoutSeconds=600",
      "script.0.content=echo",
    ],
  },
  {
    why: "any Unicode",
    vm: vm({ files: [{ path: "/ü", content: "🙂\u0001" }] }),
    lines: ["file.0.path=/ü", "file.0.mode=0644", "file.0.content=🙂\u0001"],
  },
];

const network: readonly Case[] = [
  {
    why: "an adapter that declares no address is left alone",
    vm: vm({}),
    sources: { adapters: [adapter("lan", {}, mac)] },
    lines: [],
  },
  { why: "nor does its missing address matter", vm: vm({}), sources: { adapters: [adapter("lan", {})] }, lines: [] },
  {
    why: "DHCP",
    vm: vm({}),
    sources: { adapters: [adapter("lan", { ipv4: dhcp }, mac)] },
    lines: [`adapter.0.mac=${mac}`, "adapter.0.name=lan", "adapter.0.ipv4.method=DHCP"],
  },
  {
    why: "DHCP with own name servers",
    vm: vm({}),
    sources: {
      adapters: [adapter("lan", { ipv4: { ...dhcp, dnsServers: ["192.0.2.53"], searchDomains: ["a.b", "c.d"] } }, mac)],
    },
    lines: [
      `adapter.0.mac=${mac}`,
      "adapter.0.name=lan",
      "adapter.0.ipv4.method=DHCP",
      "adapter.0.ipv4.dns.0=192.0.2.53",
      "adapter.0.ipv4.search.0=a.b",
      "adapter.0.ipv4.search.1=c.d",
    ],
  },
  {
    why: "a static address without a gateway",
    vm: vm({}),
    sources: { adapters: [adapter("lan", { ipv4: fixed }, mac)] },
    lines: [
      `adapter.0.mac=${mac}`,
      "adapter.0.name=lan",
      "adapter.0.ipv4.method=Static",
      "adapter.0.ipv4.address=192.0.2.10",
      "adapter.0.ipv4.prefixLength=24",
    ],
  },
  {
    why: "with a gateway and name servers",
    vm: vm({}),
    sources: {
      adapters: [
        adapter("lan", { ipv4: { ...fixed, gateway: "192.0.2.1", dnsServers: ["192.0.2.1", "192.0.2.2"] } }, mac),
      ],
    },
    lines: [
      `adapter.0.mac=${mac}`,
      "adapter.0.name=lan",
      "adapter.0.ipv4.method=Static",
      "adapter.0.ipv4.address=192.0.2.10",
      "adapter.0.ipv4.prefixLength=24",
      "adapter.0.ipv4.gateway=192.0.2.1",
      "adapter.0.ipv4.dns.0=192.0.2.1",
      "adapter.0.ipv4.dns.1=192.0.2.2",
    ],
  },
  {
    why: "IPv6 only: IPv4 is left alone",
    vm: vm({}),
    sources: { adapters: [adapter("lan", { ipv6: fixed6 }, mac)] },
    lines: [
      `adapter.0.mac=${mac}`,
      "adapter.0.name=lan",
      "adapter.0.ipv6.method=Static",
      "adapter.0.ipv6.address=2001:db8::10",
      "adapter.0.ipv6.prefixLength=64",
    ],
  },
  {
    why: "both families",
    vm: vm({}),
    sources: { adapters: [adapter("lan", { ipv4: dhcp, ipv6: dhcp }, mac)] },
    lines: [`adapter.0.mac=${mac}`, "adapter.0.name=lan", "adapter.0.ipv4.method=DHCP", "adapter.0.ipv6.method=DHCP"],
  },
  {
    why: "adapters in the order of their addresses, whatever their names",
    vm: vm({}),
    sources: { adapters: [adapter("a", { ipv4: dhcp }, "00155D0000FF"), adapter("b", { ipv4: dhcp }, "00155D00000A")] },
    lines: [
      "adapter.0.mac=00155D00000A",
      "adapter.0.name=b",
      "adapter.0.ipv4.method=DHCP",
      "adapter.1.mac=00155D0000FF",
      "adapter.1.name=a",
      "adapter.1.ipv4.method=DHCP",
    ],
  },
  {
    why: "indices count declared adapters only",
    vm: vm({}),
    sources: { adapters: [adapter("a", {}, "00155D000001"), adapter("b", { ipv4: dhcp }, "00155D000002")] },
    lines: ["adapter.0.mac=00155D000002", "adapter.0.name=b", "adapter.0.ipv4.method=DHCP"],
  },
];

const problems: readonly Case[] = [
  { why: "no section, no configuration", vm: vm(undefined), lines: ["undefined"] },
  {
    why: "no system",
    vm: vm({}, { osFamily: undefined } as never),
    lines: ["stalled InvalidSpec: spec.guest needs spec.osFamily: Linux or Windows."],
  },
  {
    why: "no address yet",
    vm: vm({}),
    sources: { adapters: [adapter("lan", { ipv4: dhcp })] },
    lines: ["waiting WaitingForReference: NetworkAdapter lan has no MAC address yet."],
  },
  {
    why: "two of one address",
    vm: vm({}),
    sources: { adapters: [adapter("a", { ipv4: dhcp }, mac), adapter("b", { ipv4: dhcp }, mac)] },
    lines: [`stalled DuplicateMacAddress: Two network adapters have the address ${mac}.`],
  },
  {
    why: "the boot disk was not looked at yet",
    vm: vm({ growFilesystems: true }),
    sources: { adapters: [], rootDiskBytes: "unknown" },
    lines: ["waiting WaitingForReference: The size of the boot disk is not known yet."],
  },
  {
    why: "no such zone",
    vm: vm({ timeZone: "Mars/Base" }),
    lines: ["stalled InvalidSpec: spec.guest.timeZone: Mars/Base is no IANA time zone, as Europe/Berlin."],
  },
  {
    why: "keys of nobody",
    vm: vm({ sshAuthorizedKeys: [key] }),
    lines: ["stalled InvalidSpec: spec.guest.sshAuthorizedKeys are keys of the localAdministrator: declare one."],
  },
  {
    why: "one account twice",
    vm: vm({ ...admin, automation: { user: "operator", publicKey: key } }),
    lines: [
      "stalled InvalidSpec: spec.guest.automation.user and localAdministrator.name are both operator: give each its own.",
    ],
  },
  {
    why: "a NUL",
    vm: vm({ files: [{ path: "/a", content: "a\0b" }] }),
    lines: ["stalled InvalidSpec: spec.guest: file.0.content holds a NUL character."],
  },
  {
    why: "65,537 bytes",
    vm: vm({ files: [{ path: "/a", content: "x".repeat(65_537) }] }),
    lines: [
      "stalled GuestConfigTooLarge: spec.guest.files[0] has 65537 bytes; files and scripts hold 65537 bytes together, at most 65536 are possible.",
    ],
  },
  {
    why: "bytes, not characters",
    vm: vm({ files: [{ path: "/a", content: "ü".repeat(32_769) }] }),
    lines: [
      "stalled GuestConfigTooLarge: spec.guest.files[0] has 65538 bytes; files and scripts hold 65538 bytes together, at most 65536 are possible.",
    ],
  },
  {
    why: "files and scripts together",
    vm: vm({ files: [{ path: "/a", content: "x".repeat(65_536) }], scripts: [{ ...script, inline: "y" }] }),
    lines: [
      "stalled GuestConfigTooLarge: spec.guest.files[0] has 65536 bytes; files and scripts hold 65537 bytes together, at most 65536 are possible.",
    ],
  },
  {
    why: "a path of Windows on Linux",
    vm: vm({ files: [{ path: "C:\\a", content: "" }] }),
    lines: ["stalled InvalidSpec: spec.guest.files: C:\\a is no absolute path of Linux."],
  },
  {
    why: "a path of Linux on Windows",
    vm: vm({ files: [file] }, windows),
    lines: ["stalled InvalidSpec: spec.guest.files: /etc/a is no absolute path of Windows."],
  },
  {
    why: "Windows knows no case",
    vm: vm(
      {
        files: [
          { path: "C:\\a", content: "" },
          { path: "c:\\A", content: "" },
        ],
      },
      windows,
    ),
    lines: ["stalled InvalidSpec: spec.guest.files: c:\\A is declared twice (Windows knows no case)."],
  },
  {
    why: "sh on Windows",
    vm: vm({ scripts: [script] }, windows),
    lines: ["stalled InvalidSpec: spec.guest.scripts: s needs sh; Windows has powershell only."],
  },
  {
    why: "16 characters on Windows",
    vm: vm({ hostname: "abcdefghijklmnop" }, windows),
    lines: ["stalled InvalidSpec: spec.guest.hostname: abcdefghijklmnop has 16 characters; Windows takes 15."],
  },
  {
    why: "digits only on Windows",
    vm: vm({ hostname: "12345" }, windows),
    lines: ["stalled InvalidSpec: spec.guest.hostname: 12345 has digits only, which Windows refuses."],
  },
  {
    why: "a zone that Windows lacks",
    vm: vm({ timeZone: "Antarctica/Troll" }, windows),
    lines: ["stalled InvalidSpec: spec.guest.timeZone: Windows has no time zone for Antarctica/Troll."],
  },
  {
    why: "21 characters of an account",
    vm: vm({ automation: { user: "a".repeat(21), publicKey: key } }, windows),
    lines: [
      `stalled InvalidSpec: spec.guest: ${"a".repeat(21)} has 21 characters; account names of Windows have at most 20.`,
    ],
  },
  {
    why: "accounts of Windows know no case",
    vm: vm(
      {
        localAdministrator: { name: "Operator", passwordSecretRef: secret },
        automation: { user: "operator", publicKey: key },
      },
      windows,
    ),
    lines: [
      "stalled InvalidSpec: spec.guest.automation.user and localAdministrator.name are both Operator: give each its own.",
    ],
  },
];

const hostnames = [
  { why: "declared", vm: vm({ hostname: "Shop-1" }), name: "Shop-1" },
  { why: "the object's name", vm: vm({}), name: "web" },
  { why: "the machine's name in Hyper-V", vm: vm({}, { vmName: "Web Server_1.prod" }), name: "Web-Server-1-prod" },
  { why: "no hyphen at the ends", vm: vm({}, { vmName: "-_web_-" }), name: "web" },
  { why: "63 characters on Linux", vm: vm({}, { vmName: "a".repeat(64) }), name: "a".repeat(63) },
  { why: "15 on Windows", vm: vm({}, { ...windows, vmName: "a-very-long-name" }), name: "a-very-long-nam" },
  {
    why: "not ending in a hyphen where it is cut",
    vm: vm({}, { ...windows, vmName: "a-very-long-na-me" }),
    name: "a-very-long-na",
  },
  { why: "nothing left", vm: vm({}, { vmName: "___" }), name: "guest" },
];

const onWindows: readonly Case[] = [
  {
    why: "the zone in both names",
    vm: vm({ timeZone: "Europe/Berlin" }, windows),
    lines: ["timeZone=Europe/Berlin", "timeZone.windows=W. Europe Standard Time"],
  },
  {
    why: "an alias",
    vm: vm({ timeZone: "Asia/Calcutta" }, windows),
    lines: ["timeZone=Asia/Calcutta", "timeZone.windows=India Standard Time"],
  },
  { why: "UTC", vm: vm({ timeZone: "Etc/UTC" }, windows), lines: ["timeZone=Etc/UTC", "timeZone.windows=UTC"] },
  {
    why: "files have no mode",
    vm: vm({ files: [{ path: "C:\\a", mode: "0600", content: "x" }] }, windows),
    lines: ["file.0.path=C:\\a", "file.0.content=x"],
  },
  {
    why: "PowerShell",
    vm: vm({ scripts: [{ ...script, interpreter: "powershell" }] }, windows),
    lines: [
      "script.0.name=s",
      "script.0.interpreter=powershell",
      "script.0.run=OnChange",
      "script.0.timeoutSeconds=600",
      "script.0.content=echo",
    ],
  },
];

describe("what a guest's configuration is derived to", () => {
  test.each([...plain, ...network].map((one) => [one.why, one] as const))("%s", (_why, one) => {
    expect(shown(one.vm, one.sources)).toEqual(["os=Linux", "hostname=web", ...one.lines]);
  });
  test.each(onWindows.map((one) => [one.why, one] as const))("Windows: %s", (_why, one) => {
    expect(shown(one.vm)).toEqual(["os=Windows", "hostname=web", ...one.lines]);
  });
  test.each(problems.map((one) => [one.why, one] as const))("refused: %s", (_why, one) => {
    expect(shown(one.vm, one.sources)).toEqual(one.lines);
  });
  test.each(hostnames.map((one) => [one.why, one] as const))("host name: %s", (_why, one) => {
    expect(shown(one.vm)).toContain(`hostname=${one.name}`);
  });
  test("all sections come in the order of the protocol", () => {
    const all = vm({
      ...admin,
      growFilesystems: true,
      timeZone: "Europe/Berlin",
      automation: { user: "a", publicKey: key },
      domainJoin: { domain: "a.b", credentialsSecretRef: { name: "j" } },
      files: [file],
      services: [{ name: "s", state: "Running" }],
      scripts: [script],
    });
    const sections = shown(all, { adapters: [adapter("lan", { ipv4: dhcp }, mac)] }).map(
      (one) => /^[A-Za-z]+/.exec(one)?.[0],
    );
    expect([...new Set(sections)]).toEqual([
      "os",
      "hostname",
      "timeZone",
      "adapter",
      "admin",
      "automation",
      "domain",
      "growFilesystems",
      "file",
      "service",
      "script",
    ]);
  });
});
