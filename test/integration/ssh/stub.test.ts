import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TransportError } from "../../../src/engine/ports.ts";
import type { SshHost } from "../../../src/transports/ssh/host.ts";
import { ask, bundle, hostOf, request, transportOf } from "../../rigs/sshd/connect.ts";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";

const why = await whyNoSshd("powershell");
if (why !== undefined) console.warn(`skipped: ${why}`);

const signal = () => AbortSignal.timeout(60_000);

/** agents/hyperv/stub.ps1 itself, with the agent that it starts, under a forced command. */
describe.skipIf(why !== undefined)("the stub on PowerShell", () => {
  let rig: SshdRig;
  let host: SshHost;
  beforeAll(async () => {
    rig = await SshdRig.start({ shell: "powershell.exe", agent: "powershell", forced: true });
    host = hostOf(rig, { killAfterMs: 500, idleMs: 600_000 });
  }, 120_000);
  afterAll(async () => {
    host.close();
    await rig[Symbol.asyncDispose]();
  });
  const agents = () => join(rig.root, "C/ProgramData/AetherV/agents");
  const refusal = async (work: Promise<unknown>): Promise<string> => {
    const error: unknown = await work.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TransportError);
    return (error as TransportError).fault.code;
  };

  it("starts an agent only when each of its files is what the hash says; what is not is replaced", async () => {
    const { sha256 } = await bundle();
    expect(await refusal(host.open(["session", sha256], signal()))).toBe("VersionMismatch");
    const first = await transportOf(host).session(signal());
    expect(await ask(first, request())).toMatchObject({ status: "success", data: { agent: "hyperv", sha256 } });
    first.close();
    await writeFile(join(agents(), sha256, "agent.ps1"), "# cut");
    expect(await refusal(host.open(["session", sha256], signal()))).toBe("VersionMismatch");
    const second = await transportOf(host).session(signal());
    expect(await ask(second, request())).toMatchObject({ status: "success" });
    second.close();
    expect(await readFile(join(agents(), sha256, "agent.ps1"), "utf8")).not.toBe("# cut");
  }, 120_000);

  it("refuses a bundle that arrives otherwise than named, cut off, or with a path that leads outside", async () => {
    const named = (text: string) => createHash("sha256").update(text).digest("hex");
    const other = "AETHERV-BUNDLE 1\nagent.ps1 IyBjdXQ=\nEND\n";
    expect(await refusal(host.run(["upload", "0".repeat(64)], { input: other, signal: signal() }))).toBe(
      "InvalidRequest",
    );
    for (const text of ["AETHERV-BUNDLE 1\nagent.ps1 IyBj\n", "AETHERV-BUNDLE 1\n../evil.ps1 IyBj\nEND\n"]) {
      const code = await refusal(host.run(["upload", named(text)], { input: text, signal: signal() }));
      expect(code).toBe("InternalError");
    }
    expect((await readdir(agents())).filter((name) => !/^[0-9a-f]{64}$/.test(name))).toEqual([]);
    expect(await readdir(join(rig.root, "C/ProgramData/AetherV"))).not.toContain("evil.ps1");
  }, 120_000);

  it("keeps versions that an agent runs, and removes the others", async () => {
    const { sha256 } = await bundle();
    const channel = await transportOf(host).session(signal());
    await mkdir(join(agents(), "1".repeat(64)), { recursive: true });
    const next = "2".repeat(64);
    await host.run(["prune", next], { signal: signal() });
    expect(await readdir(agents())).toEqual([sha256]);
    channel.close();
  }, 120_000);

  it("ends an agent that hangs, and no other process", async () => {
    const channel = await transportOf(host).session(signal());
    const { data } = await ask(channel, request());
    const agents = async () => (await rig.processes("stub.ps1")).filter(({ args }) => !args.startsWith("/bin/bash"));
    // The removal of old versions, which each new deployment does, has a short life of its own.
    for (let tries = 0; (await agents()).length > 1 && tries < 200; tries += 1) await sleep(100);
    const mine = await agents();
    expect(mine).toHaveLength(1);
    // The connection stays open: the end of one would end stopped processes here, as it does not on Windows.
    for (const { pid } of mine) process.kill(pid, "SIGSTOP");
    await host.run(["kill", "1"], { signal: signal() });
    expect((data as { pid: number }).pid).toBeGreaterThan(1);
    channel.close();
    for (let tries = 0; (await rig.processes("stub.ps1")).length > 0; tries += 1) {
      if (tries > 200) throw new Error("the agent still runs");
      await sleep(100);
    }
  }, 120_000);
});
