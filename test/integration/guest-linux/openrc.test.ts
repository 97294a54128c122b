import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Line } from "../../../src/guest/payload.ts";
import { mac, NamespaceGuest, whyNot } from "./rig.ts";

const lines = (service: string, state: "Running" | "Stopped", startup: "Enabled" | "Disabled"): readonly Line[] => [
  ["adapter.0.mac", mac],
  ["adapter.0.name", "lan"],
  ["adapter.0.ipv4.method", "Static"],
  ["adapter.0.ipv4.address", "192.0.2.10"],
  ["adapter.0.ipv4.prefixLength", "24"],
  ["service.0.name", service],
  ["service.0.state", state],
  ["service.0.startup", startup],
];

const timeout = 400_000;
const why = whyNot("openrc");

describe.skipIf(why !== undefined)("a guest whose services are OpenRC's", () => {
  let guest: NamespaceGuest;
  beforeAll(async () => {
    guest = new NamespaceGuest("openrc");
    await guest.ready();
  }, timeout);
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.log(guest.in("rc-status --all; ps -eo pid,ppid,args"));
  });
  afterAll(() => guest.stop());

  const agents = (): readonly string[] =>
    guest
      .in("pgrep -f '^/bin/sh /usr/lib/aetherv-guest/aetherv-guest run' | head -n 1")
      .trim()
      .split("\n")
      .filter(Boolean);
  const ended = (generation: number) =>
    guest.reported(`the end of ${generation}`, (one) => one.generation === generation && one.state !== "Applying");
  const beacon = (): string =>
    guest.in("rc-service -q beacon status && echo runs; rc-update show default | awk '$1 == \"beacon\"'");

  test("the agent is started by its own script, under OpenRC's supervisor", { timeout }, async () => {
    expect(guest.in("sh /opt/agent/install.sh >/run/install.log 2>&1; echo $?")).toBe("0\n");
    await guest.reported("Waiting", ({ state }) => state === "Waiting");
    expect(guest.in("rc-service aetherv-guest status; rc-update show default")).toMatch(/started[^]*aetherv-guest \|/);
    expect(guest.in("pgrep -c supervise-daemo")).toBe("1\n");
  });

  test("a service is enabled and started", { timeout }, async () => {
    expect(beacon()).toBe("");
    await guest.publish(1, lines("beacon", "Running", "Enabled"));
    expect(await ended(1)).toMatchObject({ state: "Applied", error: "" });
    expect(beacon()).toMatch(/^runs\n *beacon \| default *\n$/);
    expect(guest.in("tr '\\0' ' ' </proc/$(cat /run/beacon.pid)/cmdline")).toBe("/usr/bin/sleep 100000 ");
    expect(guest.pings("192.0.2.10")).toBe(true);
  });

  test("an agent that was killed is started again; the service is stopped and disabled", { timeout }, async () => {
    const [killed] = agents();
    guest.in(`kill -9 ${killed}`);
    await guest.until("another agent", () => agents().some((id) => id !== killed));
    expect(beacon()).toMatch(/^runs\n/);
    await guest.publish(2, lines("beacon", "Stopped", "Disabled"));
    expect(await ended(2)).toMatchObject({ state: "Applied", error: "" });
    expect(beacon()).toBe("");
    expect(guest.in("pgrep -fx '/usr/bin/sleep 100000'")).toBe("");
  });

  test("a service that is not there is Failed with its step", { timeout }, async () => {
    await guest.publish(3, lines("nobodys", "Running", "Enabled"));
    const report = await ended(3);
    expect(report).toMatchObject({ state: "Failed", step: "services" });
    expect(report.error).toBe("ModuleFailed: service nobodys could not be made Enabled");
  });
});

if (why !== undefined) test("a guest whose services are OpenRC's", (context) => context.skip(why));
