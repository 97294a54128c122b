import { describe, expect, it } from "vitest";
import type { FakeChannel } from "../../support/fakeAgent.ts";
import { noChange, observedVm, Rig, settings } from "./rig.ts";

const MIB = 2 ** 20;

/** A host whose agent runs one job at a time, as PowerShell's does: its first channel is for questions. */
const oneAtATime = async (): Promise<Rig> => {
  const rig = new Rig();
  rig.agent.concurrency = 1;
  return await rig.start();
};
const heartbeat = (channel: FakeChannel, memory: number): void =>
  channel.say(JSON.stringify({ type: "heartbeat", time: "2026-01-01T00:00:00.000Z", memory }));
const open = (rig: Rig): readonly number[] => rig.agent.channels.flatMap(({ closed }, at) => (closed ? [] : [at]));

describe("the sessions of an agent that runs one job at a time", () => {
  it("end by force when an inventory hangs, while jobs in other sessions go on", async () => {
    const rig = await oneAtATime();
    const job = Promise.withResolvers<ReturnType<typeof observedVm>>();
    rig.script["vm.power"] = () => job.promise;
    rig.submit(1, { deadlineSeconds: 3600 });
    await rig.pass(100);
    rig.script["host.inventory"] = () => ({ lines: [] });
    await rig.pass(91_000);
    const [questions, work] = rig.agent.channels;
    expect([questions!.closed, questions!.left, work!.closed]).toEqual([true, false, false]);
    rig.script["host.inventory"] = () => noChange();
    await rig.pass(91_000);
    expect(rig.host.reach.at).toBe("up");
    job.resolve(observedVm(1));
    await rig.pass(100);
    expect(rig.ends).toEqual(["ok"]);
  });

  it("end by force when a job outlives its deadline", async () => {
    const rig = await oneAtATime();
    rig.script["vm.power"] = (request) => {
      rig.agent.jobs.set(request.correlation_id, { state: "Running" });
      return "hang";
    };
    rig.submit(1, { deadlineSeconds: 5 });
    await rig.pass(17_000);
    const [questions, work] = rig.agent.channels;
    expect([questions!.closed, work!.closed, work!.left]).toEqual([false, true, false]);
    expect(rig.ends).toEqual(["Timeout"]);
    expect(rig.host.uncertain("uid-1")).toMatchObject({ code: "Timeout" });
  });

  it("are left, not ended, at their work when the way to the host changes", async () => {
    const rig = await oneAtATime();
    rig.script["vm.power"] = () => "hang";
    rig.submit(1, { deadlineSeconds: 3600 });
    await rig.pass(100);
    rig.directory.apply([settings({ connectionHash: "b" })]);
    await rig.pass(100);
    expect(rig.agent.channels.slice(0, 2).map(({ closed, left }) => [closed, left])).toEqual([
      [true, false],
      [true, true],
    ]);
  });

  it("are replaced after 500 requests", async () => {
    const rig = await oneAtATime();
    // The hello was the first request.
    for (let n = 1; n < 500; n += 1) {
      rig.submit(1);
      await rig.pass(10);
    }
    expect(rig.ends.length).toBe(499);
    expect(open(rig), "questions, and no worker: it has done its work").toEqual([0]);
    await rig.pass(30_000 * 500);
    expect(open(rig).length).toBe(1);
    expect(open(rig)[0]).toBeGreaterThan(1);
    expect(rig.host.reach.at).toBe("up");
  });

  it("are replaced when their process takes over 300 MiB", async () => {
    const rig = await oneAtATime();
    rig.submit(1);
    await rig.pass(100);
    expect(open(rig)).toEqual([0, 1]);
    for (const channel of rig.agent.channels) heartbeat(channel, 299 * MIB);
    rig.submit(1);
    await rig.pass(100);
    expect(open(rig)).toEqual([0, 1]);
    for (const channel of rig.agent.channels) heartbeat(channel, 300 * MIB);
    rig.submit(1);
    await rig.pass(100);
    expect(open(rig)).toEqual([0]);
    heartbeat(rig.agent.channels[0]!, 300 * MIB);
    rig.directory.refresh("hv1");
    await rig.pass(1000);
    expect(open(rig)).toEqual([2]);
    expect(rig.host.reach.at).toBe("up");
  });
});
