import { describe, expect, it } from "vitest";
import { resultLine, resultOf, type Reaction } from "../../support/fakeAgent.ts";
import { guid } from "../../support/states.ts";
import { inventory, noChange, observedVm, Rig, vm } from "./rig.ts";

const running = (rig: Rig) =>
  rig.agent.asked("vm.power").map(({ resource_spec }) => (resource_spec["owner"] as { name: string }).name);

describe("jobs", () => {
  it("fold what they observed before the outcome is told", async () => {
    const rig = await new Rig().start();
    rig.script["vm.get"] = () => observedVm(1, { state: "Running" });
    const seen: unknown[] = [];
    rig.directory.submit(
      {
        key: { kind: "VirtualMachine", namespace: "default", name: "vm1" },
        uid: "uid-1",
        host: "hv1",
        step: {
          operation: "vm.get",
          spec: { owner: { kind: "VirtualMachine", namespace: "default", name: "vm1", uid: "uid-1" } },
        },
        locks: [],
        deadlineSeconds: 5,
      },
      () => seen.push(rig.host.snapshot!.vms.get(guid(1))?.state, rig.host.job("uid-1")),
    );
    expect(rig.host.job("uid-1")).toMatchObject({ operation: "vm.get" });
    await rig.pass(100);
    expect(seen).toEqual(["Running", undefined]);
  });

  it("run two short, one long and one start or stop more at a time, power first, a lock held once", async () => {
    const rig = await new Rig().start();
    const gates = new Map<string, (reaction: Reaction) => void>();
    const hold = (name: string) => new Promise<Reaction>((resolve) => gates.set(name, resolve));
    rig.script["vm.power"] = ({ resource_spec }) => hold((resource_spec["owner"] as { name: string }).name);
    rig.script["vm.get"] = ({ resource_spec }) => hold(`get-${(resource_spec["owner"] as { name: string }).name}`);
    const owner = (n: number) =>
      ({ kind: "VirtualMachine", namespace: "default", name: `vm${n}`, uid: `uid-${n}` }) as const;
    rig.submit(1);
    rig.submit(2, { locks: ["uid-1"] });
    rig.submit(3);
    rig.submit(4, { operation: "vm.get", spec: { owner: owner(4) } });
    rig.submit(8, { operation: "vm.get", spec: { owner: owner(8) } });
    rig.submit(5);
    rig.submit(6, { step: { operation: "vm.get", spec: { owner: owner(6) }, long: true } });
    await rig.pass(100);
    expect([...gates.keys()].sort()).toEqual(["get-vm4", "get-vm6", "vm1", "vm3"]);
    gates.get("vm3")!({ data: { observed: {} } });
    await rig.pass(100);
    expect([...gates.keys()].sort(), "5 is power and goes before 8; 2 waits for 1's lock").toEqual([
      "get-vm4",
      "get-vm6",
      "vm1",
      "vm3",
      "vm5",
    ]);
    gates.get("vm1")!({ data: { observed: {} } });
    await rig.pass(100);
    expect(gates.has("vm2")).toBe(true);
    for (const open of gates.values()) open({ data: { observed: {} } });
    await rig.pass(100);
    for (const open of gates.values()) open({ data: { observed: {} } });
    await rig.pass(100);
    expect(rig.ends).toEqual(Array(7).fill("ok"));
  });

  describe("that had to wait in line", () => {
    /** Job 1 holds the lock that job 2 waits for. */
    const inLine = async (stillMeant: () => Promise<boolean>) => {
      const rig = await new Rig().start();
      const open = Promise.withResolvers<Reaction>();
      rig.script["vm.power"] = ({ resource_spec }) =>
        (resource_spec["owner"] as { name: string }).name === "vm1" ? open.promise : { data: { observed: {} } };
      rig.submit(1);
      rig.submit(2, { locks: ["uid-1"], stillMeant });
      await rig.pass(100);
      return { rig, goOn: () => open.resolve({ data: { observed: {} } }) };
    };

    it("are asked for when their turn comes, not before", async () => {
      const asked: string[] = [];
      const { rig, goOn } = await inLine(() => Promise.resolve(asked.push("asked") > 0));
      expect(asked).toEqual([]);
      goOn();
      await rig.pass(100);
      expect(asked).toEqual(["asked"]);
      expect(running(rig)).toEqual(["vm1", "vm2"]);
      expect(rig.ends).toEqual(["ok", "ok"]);
    });

    it.each([
      { why: "are not meant any more", stillMeant: () => Promise.resolve(false) },
      { why: "can't be asked for", stillMeant: () => Promise.reject(new Error("the store is away")) },
    ])("are withdrawn when they $why: never sent, no fault, and nobody waits for them", async ({ stillMeant }) => {
      const { rig, goOn } = await inLine(stillMeant);
      rig.submit(3, { locks: ["uid-2"] });
      goOn();
      await rig.pass(100);
      expect(running(rig)).toEqual(["vm1", "vm3"]);
      expect(rig.outcomes.find(({ withdrawn }) => withdrawn)).toMatchObject({ operation: "vm.power" });
      expect(rig.ends).toEqual(["ok", "ok", "ok"]);
      expect(rig.host.job("uid-2")).toBeUndefined();
      expect(rig.host.uncertain("uid-2")).toBeUndefined();
      expect([...rig.records.values()].filter(({ status }) => status === "withdrawn")).toMatchObject([
        { uid: "uid-2", message: expect.stringContaining("not what is wanted any more") },
      ]);
    });

    it("are sent at once without being asked for when there is no line", async () => {
      const rig = await new Rig().start();
      rig.submit(1, { stillMeant: () => Promise.resolve(false) });
      await rig.pass(100);
      expect(rig.ends).toEqual(["ok"]);
      expect(running(rig)).toEqual(["vm1"]);
    });
  });

  it("refuse a second job for an object", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = () => "hang";
    rig.submit(1);
    rig.submit(1);
    await rig.pass(10);
    expect(rig.ends).toEqual(["Busy"]);
    expect(rig.host.job("uid-1")).toBeDefined();
  });

  it("wait while connecting, and end with HostUnreachable while the host is down", async () => {
    const rig = new Rig();
    rig.agent.reachable = false;
    rig.directory.apply([]);
    const starting = rig.start();
    rig.submit(1);
    expect(rig.ends).toEqual([]);
    await starting;
    await rig.pass(5000);
    expect(rig.ends.length).toBeLessThanOrEqual(1);
    rig.submit(2);
    await rig.pass(10);
    expect(rig.ends.at(-1)).toBe("HostUnreachable");
    expect(rig.host.uncertain("uid-2"), "it was never sent").toBeUndefined();
  });

  it.each<{ why: string; reaction: Reaction; ends: string; uncertain: boolean }>([
    { why: "an error is the agent's own", reaction: { code: "DiskInUse" }, ends: "DiskInUse", uncertain: false },
    {
      why: "an internal error without a look leaves the effect unknown",
      reaction: { code: "HyperVError" },
      ends: "HyperVError",
      uncertain: true,
    },
    {
      why: "with a look it is known",
      reaction: { code: "HyperVError", data: { observed: { vms: { upsert: [vm(1)] } } } },
      ends: "HyperVError",
      uncertain: false,
    },
    {
      why: "a malformed look is none",
      reaction: { code: "HyperVError", data: { observed: { vms: { upsert: [{ id: "x" }] } } } },
      ends: "HyperVError",
      uncertain: true,
    },
    {
      why: "partial is no success",
      reaction: { status: "partial", code: "HyperVError", data: { observed: { vms: { upsert: [vm(1)] } } } },
      ends: "HyperVError",
      uncertain: false,
    },
    { why: "an unknown code can't be trusted", reaction: { code: "Whatever" }, ends: "ProtocolError", uncertain: true },
    { why: "data without observed is malformed", reaction: { data: {} }, ends: "ProtocolError", uncertain: true },
  ])("$why", async ({ reaction, ends, uncertain }) => {
    const rig = await new Rig().start();
    rig.script["host.inventory"] = () => "hang";
    rig.script["vm.power"] = () => reaction;
    rig.submit(1);
    await rig.pass(100);
    expect(rig.ends).toEqual([ends]);
    expect(rig.host.uncertain("uid-1") !== undefined).toBe(uncertain);
  });

  it("stay uncertain until an inventory that started after their end is folded", async () => {
    const rig = await new Rig().start();
    const early = Promise.withResolvers<Reaction>();
    rig.script["host.inventory"] = () => early.promise;
    await rig.pass(30_000);
    rig.script["vm.power"] = () => ({ code: "HyperVError" });
    rig.submit(1);
    await rig.pass(100);
    const next = Promise.withResolvers<Reaction>();
    rig.script["host.inventory"] = () => next.promise;
    early.resolve(noChange());
    await rig.pass(1000);
    expect(rig.host.uncertain("uid-1"), "this inventory began before the job's end").toMatchObject({
      code: "HyperVError",
    });
    rig.changes.length = 0;
    next.resolve(noChange());
    await rig.pass(1000);
    expect(rig.host.uncertain("uid-1")).toBeUndefined();
    expect(rig.changes).toContainEqual({ uids: new Set(["uid-1"]), host: false });
  });

  it("stay uncertain while machines could not be read", async () => {
    const rig = await new Rig().start();
    const unknown = [{ part: "vms" as const, message: "no rights" }];
    rig.script["host.inventory"] = () => inventory({}, { full: false, complete: false, unknown });
    rig.script["vm.power"] = () => ({ code: "HyperVError" });
    rig.submit(1);
    await rig.pass(2000);
    expect(rig.host.uncertain("uid-1")).toBeDefined();
  });

  it("survive a lost session: the result is fetched from the agent", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = (request) => {
      rig.agent.jobs.set(request.correlation_id, { state: "Running", percent: 40 });
      return "die";
    };
    rig.submit(1);
    await rig.pass(3000);
    expect(rig.ends).toEqual([]);
    expect(rig.host.job("uid-1")).toMatchObject({ percent: 40 });
    const [request] = rig.agent.asked("vm.power");
    const result = resultOf(request!, { data: { observed: { vms: { upsert: [vm(1, { state: "Running" })] } } } });
    rig.agent.jobs.set(request!.correlation_id, { state: "Finished", result });
    rig.script["host.inventory"] = () => inventory({ vms: { upsert: [vm(1, { state: "Running" })] } }, { full: false });
    await rig.pass(2000);
    expect(rig.ends).toEqual(["ok"]);
    expect(rig.host.uncertain("uid-1")).toBeUndefined();
    expect(rig.host.snapshot!.vms.get(guid(1))!.state).toBe("Running");
    expect(running(rig), "never sent twice").toEqual(["vm1"]);
  });

  it("have an unknown effect when the agent does not know them after a lost session", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = () => "die";
    rig.submit(1);
    await rig.pass(200);
    rig.script["host.inventory"] = () => "hang";
    await rig.pass(4000);
    expect(rig.ends).toEqual(["HostUnreachable"]);
  });

  it.each<{ why: string; lines: (line: string, id: string) => string[] }>([
    { why: "garbage around the result", lines: (line) => ["banner", "{", '{"type":"nonsense"}', line] },
    { why: "the result twice", lines: (line) => [line, line] },
    { why: "another job's result before it", lines: (line, id) => [line.replace(id, "0".repeat(26)), line] },
    { why: "empty lines and blanks", lines: (line) => ["", "  ", ` ${line} `] },
  ])("tolerate $why", async ({ lines }) => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = (request) => {
      const line = resultLine(resultOf(request, { data: { observed: { vms: { upsert: [vm(1)] } } } }));
      return { lines: lines(line, request.correlation_id) };
    };
    rig.submit(1);
    await rig.pass(100);
    expect(rig.ends).toEqual(["ok"]);
  });

  it.each<{ why: string; known: boolean; line: (line: string) => string }>([
    { why: "a cut result", known: true, line: (line) => line.slice(0, 60) },
    { why: "a result that lacks a field", known: true, line: (line) => line.replace('"logs":[],', "") },
    {
      why: "a result that is a list",
      known: true,
      line: (line) => line.replace(/"result":(\{.*\})\}$/, '"result":[$1]}'),
    },
    { why: "a result longer than 8 MiB", known: true, line: (line) => line + " ".repeat(8 * 1024 * 1024) },
    { why: "a cut result the agent no longer knows", known: false, line: (line) => line.slice(0, 60) },
  ])("recover from $why", async ({ line, known }) => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = (request) => {
      const result = resultOf(request, { data: { observed: { vms: { upsert: [vm(1)] } } } });
      if (known) rig.agent.jobs.set(request.correlation_id, { state: "Finished", result });
      return { lines: [line(resultLine(result))] };
    };
    rig.submit(1);
    await rig.pass(100);
    expect(rig.ends).toEqual([known ? "ok" : "ProtocolError"]);
  });

  it("find a lost reply by asking for it", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = (request) => {
      const result = resultOf(request, { data: { observed: {} } });
      rig.agent.jobs.set(request.correlation_id, { state: "Finished", result });
      return "hang";
    };
    rig.submit(1, { deadlineSeconds: 3600 });
    await rig.pass(35_000);
    expect(rig.ends).toEqual(["ok"]);
  });

  it("find a reply that became garbage soon", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = (request) => {
      rig.agent.jobs.set(request.correlation_id, {
        state: "Finished",
        result: resultOf(request, { data: { observed: {} } }),
      });
      return { lines: ["}}}}"] };
    };
    rig.submit(1, { deadlineSeconds: 3600 });
    await rig.pass(1500);
    expect(rig.ends).toEqual(["ok"]);
  });

  it("wake those that waited for a lock, but not when they were refused", async () => {
    const rig = await new Rig().start();
    rig.changes.length = 0;
    rig.submit(1, { locks: ["uid-1", "uid-of-its-disk"] });
    await rig.pass(100);
    expect(rig.changes).toEqual([{ uids: new Set(["uid-of-its-disk"]), host: false }]);
    rig.agent.reachable = false;
    rig.agent.channel.die();
    await rig.pass(5000);
    rig.changes.length = 0;
    rig.submit(1, { locks: ["uid-1", "uid-of-its-disk"] });
    await rig.pass(1);
    expect([rig.ends, rig.changes]).toEqual([["ok", "HostUnreachable"], []]);
  });

  it("time out, are cancelled, and keep their things uncertain until the host says they ended", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = (request) => {
      rig.agent.jobs.set(request.correlation_id, { state: "Running" });
      return "hang";
    };
    rig.submit(1, { deadlineSeconds: 5 });
    await rig.pass(14_000);
    expect(rig.ends).toEqual([]);
    await rig.pass(4000);
    expect(rig.ends).toEqual(["Timeout"]);
    const [request] = rig.agent.asked("vm.power");
    expect(rig.agent.asked("job.cancel")[0]!.resource_spec).toEqual({ correlation_id: request!.correlation_id });
    await rig.pass(120_000);
    expect(rig.host.uncertain("uid-1"), "inventories prove nothing while it may run").toMatchObject({
      code: "Timeout",
    });
    rig.agent.jobs.set(request!.correlation_id, { state: "Unknown" });
    await rig.pass(61_000);
    expect(rig.host.uncertain("uid-1")).toBeUndefined();
  });

  it("use a late result of a job given up", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = (request) => {
      rig.agent.jobs.set(request.correlation_id, { state: "Running" });
      return "hang";
    };
    rig.submit(1, { deadlineSeconds: 1 });
    await rig.pass(13_000);
    expect(rig.ends).toEqual(["Timeout"]);
    const [request] = rig.agent.asked("vm.power");
    const late = resultOf(request!, { data: { observed: { vms: { upsert: [vm(1, { state: "Running" })] } } } });
    rig.script["host.inventory"] = () => inventory({ vms: { upsert: [vm(1, { state: "Running" })] } }, { full: false });
    rig.agent.channel.say(resultLine(late));
    await rig.pass(1000);
    expect(rig.host.snapshot!.vms.get(guid(1))!.state).toBe("Running");
    expect(rig.host.uncertain("uid-1")).toBeUndefined();
  });

  it("are recorded with log lines, progress, attempt and end", async () => {
    const rig = await new Rig().start();
    const time = "2026-01-01T00:00:00.000Z";
    rig.script["vm.power"] = (request) => ({
      lines: [
        JSON.stringify({
          type: "log",
          correlation_id: request.correlation_id,
          log: { time, level: "info", text: "starting" },
        }),
        JSON.stringify({ type: "progress", correlation_id: request.correlation_id, percent: 50 }),
        resultLine(resultOf(request, { code: "InsufficientMemory", message: "needs 4Gi" })),
      ],
    });
    rig.submit(1);
    await rig.pass(100);
    rig.submit(1);
    await rig.pass(100);
    const [first, second] = [...rig.records.values()];
    expect(first).toMatchObject({
      status: "error",
      code: "InsufficientMemory",
      message: "needs 4Gi",
      attempt: 1,
      percent: 50,
    });
    expect(second).toMatchObject({ attempt: 2 });
    expect(rig.logs.map(({ line }) => line.text)).toEqual(["starting", "starting"]);
  });

  it("are waited for at a graceful stop, and no new one starts", async () => {
    const rig = await new Rig().start();
    const gate = Promise.withResolvers<Reaction>();
    rig.script["vm.power"] = () => gate.promise;
    rig.submit(1);
    await rig.pass(100);
    let stopped = false;
    void rig.directory.stop({ graceMs: 60_000 }).then(() => (stopped = true));
    rig.submit(2);
    await rig.pass(5000);
    expect([stopped, ...rig.ends]).toEqual([false, "HostUnreachable"]);
    gate.resolve({ data: { observed: {} } });
    await rig.pass(100);
    expect([stopped, ...rig.ends]).toEqual([true, "HostUnreachable", "ok"]);
    await rig.pass(10);
    expect(rig.clock.pending).toBe(0);
  });

  it("are given up when the grace has passed", async () => {
    const rig = await new Rig().start();
    rig.script["vm.power"] = () => "hang";
    rig.submit(1);
    await rig.pass(100);
    void rig.directory.stop({ graceMs: 1000 });
    await rig.pass(1200);
    expect(rig.ends).toEqual(["HostUnreachable"]);
    await rig.pass(10);
    expect(rig.clock.pending).toBe(0);
  });

  it("have a session each where the agent runs one at a time", async () => {
    const rig = new Rig();
    rig.agent.concurrency = 1;
    await rig.start();
    const gates: ((reaction: Reaction) => void)[] = [];
    rig.script["vm.power"] = () => new Promise((resolve) => gates.push(resolve));
    rig.submit(1);
    rig.submit(2);
    rig.submit(3);
    rig.submit(4);
    await rig.pass(100);
    expect([rig.agent.channels.length, gates.length]).toEqual([4, 3]);
    gates[0]!({ data: { observed: {} } });
    await rig.pass(100);
    expect([rig.agent.channels.length, gates.length], "the fourth reuses a session").toEqual([4, 4]);
    rig.agent.channels[1]!.die();
    await rig.pass(1000);
    expect(rig.host.reach.at).toBe("up");
    for (const open of gates) open({ data: { observed: {} } });
    await rig.pass(2000);
    expect(rig.ends.length).toBe(4);
  });
});
