import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { editHost } from "../rigs/hyperv/host.ts";
import { Chain, machine, PATIENCE_MS, whyNoChain } from "./guest/chain.ts";
import { until } from "./rig.ts";

const why = await whyNoChain();
if (why !== undefined) console.warn(`skipped: ${why}`);

/** The script waits for a file with the generation's name; it tells when it begins and when it ends. */
const web = (generation: number): string =>
  machine({
    dns: `192.0.2.${50 + generation}`,
    guest: `
    hostname: web-${generation}
    growFilesystems: false
    files: [{ path: /etc/app.conf, content: "file ${generation}" }]
    services: [{ name: beacon, state: Running, startup: Enabled }]
    scripts: [{ name: setup, interpreter: sh, inline: "${script(generation)}" }]`,
  });

const script = (generation: number): string =>
  `echo begun ${generation} >>/var/log/chain; until [ -e /opt/open-${generation} ]; do sleep 0.1; done; echo done ${generation} >>/var/log/chain`;

/** A configuration is interrupted on its way and while it is applied; each test is one generation. */
describe.skipIf(why !== undefined)("a guest configuration that is interrupted", () => {
  let chain: Chain;

  beforeAll(async () => {
    chain = await Chain.start(web(1));
    await chain.connect();
    chain.guest.start();
  }, PATIENCE_MS);
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.log(`${chain.plane.said.slice(-3000)}\n${chain.guest.log.slice(-3000)}`);
  });
  afterAll(() => chain.stop(), 60_000);

  const begun = (generation: number, times: number): Promise<void> =>
    until(
      `the script of generation ${generation} begins, ${times}`,
      async () => count(`begun ${generation}`) === times,
      PATIENCE_MS,
    );
  const count = (line: string): number => Number(chain.guest.in(`grep -cx '${line}' /var/log/chain`));
  const open = (generation: number): string => chain.guest.in(`touch /opt/open-${generation}`);

  /** All of the generation is there, and its script ended once. */
  const expectApplied = async (generation: number): Promise<void> => {
    await chain.applied(generation);
    expect(chain.guest.report()).toMatchObject({ state: "Applied", generation, step: "", error: "" });
    expect(chain.guest.in("uname -n; cat /etc/resolv.conf /etc/app.conf")).toBe(
      `web-${generation}\nnameserver 192.0.2.${50 + generation}\nfile ${generation}`,
    );
    expect(chain.guest.in("/etc/init.d/beacon status && echo runs")).toBe("runs\n");
    expect(chain.guest.pings("192.0.2.10")).toBe(true);
    expect(count(`done ${generation}`)).toBe(1);
    await chain.cleared();
  };

  it("by a restart of the machine while it is applied", { timeout: 3 * PATIENCE_MS }, async () => {
    await begun(1, 1);
    await chain.told(/^Generation 1: scripts\.$/);
    await editHost(chain.sshd.root, (host) => {
      for (const vm of host.vms ?? []) vm["state"] = "Off";
    });
    chain.guest.reboot();
    expect(chain.guest.report()).toMatchObject({ state: "Applying", generation: 1, step: "scripts" });
    // The control plane starts a machine that is declared to run.
    await until("the machine runs again", () => chain.bridge.runs(), PATIENCE_MS);
    chain.guest.start();
    await begun(1, 2);
    expect((await chain.configured())?.status).toBe("False");
    open(1);
    await expectApplied(1);
  });

  it("by an end of the data exchange while it is applied", { timeout: 3 * PATIENCE_MS }, async () => {
    await chain.declare(web(2));
    await begun(2, 1);
    await chain.told(/^Generation 2: scripts\.$/);
    chain.bridge.cut();
    open(2);
    await until("the guest is done", async () => chain.guest.report()?.state === "Applied", PATIENCE_MS);
    // The host was not told.
    expect((await chain.configured())?.message).toBe("Generation 2: scripts.");
    chain.bridge.mend();
    await expectApplied(2);
    expect(count("begun 2")).toBe(1);
  });

  it("by an end of the data exchange and of the agent while it is applied", { timeout: 3 * PATIENCE_MS }, async () => {
    await chain.declare(web(3));
    await begun(3, 1);
    chain.bridge.cut();
    chain.guest.reboot();
    chain.guest.start();
    open(3);
    // Nothing to open: what was at work is told again, and neither done nor failed.
    await until("the agent looks", async () => chain.guest.in("ls /run/aetherv/told") !== "", PATIENCE_MS);
    expect(chain.guest.report()).toMatchObject({ state: "Applying", generation: 3, step: "scripts" });
    expect(count("done 3")).toBe(0);
    chain.bridge.mend();
    await expectApplied(3);
  });

  it("by a kill of the control plane between publishing and the report", { timeout: 3 * PATIENCE_MS }, async () => {
    chain.guest.reboot();
    open(4);
    await chain.declare(web(4));
    await chain.published(4);
    await chain.plane.stop("SIGKILL");
    chain.guest.start();
    await until("the guest is done", async () => chain.guest.report()?.generation === 4, PATIENCE_MS);
    await chain.plane.start();
    await expectApplied(4);
    expect(count("begun 4")).toBe(1);
  });

  it("by a kill of the control plane while it publishes", { timeout: 3 * PATIENCE_MS }, async () => {
    open(5);
    const before = await chain.publishes();
    await chain.declare(web(5));
    await until("it publishes", async () => (await chain.publishes()) > before, PATIENCE_MS);
    await chain.plane.stop("SIGKILL");
    await chain.plane.start();
    await expectApplied(5);
    expect(count("begun 5")).toBe(1);
  });
});

if (why !== undefined) it("interruptions of the chain", (context) => context.skip(why));
