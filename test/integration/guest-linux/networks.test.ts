import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Line } from "../../../src/guest/payload.ts";
import { mac, NamespaceGuest, whyNot, type Network } from "./rig.ts";

interface Wanted {
  readonly address: string;
  readonly dns: string;
  readonly gateway?: string;
}

const lines = ({ address, dns, gateway = "192.0.2.1" }: Wanted): readonly Line[] => [
  ["adapter.0.mac", mac],
  ["adapter.0.name", "lan"],
  ["adapter.0.ipv4.method", "Static"],
  ["adapter.0.ipv4.address", address],
  ["adapter.0.ipv4.prefixLength", "24"],
  ["adapter.0.ipv4.gateway", gateway],
  ["adapter.0.ipv4.dns.0", dns],
  ["adapter.0.ipv4.search.0", "example.org"],
  ["adapter.0.ipv6.method", "Static"],
  ["adapter.0.ipv6.address", "2001:DB8:0::10"],
  ["adapter.0.ipv6.prefixLength", "64"],
  // After the network: what is told of it is of an attempt that ended.
  ["script.0.name", "always"],
  ["script.0.interpreter", "sh"],
  ["script.0.run", "Always"],
  ["script.0.timeoutSeconds", "60"],
  ["script.0.content", "echo applied >>/var/log/scripts\n"],
];

const timeout = 400_000;
const daemons: readonly { readonly network: Network; readonly resolvConf: string }[] = [
  { network: "networkd", resolvConf: "/run/systemd/resolve/resolv.conf" },
  { network: "NetworkManager", resolvConf: "/etc/resolv.conf" },
];

describe.each(daemons)("a guest whose network is $network's", ({ network, resolvConf }) => {
  const why = whyNot(network);
  if (why !== undefined) return test("the real daemon", (context) => context.skip(why));

  let guest: NamespaceGuest;
  beforeAll(async () => {
    guest = new NamespaceGuest(network);
    await guest.ready();
    guest.start();
    await guest.reported("Waiting", ({ state }) => state === "Waiting");
  }, timeout);
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.log(guest.log.slice(-2000), guest.in("tail -n 30 /run/*.log"));
  });
  afterAll(() => guest.stop());

  const ended = (generation: number) =>
    guest.reported(`the end of ${generation}`, (one) => one.generation === generation && one.state !== "Applying");

  /** What the kernel has and the daemon tells to programs. */
  const expectNetwork = async ({ address, dns }: Wanted): Promise<void> => {
    expect(guest.in("ip -o -4 addr show dev eth0 scope global | awk '{ print $4 }'")).toBe(`${address}/24\n`);
    expect(guest.in("ip -o -6 addr show dev eth0 scope global | awk '{ print $4 }'")).toBe("2001:db8::10/64\n");
    expect(guest.in("ip -4 route show default | awk '{ print $3, $5 }'")).toBe("192.0.2.1 eth0\n");
    expect(guest.pings(address)).toBe(true);
    const resolving = () => guest.in(`grep -v '^#' ${resolvConf} | sort | grep .`);
    await guest.until(
      `${dns} in ${resolvConf}: ${resolving()}`,
      () => resolving() === `nameserver ${dns}\nsearch example.org\n`,
    );
  };

  test("gets its address, route and name server from what the agent wrote", { timeout }, async () => {
    const wanted = { address: "192.0.2.10", dns: "192.0.2.53" };
    expect(guest.pings(wanted.address)).toBe(false);
    const { hash } = await guest.publish(1, lines(wanted));
    expect(await ended(1)).toMatchObject({ state: "Applied", hash, error: "", facts: { network } });
    await expectNetwork(wanted);
  });

  test("follows a second generation; what was before is gone", { timeout }, async () => {
    const wanted = { address: "192.0.2.11", dns: "192.0.2.54" };
    await guest.publish(2, lines(wanted));
    expect(await ended(2)).toMatchObject({ state: "Applied", error: "" });
    await expectNetwork(wanted);
    expect(guest.pings("192.0.2.10")).toBe(false);
  });

  test("gets its old network back when the gateway stays silent", { timeout }, async () => {
    await guest.publish(3, lines({ address: "192.0.2.12", dns: "192.0.2.55", gateway: "192.0.2.200" }));
    const report = await ended(3);
    expect(report).toMatchObject({ state: "Failed", step: "network" });
    expect(report.error).toMatch(/^NetworkUnreachable: /);
    await guest.until("the old address", () => guest.pings("192.0.2.11"));
    await expectNetwork({ address: "192.0.2.11", dns: "192.0.2.54" });
  });

  test("is applied whole after a kill between its files and the daemon", { timeout }, async () => {
    const wanted = { address: "192.0.2.13", dns: "192.0.2.56" };
    await guest.kill();
    await guest.publish(4, lines(wanted));
    guest.start(`network_apply_${network}() { kill -9 0; }`);
    await guest.ended();
    expect(guest.report()).toMatchObject({ state: "Applying", step: "network", generation: 4 });
    guest.start();
    expect(await ended(4)).toMatchObject({ state: "Applied", error: "" });
    await expectNetwork(wanted);
    expect(guest.in("ls -d /var/lib/aetherv/network-before 2>&1")).toMatch(/No such file/);
  });

  test("is left alone when there is nothing to change", { timeout }, async () => {
    const wanted = { address: "192.0.2.13", dns: "192.0.2.56" };
    await guest.kill();
    await guest.publish(5, lines(wanted));
    guest.start(`put_network() { touch /run/put-network; return 1; }`);
    expect(await ended(5)).toMatchObject({ state: "Applied", error: "" });
    expect(guest.in("ls /run/put-network 2>&1")).toMatch(/No such file/);
    await expectNetwork(wanted);
  });
});
