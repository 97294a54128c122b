import { describe, expect, it } from "vitest";
import { guid } from "../../support/states.ts";
import { inventory, noChange, observedVm, Rig, settings, vm } from "./rig.ts";

describe("a host", () => {
  it("is up with its things known after the first inventory, and asks one question an interval then", async () => {
    const rig = new Rig();
    rig.script["host.inventory"] = ({ resource_spec }) =>
      "since" in resource_spec ? noChange() : inventory({ vms: { upsert: [vm(1)] } });
    await rig.start();
    expect(rig.host.reach.at).toBe("up");
    expect([...rig.host.snapshot!.vms.keys()]).toEqual([guid(1)]);
    expect(rig.changes).toContainEqual({ uids: "all", host: true });
    rig.changes.length = 0;
    const before = rig.agent.requests.length;
    await rig.pass(300_000);
    expect(rig.agent.requests.slice(before).map(({ operation }) => operation)).toEqual(
      Array(10).fill("host.inventory"),
    );
    expect(rig.changes).toEqual([]);
    expect(rig.directory.counts().get("hv1")).toMatchObject({ inventories: 11, jobs: 0 });
  });

  it("tells what an inventory changed, with the digest of the one before as `since`", async () => {
    const rig = await new Rig().start();
    rig.changes.length = 0;
    rig.script["host.inventory"] = ({ resource_spec }) => {
      expect(resource_spec).toMatchObject({ since: "d1" });
      return inventory({ vms: { upsert: [vm(1)] } }, { full: false, digest: "d1" });
    };
    await rig.pass(30_000);
    expect(rig.changes).toEqual([{ uids: new Set(), host: true }]);
  });

  it("makes several refreshes one, and a refresh during a look one more", async () => {
    const rig = await new Rig().start();
    const before = rig.agent.asked("host.inventory").length;
    for (let n = 0; n < 10; n += 1) rig.directory.refresh("hv1");
    await rig.pass(1000);
    expect(rig.agent.asked("host.inventory").length).toBe(before + 1);
  });

  it("goes down when it can't be reached, counts missed intervals, and comes up by itself", async () => {
    const rig = await new Rig().start();
    rig.agent.reachable = false;
    rig.agent.channel.die();
    await rig.pass(2000);
    expect(rig.host.reach).toMatchObject({ at: "down", missed: 1, fault: { code: "HostUnreachable" } });
    await rig.pass(95_000);
    expect(rig.host.reach).toMatchObject({ at: "down", missed: 3 });
    expect(rig.host.snapshot).toBeDefined();
    rig.agent.reachable = true;
    await rig.pass(31_000);
    expect(rig.host.reach.at).toBe("up");
  });

  it.each([
    {
      why: "a transport that never answers",
      session: () => new Promise<never>(() => {}),
      says: "no session within 30 s",
    },
    {
      why: "settings that allow no transport",
      session: () => {
        throw new Error("no such driver");
      },
      says: "no such driver",
    },
  ])("is down with the reason: $why", async ({ session, says }) => {
    const rig = new Rig();
    rig.agent.session = session;
    rig.agent.reachable = false;
    await rig.start();
    await rig.pass(32_000);
    expect(rig.host.reach).toMatchObject({ at: "down", fault: { message: says } });
    void rig.directory.stop({ graceMs: 0 });
    await rig.pass(100);
    expect(rig.clock.pending).toBe(0);
  });

  it("is down with the reason that no transport could be made", async () => {
    const rig = new Rig();
    rig.noTransport = new Error("the simulator's program is missing");
    await rig.start();
    expect(rig.host.reach).toMatchObject({ at: "down", fault: { message: "the simulator's program is missing" } });
  });

  it("is never told down for one lost session", async () => {
    const rig = await new Rig().start();
    rig.changes.length = 0;
    rig.agent.channel.die();
    await rig.pass(2000);
    expect(rig.host.reach.at).toBe("up");
    expect(rig.changes).toEqual([]);
    expect(rig.agent.channels.length).toBe(2);
  });

  it("opens a new session after three missed heartbeats", async () => {
    const rig = await new Rig().start();
    rig.stopHeart();
    await rig.pass(24_000);
    expect(rig.agent.channels[0]!.closed).toBe(true);
    expect(rig.agent.channels.length).toBeGreaterThan(1);
  });

  it("is down while its agent dies of every inventory", async () => {
    const rig = await new Rig().start();
    rig.script["host.inventory"] = () => "die";
    await rig.pass(60_000);
    expect(rig.host.reach).toMatchObject({ at: "down" });
    expect(rig.agent.channels.length).toBeLessThan(15);
  });

  it("looks again at once after one broken answer, and is down after two", async () => {
    const rig = await new Rig().start();
    const broken = ["garbage", '{"type":"result","result":{"status":"succ'];
    const answers = [{ lines: broken }, noChange()];
    rig.script["host.inventory"] = () => answers.shift() ?? { lines: broken };
    await rig.pass(33_000);
    expect(rig.host.reach.at).toBe("up");
    await rig.pass(33_000);
    expect(rig.host.reach).toMatchObject({ at: "down", fault: { code: "ProtocolError" } });
  });

  it("asks again soon when the answer to an inventory became a line that names no job", async () => {
    const rig = await new Rig().start();
    const answers = [{ lines: ["}}}}"] }];
    rig.script["host.inventory"] = () => answers.shift() ?? noChange();
    await rig.pass(30_000);
    const asked = rig.agent.asked("host.inventory").length;
    await rig.pass(12_000);
    expect(rig.agent.asked("host.inventory").length).toBe(asked + 1);
    expect(rig.host.reach.at).toBe("up");
  });

  it("is down two intervals after an inventory that hangs was asked for", async () => {
    const rig = await new Rig().start();
    rig.script["host.inventory"] = () => ({ lines: [] });
    await rig.pass(93_000);
    expect(rig.agent.asked("host.inventory").length).toBeGreaterThan(2);
    await rig.pass(61_000);
    expect(rig.host.reach.at).toBe("down");
  });

  it("says what host.validate found, asks again until it is mended and when the layout changes", async () => {
    const rig = new Rig();
    let problems = [{ field: "networks[name=lan]", code: "SwitchNotFound", message: "no switch" }];
    rig.script["host.validate"] = () => ({ data: { problems } });
    await rig.start();
    expect(rig.host.problems).toEqual(problems);
    problems = [];
    await rig.pass(61_000);
    expect(rig.host.problems).toEqual([]);
    const asked = rig.agent.asked("host.validate").length;
    rig.directory.apply([settings({ networks: [{ name: "lan", switchName: "External" }] })]);
    await rig.pass(1000);
    expect(rig.agent.asked("host.validate").length).toBe(asked + 1);
  });

  it.each([
    { why: "an unknown control plane's host takes our epoch", known: {}, sent: 1, raised: [] },
    { why: "a lower one too", known: { "cp-1": 0 }, sent: 1, raised: [] },
    { why: "an equal one is another process's", known: { "cp-1": 1 }, sent: 2, raised: [2] },
    { why: "a higher one is raised above", known: { "cp-1": 41 }, sent: 42, raised: [42] },
    { why: "another control plane's does not matter", known: { other: 99 }, sent: 1, raised: [] },
  ])("$why", async ({ known, sent, raised }) => {
    const rig = new Rig();
    rig.agent.epochs = known as Record<string, number>;
    await rig.start();
    rig.submit(1);
    await rig.pass(100);
    expect(rig.raised).toEqual(raised);
    expect(rig.agent.asked("vm.power")[0]!.metadata.epoch).toBe(sent);
  });

  it("makes way for a newer process that took the host over", async () => {
    const rig = await new Rig().start();
    rig.agent.epochs = { "cp-1": 9 };
    rig.agent.channel.die();
    await rig.pass(5000);
    rig.submit(1);
    await rig.pass(100);
    expect(rig.host.reach).toMatchObject({ at: "down", fault: { code: "StaleController" } });
    expect(rig.ends).toEqual(["StaleController"]);
    expect(rig.raised).toEqual([]);
  });

  it("obeys again after a take-over by an operator, and sends nothing before", async () => {
    const rig = await new Rig().start();
    rig.agent.epochs = { "cp-1": 9 };
    rig.script["vm.power"] = () => ({ code: "StaleController", message: "epoch 1 is older than 9" });
    rig.submit(1);
    await rig.pass(100);
    expect(rig.host.reach).toMatchObject({ at: "down", fault: { code: "StaleController" } });
    const asked = rig.agent.requests.length;
    await rig.pass(120_000);
    expect(new Set(rig.agent.requests.slice(asked).map(({ operation }) => operation))).toEqual(
      new Set(["agent.hello"]),
    );
    expect(rig.host.reach).toMatchObject({ at: "down", missed: 4 });
    rig.agent.epochs = { "cp-1": 1 };
    rig.script["vm.power"] = () => observedVm(1);
    await rig.pass(31_000);
    expect(rig.host.reach.at).toBe("up");
    rig.submit(1);
    await rig.pass(100);
    expect(rig.ends).toEqual(["StaleController", "ok"]);
  });

  it("keeps a job's newer observation against an inventory that was under way", async () => {
    const rig = await new Rig().start();
    const slow = Promise.withResolvers<ReturnType<typeof inventory>>();
    rig.script["host.inventory"] = () => slow.promise;
    rig.script["vm.power"] = () => observedVm(1, { state: "Running" });
    await rig.pass(30_000);
    rig.submit(1);
    await rig.pass(100);
    rig.script["host.inventory"] = () => noChange("d2");
    slow.resolve(inventory({ vms: { upsert: [vm(1, { state: "Off" })] } }, { digest: "d2" }));
    await rig.pass(100);
    expect(rig.host.snapshot!.vms.get(guid(1))!.state).toBe("Running");
    const asked = rig.agent.asked("host.inventory").length;
    await rig.pass(6000);
    expect(
      rig.agent
        .asked("host.inventory")
        .slice(asked)
        .map(({ resource_spec }) => resource_spec["since"]),
    ).toEqual(["d1"]);
  });

  it("works one-shot when no session can be had, and goes over to one later", async () => {
    const rig = new Rig();
    rig.agent.sessions = false;
    await rig.start();
    rig.submit(1);
    await rig.pass(100);
    expect(rig.ends).toEqual(["ok"]);
    expect(rig.logs.map(({ line }) => line.text)).toEqual(["one-shot vm.power"]);
    rig.agent.sessions = true;
    await rig.pass(91_000);
    expect(rig.agent.channels.length).toBe(1);
    expect(rig.host.reach.at).toBe("up");
  });

  it("lets go of a host that is no longer named", async () => {
    const rig = await new Rig().start();
    rig.directory.apply([]);
    await rig.pass(100);
    expect(rig.directory.host("hv1")).toBeUndefined();
    expect(rig.agent.channels.every(({ closed }) => closed)).toBe(true);
    expect(rig.clock.pending).toBe(0);
    rig.submit(1);
    await rig.pass(10);
    expect(rig.outcomes[0]!.fault!.message).toContain("no VMHost named hv1");
  });

  it("connects anew when the way to reach it changed", async () => {
    const rig = await new Rig().start();
    rig.directory.apply([settings({ connectionHash: "b" })]);
    await rig.pass(1000);
    expect(rig.agent.channels.map(({ closed }) => closed)).toEqual([true, false]);
    expect(rig.host.reach.at).toBe("up");
  });
});
