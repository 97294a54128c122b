import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { freshMachine, keptFiles, play, sealedItems } from "../../rigs/windows/guest.ts";
import type { Machine, Scenario, SeenStep, Step } from "../../rigs/windows/guest.ts";
import type { ReadyRig } from "../rigs/shell.ts";
import { everything, kills, withoutAdmin } from "./values.ts";

const rig = await ensurePowerShell();
const guestKey = String.raw`HKLM:\SOFTWARE\Microsoft\Virtual Machine\Guest`;
const parametersKey = String.raw`HKLM:\SOFTWARE\Microsoft\Virtual Machine\Guest\Parameters`;

const scenario = (name: string, steps: readonly Step[], machine: Partial<Machine> = {}): Scenario => ({
  name,
  machine: { ...freshMachine(), ...machine },
  kept: keptFiles(),
  steps,
});

const named = { hostname: "WIN-FRESH" };
const accounts = { ...named, "admin.name": "operator", "admin.password": everything["admin.password"] };
const recovery = {
  size: 60_000_000_000,
  partitions: [
    ...freshMachine().disk.partitions,
    { number: 3, letter: "", offset: 32_200_000_000, size: 600_000_000, type: "Recovery" },
  ],
};
const grow = { ...named, growFilesystems: "true", "rootDisk.bytes": "60000000000" };

const adapter = (family: "ipv4" | "ipv6") => ({
  "adapter.0.mac": "00155D010203",
  "adapter.0.name": "web-lan",
  [`adapter.0.${family}.method`]: "DHCP",
});
const staticAdapter = Object.fromEntries(Object.entries(everything).filter(([key]) => key.startsWith("adapter.0.")));

/** The first adapter with more than it should have. */
const crowded = (change: Partial<Machine["adapters"][0]["v4"]> = {}): Machine["adapters"] =>
  freshMachine().adapters.map((one, at) =>
    at > 0
      ? one
      : {
          ...one,
          v4: {
            ...one.v4,
            dhcp: false,
            addresses: ["192.0.2.10/16", "192.0.2.99/24"],
            gateways: ["192.0.2.254", "192.0.2.1"],
            dns: ["203.0.113.1"],
            ...change,
          },
        },
  );

/** What stays the same however often the agent was interrupted. */
const outcome = (machine: Machine | undefined) => {
  if (!machine) throw new Error("nothing was played");
  const users = machine.users.map(({ name, enabled, password }) =>
    name === "ansible" ? { name, enabled } : { name, enabled, password },
  );
  const { adapters, answers, disk, domain, name, searchList, services, timeZone, groups } = machine;
  return { users, adapters, answers, disk, domain, name, searchList, services, timeZone, groups };
};

const scenarios = async (): Promise<readonly Scenario[]> => {
  const at = (values: Readonly<Record<string, string>>, generation = 1) => sealedItems(values, { generation });
  const all = await at(everything);
  const second = await at({ ...everything, "adapter.0.ipv4.dns.1": "192.0.2.55", "admin.password": "Rotated-92" }, 2);
  const noAdmin = await at(withoutAdmin);
  const replayed = [
    { external: all, passes: 4 },
    { external: second, passes: 1 },
    { external: all, passes: 1 },
  ];
  return [
    scenario("everything", [...replayed, { external: {}, passes: 1 }]),
    scenario("no-admin", [{ external: noAdmin, passes: 4 }]),
    ...kills.map(({ name, faults, admin }) => scenario(name, [{ external: admin ? all : noAdmin, faults, passes: 5 }])),
    scenario("silent", [{ external: all, passes: 1 }], { answers: [], answersArp: [] }),
    scenario(
      "silent-killed",
      [{ external: all, faults: [{ on: "New-NetRoute", at: "after", do: "kill" }], passes: 2 }],
      { answers: [], answersArp: [] },
    ),
    scenario("to-dhcp", [
      { external: all, passes: 2 },
      { external: await at({ hostname: "SQL01", ...adapter("ipv4") }, 2), passes: 1 },
    ]),
    scenario("foreign", [{ external: await at({ ...named, ...staticAdapter }), passes: 1 }], { adapters: crowded() }),
    scenario("foreign-dhcp", [{ external: await at({ ...named, ...adapter("ipv4") }), passes: 1 }], {
      adapters: crowded({ dhcp: true, addresses: ["198.51.100.20/24", "203.0.113.9/24"], gateways: ["198.51.100.1"] }),
    }),
    scenario("recovery", [{ external: await at(grow), passes: 1 }], { disk: recovery }),
    scenario("small", [
      { external: await at(grow), passes: 1 },
      { machine: { disk: { ...freshMachine().disk, size: 60_000_000_000 } }, passes: 1 },
    ]),
    scenario("no-service", [
      { external: await at({ ...named, "service.0.name": "Nope", "service.0.state": "Running" }), passes: 1 },
    ]),
    scenario("other-domain", [{ external: await at(everything), passes: 1 }], {
      domain: "old.example.org",
      name: "SQL01",
    }),
    scenario("redacted", [
      {
        external: await at(accounts),
        faults: [{ on: "New-LocalUser", at: "before", do: "throw", message: `bad: ${everything["admin.password"]} é` }],
        passes: 1,
      },
    ]),
    scenario("no-adapter", [
      {
        external: await at({
          ...named,
          "adapter.0.mac": "00155DFFFFFF",
          "adapter.0.name": "x",
          "adapter.0.ipv4.method": "DHCP",
        }),
        passes: 1,
      },
    ]),
    scenario("cloned", [
      { external: await at(named), passes: 1 },
      {
        machine: {
          registry: {
            ...freshMachine().registry,
            [parametersKey]: { VirtualMachineId: "0e000000-0000-4000-8000-00000000000b" },
          },
        },
        passes: 1,
      },
    ]),
  ];
};

describe.skipIf(rig.kind === "skipped")("modules of the Windows agent", () => {
  let folder = "";
  let played: Readonly<Record<string, readonly SeenStep[]>> = {};
  const seen = (name: string, step = 0): SeenStep => {
    const found = played[name]?.[step];
    if (!found) throw new Error(`${name} was not played`);
    return found;
  };
  const last = (step: SeenStep) => step.passes.at(-1);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-windows-"));
    played = await play(rig as ReadyRig, folder, await scenarios());
  }, 600_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("applies everything with one restart for the name and the domain", () => {
    const step = seen("everything");
    expect(step.passes).toMatchObject([
      { thrown: "", state: "Rebooting", step: "domain" },
      { thrown: "", state: "Applied", error: "" },
      { thrown: "", state: "Applied" },
      { thrown: "", state: "Applied" },
    ]);
    const { machine } = step;
    expect(machine).toMatchObject({
      name: "SQL01",
      boots: 2,
      domain: "ad.example.org",
      timeZone: "W. Europe Standard Time",
    });
    expect(machine.directory).toMatchObject({ computers: ["SQL01"], ou: everything["domain.ou"] });
    expect(machine.adapters[0]?.v4).toMatchObject({
      dhcp: false,
      addresses: ["192.0.2.10/24"],
      gateways: ["192.0.2.1"],
      dns: ["192.0.2.53", "192.0.2.54"],
    });
    expect(machine.adapters[0]?.v6).toMatchObject({
      dhcp: false,
      discovery: "Disabled",
      addresses: ["2001:db8::10/64"],
      gateways: ["2001:db8::1"],
    });
    expect(machine.adapters[1]).toEqual(freshMachine().adapters[1]);
    expect(machine.searchList).toEqual(["example.org"]);
    expect(machine.users).toMatchObject([
      { name: "Administrator", password: "of-the-image" },
      { name: "operator", password: everything["admin.password"] },
      { name: "ansible" },
    ]);
    expect(machine.groups[0]?.members).toEqual(["Administrator", "operator", "ansible"]);
    expect(machine.disk.partitions[1]?.size).toBe(42_949_672_960 - 1_048_576 - 105_906_176);
    expect(machine.services).toEqual([
      { name: "W32Time", status: "Running", startType: "Automatic" },
      { name: "Spooler", status: "Stopped", startType: "Disabled" },
    ]);
    expect(step.files["ProgramData/App/app.ini"]).toBe(everything["file.0.content"]);
    const keys = step.files["ProgramData/ssh/administrators_authorized_keys"];
    expect(keys).toBe(`${everything["admin.sshKey.0"]}\r\n${everything["automation.publicKey"]}\r\n`);
    expect(machine.acls[String.raw`C:\ProgramData\ssh\administrators_authorized_keys.aetherv-new`]).toBe(
      "*S-1-5-18:F *S-1-5-32-544:F",
    );
  });

  it("a second generation changes a DNS server and a password, and nothing else", () => {
    const step = seen("everything", 1);
    expect(step.passes).toMatchObject([{ thrown: "", state: "Applied", generation: "2" }]);
    const calls = new Set(step.calls.filter((call) => call !== "New-ItemProperty"));
    expect([...calls].toSorted()).toEqual([
      "Add-LocalGroupMember",
      "Set-DnsClientServerAddress",
      "Set-LocalUser",
      "Set-NetIPInterface",
    ]);
    expect(step.machine.adapters[0]?.v4.dns).toEqual(["192.0.2.53", "192.0.2.55"]);
    expect(step.machine.users[1]?.password).toBe("Rotated-92");
  });

  it("a replayed configuration is refused, reported and changes nothing; cleared, the last report comes back", () => {
    const step = seen("everything", 2);
    expect(step.passes).toMatchObject([{ state: "Failed", step: "open", generation: "1" }]);
    expect(last(step)?.error).toMatch(/^Replayed: /);
    expect(outcome(step.machine)).toEqual(outcome(seen("everything", 1).machine));
    expect(seen("everything", 3).passes).toMatchObject([{ state: "Applied", generation: "2" }]);
  });

  it.each(kills.map((one) => ({ ...one })))("killed $why, it ends applied once", ({ name, admin }) => {
    const step = seen(name);
    expect(step.passes.some((pass) => pass.code === 137)).toBe(true);
    expect(last(step)).toMatchObject({ thrown: "", state: "Applied", generation: "1" });
    expect(outcome(step.machine)).toEqual(outcome(seen(admin ? "everything" : "no-admin").machine));
    expect(step.machine.directory.computers).toEqual(["SQL01"]);
  });

  it.each(["silent", "silent-killed"])("a silent gateway brings the old configuration back (%s)", (name) => {
    expect(last(seen(name))).toMatchObject({ state: "Failed", step: "network" });
    expect(last(seen(name))?.error).toMatch(/^NetworkUnreachable: the gateway 192\.0\.2\.1 is silent/);
    expect(seen(name).machine.adapters).toEqual(freshMachine().adapters);
    expect(Object.keys(seen(name).files)).not.toContain("state/guest/oldnetwork");
  });

  it("back to DHCP: what was set by hand goes, a family that is not declared stays", () => {
    const adapters = seen("to-dhcp", 1).machine.adapters;
    expect(last(seen("to-dhcp", 1))).toMatchObject({ thrown: "", state: "Applied", generation: "2" });
    expect(adapters[0]?.v4).toEqual(freshMachine().adapters[0]?.v4);
    expect(adapters[0]?.v6).toEqual(seen("to-dhcp").machine.adapters[0]?.v6);
  });

  it("foreign addresses and default routes go", () => {
    expect(last(seen("foreign"))).toMatchObject({ thrown: "", state: "Applied" });
    const v4 = seen("foreign").machine.adapters[0]?.v4;
    expect(v4).toMatchObject({
      addresses: ["192.0.2.10/24"],
      gateways: ["192.0.2.1"],
      dns: ["192.0.2.53", "192.0.2.54"],
    });
    expect(seen("foreign-dhcp").machine.adapters[0]?.v4).toEqual(freshMachine().adapters[0]?.v4);
  });

  it("a recovery partition in the way is reported, never deleted", () => {
    const { machine, passes } = seen("recovery");
    expect(passes).toMatchObject([{ state: "Applied" }]);
    expect(machine.disk.partitions.map(({ number }) => number)).toEqual([1, 2, 3]);
    const fact = /growBlocked=(\S+)/.exec(machine.registry[guestKey]?.["aetherv.guest.facts"] ?? "")?.[1] ?? "";
    expect(Buffer.from(fact, "base64url").toString()).toContain("behind partition 3 (Recovery)");
  });

  it.each([
    {
      name: "small",
      step: "disks",
      error: /^ModuleFailed: the disk of C: has 42949672960 bytes, 60000000000 are declared/,
    },
    { name: "no-service", step: "services", error: /^ModuleFailed: there is no service Nope/ },
    { name: "other-domain", step: "hostname", error: /./ },
    { name: "no-adapter", step: "network", error: /^ModuleFailed: no adapter has the MAC address 00155DFFFFFF/ },
    { name: "redacted", step: "accounts", error: /^ModuleFailed: bad: \*\*\* \?$/ },
  ])("$name: Failed with its step", ({ name, step, error }) => {
    expect(last(seen(name))).toMatchObject({ state: "Failed", step, thrown: "" });
    expect(last(seen(name))?.error).toMatch(error);
  });

  it("a disk grown later is taken at the next try", () => {
    expect(seen("small", 1).passes).toMatchObject([{ state: "Applied" }]);
    expect(seen("small", 1).machine.disk.partitions[1]?.size).toBe(60_000_000_000 - 1_048_576 - 105_906_176);
  });

  it("a cloned disk makes a key of its own and forgets what was applied", () => {
    const before = seen("cloned").machine.registry[guestKey] ?? {};
    const after = seen("cloned", 1).machine.registry[guestKey] ?? {};
    expect(before["aetherv.guest.state"]).toBe("Applied");
    expect(after).toMatchObject({ "aetherv.guest.state": "Waiting", "aetherv.guest.generation": "0" });
    expect(after["aetherv.guest.publicKey.0"]).not.toBe(before["aetherv.guest.publicKey.0"]);
  });

  it("keeps no secret in its state, reports or calls", () => {
    const secrets = [
      everything["admin.password"],
      everything["domain.password"],
      "Rotated-92",
      everything["script.0.content"],
    ];
    for (const [name, steps] of Object.entries(played)) {
      for (const step of steps) {
        const kept = Object.entries(step.files).filter(([path]) => path.startsWith("state/"));
        const text = JSON.stringify([kept, step.passes, step.calls, step.machine.registry[guestKey]]);
        for (const secret of secrets) expect(text, name).not.toContain(JSON.stringify(secret).slice(1, -1));
      }
    }
  });
});
