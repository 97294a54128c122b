import type { Line } from "../../src/guest/payload.ts";

export interface Content {
  readonly name: string;
  readonly why: string;
  readonly lines: readonly Line[];
}

const linux: readonly Line[] = [
  ["os", "Linux"],
  ["hostname", "web"],
];
const file = (content: string): readonly Line[] => [
  ...linux,
  ["file.0.path", "/etc/motd"],
  ["file.0.mode", "0644"],
  ["file.0.content", content],
];

/** Every printable ASCII character, then what trips shells, PowerShell and encoders. */
const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
const unicode = "Grüße, 世界! 🙂👩‍👩‍👧 e\u0301 \u00a0\u200b\u202e\ufeff\u2028 \u{10FFFF} \u0001\u001b[0m\u007f";
const hostile =
  "$(rm -rf /) `id` ${HOME} %PATH% \\0 \\x41 \\\\ ' \" ' ; | & > < * ? [a] ~ ! # \t\r\n\n\n  \n--- -n -e EOF\n";

const everything: readonly Line[] = [
  ["timeZone", "Europe/Berlin"],
  ["adapter.0.mac", "00155D010203"],
  ["adapter.0.name", "web-lan"],
  ["adapter.0.ipv4.method", "Static"],
  ["adapter.0.ipv4.address", "192.0.2.10"],
  ["adapter.0.ipv4.prefixLength", "24"],
  ["adapter.0.ipv4.gateway", "192.0.2.1"],
  ["adapter.0.ipv4.dns.0", "192.0.2.53"],
  ["adapter.0.ipv4.dns.1", "192.0.2.54"],
  ["adapter.0.ipv4.search.0", "example.org"],
  ["adapter.0.ipv6.method", "Static"],
  ["adapter.0.ipv6.address", "2001:db8::10"],
  ["adapter.0.ipv6.prefixLength", "64"],
  ["adapter.0.ipv6.gateway", "2001:db8::1"],
  ["adapter.1.mac", "00155D010204"],
  ["adapter.1.name", "web-storage"],
  ["adapter.1.ipv4.method", "DHCP"],
  ["admin.name", "operator"],
  ["admin.password", "pä$$ 'w\"ord`"],
  [
    "admin.sshKey.0",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhpbnRzLWFyZS1ub3Qta2V5cy1oZXJlLTAwMDAwMDAw operator@example.org",
  ],
  ["automation.user", "ansible"],
  ["automation.publicKey", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhpbnRzLWFyZS1ub3Qta2V5cy1oZXJlLTExMTExMTEx"],
  ["domain.name", "ad.example.org"],
  ["domain.ou", "OU=Servers,DC=ad,DC=example,DC=org"],
  ["domain.username", "joiner@ad.example.org"],
  ["domain.password", "join-secret"],
  ["growFilesystems", "true"],
  ["rootDisk.bytes", "42949672960"],
];

export const contents: readonly Content[] = [
  { name: "minimal", why: "the least that a configuration holds; first contact pins the signer", lines: linux },
  {
    name: "linux-everything",
    why: "every key of a Linux guest",
    lines: [
      ["os", "Linux"],
      ["hostname", "web"],
      ...everything,
      ["file.0.path", "/etc/app/app.conf"],
      ["file.0.mode", "0600"],
      ["file.0.content", "key = value\n"],
      ["file.1.path", "/etc/with space/ü.conf"],
      ["file.1.mode", "0644"],
      ["file.1.content", ""],
      ["service.0.name", "chrony"],
      ["service.0.state", "Running"],
      ["service.0.startup", "Enabled"],
      ["service.1.name", "getty@tty2.service"],
      ["service.1.startup", "Disabled"],
      ["script.0.name", "first"],
      ["script.0.interpreter", "sh"],
      ["script.0.run", "Once"],
      ["script.0.timeoutSeconds", "600"],
      ["script.0.content", "#!/bin/sh\necho first\n"],
      ["script.1.name", "each"],
      ["script.1.interpreter", "bash"],
      ["script.1.run", "Always"],
      ["script.1.timeoutSeconds", "30"],
      ["script.1.content", "echo each"],
    ],
  },
  {
    name: "windows-everything",
    why: "every key of a Windows guest",
    lines: [
      ["os", "Windows"],
      ["hostname", "SQL01"],
      ["timeZone", "Europe/Berlin"],
      ["timeZone.windows", "W. Europe Standard Time"],
      ...everything.slice(1),
      ["file.0.path", "C:\\ProgramData\\App\\app.ini"],
      ["file.0.content", "[app]\r\nkey=value\r\n"],
      ["service.0.name", "W32Time"],
      ["service.0.state", "Running"],
      ["service.0.startup", "Enabled"],
      ["script.0.name", "first"],
      ["script.0.interpreter", "powershell"],
      ["script.0.run", "OnChange"],
      ["script.0.timeoutSeconds", "600"],
      ["script.0.content", "Write-Output 'first'\r\n"],
    ],
  },
  { name: "empty-value", why: "an empty value", lines: file("") },
  { name: "size-1", why: "a value of 1 character", lines: file("x") },
  { name: "size-100", why: "a value of 100 characters", lines: file("0123456789".repeat(10)) },
  { name: "size-1000", why: "a value of 1,000 characters", lines: file("0123456789".repeat(100)) },
  { name: "size-1001", why: "a value of 1,001 characters", lines: file(`${"0123456789".repeat(100)}x`) },
  {
    name: "size-60000",
    why: "a value of 60,000 characters",
    lines: file("line of 20 characters".slice(1).repeat(3000)),
  },
  {
    name: "size-65536",
    why: "64 KiB, the most that files and scripts hold together",
    lines: file(`${"ü".repeat(32_767)}xy`),
  },
  { name: "ascii", why: "every printable ASCII character", lines: file(ascii) },
  {
    name: "unicode",
    why: "any Unicode: combining, right to left, beyond the BMP, control characters",
    lines: file(unicode),
  },
  { name: "hostile", why: "texts that shells and encoders trip over; trailing line ends stay", lines: file(hostile) },
  {
    name: "length-2",
    why: "base64url with 3 and 2 characters at its end",
    lines: [
      ...file("ab"),
      ["script.0.name", "a"],
      ["script.0.interpreter", "sh"],
      ["script.0.run", "Always"],
      ["script.0.timeoutSeconds", "1"],
      ["script.0.content", "a"],
    ],
  },
  { name: "unknown-keys", why: "unknown keys are ignored", lines: [...linux, ["later.thing", "x"]] },
];
