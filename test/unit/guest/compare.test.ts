import { describe, expect, test } from "vitest";
import { compareConfigurations } from "../../../src/guest/compare.ts";
import type { DraftLine, Value } from "../../../src/guest/derive.ts";

/** "key=value" as a line; "key@secret/key" as one from a Secret. */
const lineOf = (text: string): DraftLine => {
  const [, key = "", how = "", rest = ""] = /^([A-Za-z0-9.]+)([=@])([^]*)$/.exec(text) ?? [];
  const [secret = "", name = ""] = rest.split("/");
  const value: Value = how === "@" ? { secret, key: name } : rest;
  return [key, value];
};

const linux = (...lines: readonly string[]): readonly DraftLine[] =>
  ["os=Linux", "hostname=planted-1", ...lines].map(lineOf);
const windows = (...lines: readonly string[]): readonly DraftLine[] =>
  ["os=Windows", "hostname=planted-1", ...lines].map(lineOf);

const shown = (before: readonly DraftLine[] | undefined, after: readonly DraftLine[]): readonly string[] =>
  compareConfigurations(before, after).map(
    ({ name, effect, note }) => `${effect} ${name}${note === undefined ? "" : ` [${note}]`}`,
  );

const adapter = (at: number, name: string, ...more: readonly string[]): readonly string[] => [
  `adapter.${at}.mac=00155D01020${at}`,
  `adapter.${at}.name=${name}`,
  ...more.map((one) => `adapter.${at}.${one}`),
];
const admin = (...more: readonly string[]): readonly string[] => [
  "admin.name=operator",
  "admin.password@creds/password",
  ...more,
];
const file = (at: number, path: string, ...more: readonly string[]): readonly string[] => [
  `file.${at}.path=${path}`,
  ...more.map((one) => `file.${at}.${one}`),
];
const script = (at: number, name: string, run: string, text: string): readonly string[] => [
  `script.${at}.name=${name}`,
  `script.${at}.interpreter=sh`,
  `script.${at}.run=${run}`,
  `script.${at}.timeoutSeconds=600`,
  `script.${at}.content=${text}`,
];
const domain = (name: string, ou: string, secret = "join"): readonly string[] => [
  `domain.name=${name}`,
  `domain.ou=${ou}`,
  `domain.username@${secret}/username`,
  `domain.password@${secret}/password`,
];

interface Case {
  readonly why: string;
  readonly before: readonly DraftLine[] | undefined;
  readonly after: readonly DraftLine[];
  readonly changes: readonly string[];
}

const cases: readonly Case[] = [
  { why: "the same is no change", before: linux(...admin()), after: linux(...admin()), changes: [] },
  {
    why: "a first configuration is all that it holds, the system's family apart",
    before: undefined,
    after: linux(
      "timeZone=Europe/Berlin",
      ...adapter(0, "lan", "ipv4.method=DHCP"),
      ...script(0, "setup", "Once", "x"),
    ),
    changes: ["Apply hostname", "Apply time zone", "Apply network adapter lan", "Apply script setup"],
  },
  {
    why: "what comes from a Secret is told with the Secret's name",
    before: undefined,
    after: linux(...admin()),
    changes: ["Apply hostname", "Apply user operator [its value is in Secret creds, which a plan does not read]"],
  },
  {
    why: "a host name on Linux",
    before: linux(),
    after: ["os=Linux", "hostname=planted-2"].map(lineOf),
    changes: ["Apply hostname"],
  },
  {
    why: "a host name on Windows restarts the guest",
    before: windows(),
    after: ["os=Windows", "hostname=planted-2"].map(lineOf),
    changes: ["Restart hostname"],
  },
  {
    why: "joining a domain on Windows restarts the guest",
    before: windows(),
    after: windows(...domain("ad.example.org", "OU=a")),
    changes: ["Restart domain [its value is in Secret join, which a plan does not read]"],
  },
  {
    why: "joining a domain on Linux does not",
    before: linux(),
    after: linux(...domain("ad.example.org", "OU=a")),
    changes: ["Apply domain [its value is in Secret join, which a plan does not read]"],
  },
  {
    why: "a member of a domain is not moved",
    before: windows(...domain("ad.example.org", "OU=a")),
    after: windows(...domain("ad.example.com", "OU=a")),
    changes: ["Apply domain [a guest that is a member of another domain is not moved: it reports Failed]"],
  },
  {
    why: "the unit is for joining only; another Secret may hold the same",
    before: windows(...domain("ad.example.org", "OU=a")),
    after: windows(...domain("ad.example.org", "OU=b", "other")),
    changes: [
      "Apply domain (organizational unit) [only for joining: a guest that is a member already stays as it is]",
      "Unknown domain (credentials)",
    ],
  },
  {
    why: "an address and DNS servers of one adapter, of both families",
    before: linux(
      ...adapter(0, "lan", "ipv4.method=Static", "ipv4.address=192.0.2.1", "ipv4.dns.0=192.0.2.53", "ipv6.method=DHCP"),
    ),
    after: linux(
      ...adapter(
        0,
        "lan",
        "ipv4.method=Static",
        "ipv4.address=192.0.2.2",
        "ipv4.dns.0=192.0.2.54",
        "ipv6.method=DHCP",
        "ipv6.dns.0=2001:db8::53",
      ),
    ),
    changes: ["Apply network adapter lan (IPv4, DNS)"],
  },
  {
    why: "adapters are known by their names, wherever their addresses put them",
    before: linux(...adapter(0, "lan", "ipv4.method=DHCP")),
    after: linux(
      ...adapter(0, "wan", "ipv4.method=DHCP"),
      ...adapter(1, "lan", "ipv4.method=DHCP").map((one) => one.replace("00155D010201", "00155D010200")),
    ),
    changes: ["Apply network adapter wan"],
  },
  {
    why: "another address of the hardware",
    before: linux(...adapter(0, "lan", "ipv4.method=DHCP")),
    after: linux(...adapter(0, "lan", "ipv4.method=DHCP").map((one) => one.replace("00155D", "00155E"))),
    changes: ["Apply network adapter lan (MAC address)"],
  },
  {
    why: "a password from another Secret: nobody knows whether it is another",
    before: linux(...admin()),
    after: linux("admin.name=operator", "admin.password@creds/other"),
    changes: ["Unknown user operator (password)"],
  },
  {
    why: "keys of the administrator",
    before: linux(...admin()),
    after: linux(...admin("admin.sshKey.0=ssh-ed25519 planted")),
    changes: ["Apply user operator (SSH keys)"],
  },
  {
    why: "another administrator: the first one stays in the guest",
    before: linux(...admin()),
    after: linux("admin.name=root2", "admin.password@creds/password"),
    changes: ["Apply user root2 [its value is in Secret creds, which a plan does not read]", "Leave user operator"],
  },
  {
    why: "the automation user's key",
    before: linux("automation.user=ansible", "automation.publicKey=planted-1"),
    after: linux("automation.user=ansible", "automation.publicKey=planted-2"),
    changes: ["Apply automation user ansible (SSH key)"],
  },
  {
    why: "the boot disk grew",
    before: linux("growFilesystems=true", "rootDisk.bytes=1"),
    after: linux("growFilesystems=true", "rootDisk.bytes=2"),
    changes: ["Apply root filesystem"],
  },
  {
    why: "a file's text and mode",
    before: linux(...file(0, "/etc/a", "mode=0644", "content=planted-1")),
    after: linux(...file(0, "/etc/a", "mode=0600", "content=planted-2")),
    changes: ["Apply file /etc/a (mode, content)"],
  },
  {
    why: "a file's text that moved into a Secret",
    before: linux(...file(0, "/etc/a", "mode=0600", "content=planted-1")),
    after: linux(...file(0, "/etc/a", "mode=0600"), "file.0.content@creds/file"),
    changes: ["Unknown file /etc/a (content)"],
  },
  {
    why: "a removed file and service stay in the guest",
    before: linux(
      ...file(0, "/etc/a", "mode=0644", "content=planted-1"),
      "service.0.name=ssh",
      "service.0.state=Running",
    ),
    after: linux(),
    changes: ["Leave file /etc/a", "Leave service ssh"],
  },
  {
    why: "a service that no longer has a state",
    before: linux("service.0.name=ssh", "service.0.state=Running", "service.0.startup=Enabled"),
    after: linux("service.0.name=ssh", "service.0.startup=Disabled"),
    changes: ["Apply service ssh (startup, state)"],
  },
  {
    why: "scripts that run once, on a change, and always",
    before: linux(
      ...script(0, "once", "Once", "1"),
      ...script(1, "change", "OnChange", "1"),
      ...script(2, "always", "Always", "1"),
    ),
    after: linux(
      ...script(0, "once", "Once", "2"),
      ...script(1, "change", "OnChange", "2"),
      ...script(2, "always", "Always", "1"),
    ),
    changes: [
      "Apply script once (content) [run is Once: not again where it has run]",
      "Apply script change (content)",
      "RunAgain script always",
    ],
  },
  {
    why: "a script that runs always and changes is told once",
    before: linux(...script(0, "always", "Always", "1")),
    after: linux(...script(0, "always", "Always", "2")),
    changes: ["Apply script always (content)"],
  },
  {
    why: "another order is another configuration",
    before: linux(...script(0, "a", "OnChange", "1"), ...script(1, "b", "OnChange", "1")),
    after: linux(...script(0, "b", "OnChange", "1"), ...script(1, "a", "OnChange", "1")),
    changes: ["Apply order of scripts"],
  },
  {
    why: "one in between leaves the order of the others",
    before: linux(...script(0, "a", "OnChange", "1"), ...script(1, "b", "OnChange", "1")),
    after: linux(
      ...script(0, "a", "OnChange", "1"),
      ...script(1, "c", "OnChange", "1"),
      ...script(2, "b", "OnChange", "1"),
    ),
    changes: ["Apply script c"],
  },
];

describe("what a guest does with another configuration", () => {
  test.each(cases)("$why", ({ before, after, changes }) => {
    expect(shown(before, after)).toEqual(changes);
    expect(shown(before, after).join()).not.toMatch(/planted|192\.0\.2|2001:db8|ssh-ed25519|00155/);
  });
});
