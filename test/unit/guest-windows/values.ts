import type { Step } from "../../rigs/windows/guest.ts";

/** A configuration with every key but scripts' run kinds (scripts.test.ts). */
export const everything = {
  hostname: "SQL01",
  timeZone: "Europe/Berlin",
  "timeZone.windows": "W. Europe Standard Time",
  "adapter.0.mac": "00155D010203",
  "adapter.0.name": "web-lan",
  "adapter.0.ipv4.method": "Static",
  "adapter.0.ipv4.address": "192.0.2.10",
  "adapter.0.ipv4.prefixLength": "24",
  "adapter.0.ipv4.gateway": "192.0.2.1",
  "adapter.0.ipv4.dns.0": "192.0.2.53",
  "adapter.0.ipv4.dns.1": "192.0.2.54",
  "adapter.0.ipv4.search.0": "example.org",
  "adapter.0.ipv6.method": "Static",
  "adapter.0.ipv6.address": "2001:DB8:0::10",
  "adapter.0.ipv6.prefixLength": "64",
  "adapter.0.ipv6.gateway": "2001:db8::1",
  "adapter.1.mac": "00155D010204",
  "adapter.1.name": "web-storage",
  "adapter.1.ipv4.method": "DHCP",
  "admin.name": "operator",
  "admin.password": "pä$$ 'w\"ord`",
  "admin.sshKey.0":
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhpbnRzLWFyZS1ub3Qta2V5cy1oZXJlLTAwMDAwMDAw operator@example.org",
  "automation.user": "ansible",
  "automation.publicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhpbnRzLWFyZS1ub3Qta2V5cy1oZXJlLTExMTExMTEx",
  "domain.name": "ad.example.org",
  "domain.ou": "OU=Servers,DC=ad,DC=example,DC=org",
  "domain.username": "joiner@ad.example.org",
  "domain.password": "join-secret",
  growFilesystems: "true",
  "rootDisk.bytes": "42949672960",
  "file.0.path": String.raw`C:\ProgramData\App\app.ini`,
  "file.0.content": "[app]\r\nkey=värde\n",
  "service.0.name": "W32Time",
  "service.0.state": "Running",
  "service.0.startup": "Enabled",
  "service.1.name": "spooler",
  "service.1.state": "Stopped",
  "service.1.startup": "Disabled",
  "script.0.name": "first",
  "script.0.interpreter": "powershell",
  "script.0.run": "Once",
  "script.0.timeoutSeconds": "600",
  "script.0.content": "$token = 'in-a-script'\r\nif ($token -ne 'in-a-script') { exit 4 }\r\n",
} as const;

/** The same without the local administrator: the automation user is the first account that is made. */
export const withoutAdmin = Object.fromEntries(
  Object.entries(everything).filter(([key]) => !key.startsWith("admin.") && !key.startsWith("script.")),
);

interface Kill {
  readonly name: string;
  readonly why: string;
  /** With the local administrator and the script. */
  readonly admin: boolean;
  readonly faults: NonNullable<Step["faults"]>;
}

const kill = (on: string, at: "before" | "after", why: string, admin: boolean): Kill => ({
  name: `kill-${on}-${at}`,
  why,
  admin,
  faults: [{ on, at, do: "kill" }],
});

/** At least one in each module that changes Windows, and while a report is written. */
export const kills: readonly Kill[] = [
  kill("New-ItemProperty", "before", "while it reports", false),
  kill("Remove-NetRoute", "before", "in the midst of the network", false),
  kill("New-NetIPAddress", "after", "when the address is there and the route is not", false),
  kill("Set-TimeZone", "after", "when the time zone was set", false),
  kill("Rename-Computer", "after", "when the name was given", false),
  kill("Add-Computer", "before", "before the domain is joined", false),
  kill("Add-Computer", "after", "when the domain was joined, before the restart", false),
  kill("Restart-Computer", "before", "before the restart", false),
  kill("New-LocalUser", "after", "when the administrator was made, in no group yet", true),
  kill("Add-LocalGroupMember", "before", "when the automation user was made, in no group yet", false),
  kill("Resize-Partition", "after", "when the partition was grown", false),
  kill("Start-Service", "before", "between a service's startup and its start", false),
];
