import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Line } from "../../../src/guest/payload.ts";
import { mac, NamespaceGuest, whyNot } from "./rig.ts";

const planted = {
  password: "planted-pass 'w\"ord$1",
  rotated: "planted-rotated-2",
  file: "planted-file-3\n",
  script: "planted-script-4",
};

const lines = (dns: string, password: string, gateway = "192.0.2.1"): readonly Line[] => [
  ["hostname", "web-1"],
  ["timeZone", "Etc/UTC"],
  ["adapter.0.mac", mac],
  ["adapter.0.name", "web-lan"],
  ["adapter.0.ipv4.method", "Static"],
  ["adapter.0.ipv4.address", "192.0.2.10"],
  ["adapter.0.ipv4.prefixLength", "24"],
  ["adapter.0.ipv4.gateway", gateway],
  ["adapter.0.ipv4.dns.0", dns],
  ["adapter.0.ipv4.search.0", "example.org"],
  ["admin.name", "operator"],
  ["admin.password", password],
  ["admin.sshKey.0", "ssh-ed25519 AAAAadmin one@example"],
  ["automation.user", "ansible"],
  ["automation.publicKey", "ssh-ed25519 AAAAautomation"],
  ["growFilesystems", "true"],
  ["file.0.path", "/etc/app/with space/ü.conf"],
  ["file.0.mode", "0640"],
  ["file.0.content", planted.file],
  ["service.0.name", "beacon"],
  ["service.0.state", "Running"],
  ["service.0.startup", "Enabled"],
  ["script.0.name", "once"],
  ["script.0.interpreter", "sh"],
  ["script.0.run", "Once"],
  ["script.0.timeoutSeconds", "60"],
  ["script.0.content", `# ${planted.script}\necho once >>/var/log/scripts\n`],
  ["script.1.name", "always"],
  ["script.1.interpreter", "bash"],
  ["script.1.run", "Always"],
  ["script.1.timeoutSeconds", "60"],
  ["script.1.content", "echo always >>/var/log/scripts\n"],
];

const timeout = 400_000;
const why = whyNot();

describe.skipIf(why !== undefined)("the guest agent in namespaces of its own", () => {
  let guest: NamespaceGuest;
  beforeAll(async () => {
    guest = new NamespaceGuest();
    await guest.ready();
  }, timeout);
  afterAll(() => guest.stop());

  const hashOf = (user: string): string => guest.in(`sed -n 's/^${user}:\\([^:]*\\):.*/\\1/p' /etc/shadow`).trim();

  test(
    "one object becomes a guest that names itself, answers and has its users, service and scripts",
    { timeout },
    async () => {
      guest.start();
      await guest.reported("Waiting", ({ state }) => state === "Waiting");
      expect(guest.pings("192.0.2.10")).toBe(false);
      const { hash } = await guest.publish(1, lines("192.0.2.53", planted.password));
      const report = await guest.reported(
        "Applied or Failed",
        ({ state }) => state === "Applied" || state === "Failed",
      );
      expect(report).toMatchObject({ state: "Applied", generation: 1, hash, step: "", error: "" });
      expect(report.facts).toMatchObject({ network: "ifupdown" });
      expect(guest.pings("192.0.2.10")).toBe(true);
      expect(guest.in("uname -n; cat /etc/hostname; readlink /etc/localtime").split("\n")).toEqual([
        "web-1",
        "web-1",
        "/usr/share/zoneinfo/Etc/UTC",
        "",
      ]);
      expect(guest.in("cat /etc/resolv.conf")).toBe("search example.org\nnameserver 192.0.2.53\n");
      expect(guest.in("cat /home/operator/.ssh/authorized_keys")).toBe("ssh-ed25519 AAAAadmin one@example\n");
      expect(guest.in("id -nG operator")).toContain("sudo");
      expect(guest.in("cat /home/ansible/.ssh/authorized_keys")).toBe("ssh-ed25519 AAAAautomation\n");
      expect(guest.in("cat /etc/sudoers.d/90-aetherv-automation")).toBe("ansible ALL=(ALL:ALL) NOPASSWD: ALL\n");
      expect(guest.in("cat '/etc/app/with space/ü.conf'; stat -c %a '/etc/app/with space/ü.conf'")).toBe(
        `${planted.file}640\n`,
      );
      expect(guest.in("/etc/init.d/beacon status && echo runs; ls /etc/rc2.d | grep beacon")).toBe("runs\nS20beacon\n");
      expect(guest.in("cat /var/log/scripts")).toBe("once\nalways\n");
      expect(hashOf("operator")).toMatch(/^\$6\$/);
    },
  );

  test(
    "a second generation changes the DNS server and a password, and runs only what is due",
    { timeout },
    async () => {
      const before = hashOf("operator");
      const { hash } = await guest.publish(2, lines("192.0.2.54", planted.rotated));
      const report = await guest.reported(
        "the second",
        ({ state, generation }) => generation === 2 && state !== "Applying",
      );
      expect(report).toMatchObject({ state: "Applied", hash });
      expect(guest.in("cat /etc/resolv.conf")).toBe("search example.org\nnameserver 192.0.2.54\n");
      expect(hashOf("operator")).not.toBe(before);
      expect(guest.in("cat /var/log/scripts")).toBe("once\nalways\nalways\n");
      expect(guest.pings("192.0.2.10")).toBe(true);
    },
  );

  test(
    "a replayed and a tampered configuration are refused and reported, and change nothing",
    { timeout },
    async () => {
      const old = await guest.publish(1, lines("192.0.2.66", planted.password));
      const replayed = await guest.reported("the refusal", ({ step }) => step === "open");
      expect(replayed).toMatchObject({ state: "Failed", generation: 1, hash: old.hash });
      expect(replayed.error).toMatch(/^Replayed: /);
      const fresh = await guest.publish(3, lines("192.0.2.66", planted.password));
      expect(fresh.items.length).toBeGreaterThan(2);
      await guest.reported("the third", ({ generation, state }) => generation === 3 && state === "Applied");
      guest.publishItems(old.items);
      await guest.reported("the refusal", ({ step, generation }) => step === "open" && generation === 1);
      guest.publishItems([]);
      const last = await guest.reported("the last good one", ({ generation }) => generation === 3);
      expect(last).toMatchObject({ state: "Applied" });
    },
  );

  test("a gateway that stays silent brings the old configuration back", { timeout }, async () => {
    await guest.publish(4, lines("192.0.2.55", planted.rotated, "192.0.2.200"));
    const report = await guest.reported(
      "the failure",
      ({ state, generation }) => generation === 4 && state === "Failed",
    );
    expect(report).toMatchObject({ generation: 4, step: "network" });
    expect(report.error).toMatch(/^NetworkUnreachable: /);
    expect(guest.pings("192.0.2.10")).toBe(true);
    expect(guest.in("ip route show default")).toContain("via 192.0.2.1 ");
    expect(guest.in("cat /etc/resolv.conf")).toContain("192.0.2.66");
  });

  test("no planted secret is in its log, its kept state or its pools", () => {
    const kept = guest.in(
      "cat /var/lib/hyperv/.kvp_pool_* /run/aetherv/* /var/lib/aetherv/* /var/lib/aetherv/*/* 2>/dev/null | tr -d '\\000'",
    );
    expect(kept).toContain("aetherv.guest.state");
    for (const secret of Object.values(planted)) expect(`${guest.log}${kept}`).not.toContain(secret.trim());
  });
});

if (why !== undefined) test("the guest agent in namespaces of its own", (context) => context.skip(why));
