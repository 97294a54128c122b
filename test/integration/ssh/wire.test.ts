import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";
import { BrokenHost } from "./brokenHost.ts";

const why = await whyNoSshd("simulator");
if (why !== undefined) console.warn(`skipped: ${why}`);

const CONVERGED = { Ready: "True Converged", Reachable: "True Reachable", AgentReady: "True AgentReady" };
const LIMIT = { timeout: 240_000 };

/** What can be wrong on the way, whatever the agent is: the simulator behind the stub's words, and a real sshd. */
describe.skipIf(why !== undefined)("a host that answers wrongly", () => {
  let sshd: SshdRig;
  let host: BrokenHost;
  let made = 0;
  const faults = () => join(sshd.root, "faults.json");
  const breakWith = (fault: object): Promise<void> => writeFile(faults(), JSON.stringify(fault));
  const mend = (): Promise<void> => rm(faults(), { force: true });
  /** Declares one more machine. */
  const another = async (): Promise<void> => {
    made += 1;
    await host.declare(`m${made}`);
  };
  const converges = () => host.plane.ready(1 + 3 * made, 120_000);

  beforeAll(async () => {
    sshd = await SshdRig.start({ shell: "cmd.exe", agent: "simulator" });
    host = await BrokenHost.start(sshd, { "ssh-privatekey": sshd.key });
    await host.shows(CONVERGED);
  }, 120_000);
  afterEach(mend);
  afterAll(async () => {
    await host.plane.dispose();
    await sshd[Symbol.asyncDispose]();
  });

  it("garbage on STDOUT between the answers: tolerated", LIMIT, async () => {
    await breakWith({ garbage: ["WARNING: a profile said something", '{"type":"hint"}', "\uFFFD\u0007", "[]"] });
    await another();
    await converges();
    await host.shows(CONVERGED);
  });

  it("a clock that is a day ahead: nothing depends on it", LIMIT, async () => {
    await breakWith({ clockAheadMs: 25 * 3_600_000 });
    await another();
    await converges();
    await host.shows(CONVERGED);
    await mend();
    await another();
    await converges();
  });

  it("answers of another correlation id: ProtocolError, and no job is sent", LIMIT, async () => {
    await breakWith({ answers: "01JDB3Q4V5W6X7Y8Z900000000" });
    const out = await host.shows({ Reachable: "False ProtocolError", Ready: "Unknown HostUnreachable" });
    expect(out).toContain("01JDB3Q4V5W6X7Y8Z900000000");
    const before = await host.changes();
    await another();
    await host.shows({ Reachable: "False ProtocolError" });
    expect(await host.changes()).toEqual(before);
    await mend();
    await converges();
    await host.shows(CONVERGED);
  });

  it("each answer cut in mid-line: ProtocolError, and no job is sent", LIMIT, async () => {
    await breakWith({ cut: true });
    await host.shows({ Reachable: "False ProtocolError", Ready: "Unknown HostUnreachable" });
    const before = await host.changes();
    await another();
    await host.shows({ Reachable: "False ProtocolError" });
    expect(await host.changes()).toEqual(before);
    await mend();
    await converges();
    await host.shows(CONVERGED);
  });

  it(
    "another host key in mid-run: HostKeyMismatch, and nothing is started there until the key is back",
    LIMIT,
    async () => {
      await sshd.stop();
      await sshd.newHostKeys();
      await sshd.listen();
      const out = await host.shows({ Stalled: "True HostKeyMismatch", Reachable: "False HostKeyMismatch" });
      expect(out).toMatch(/shows SHA256:/);
      await another();
      expect(await sshd.processes("stub.ts")).toEqual([]);
      await sshd.stop();
      await sshd.formerHostKeys();
      await sshd.listen();
      await converges();
      await host.shows(CONVERGED);
    },
  );
});
