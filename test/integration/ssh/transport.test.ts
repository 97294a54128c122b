import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TransportError, type AgentChannel } from "../../../src/engine/ports.ts";
import { SshHost } from "../../../src/transports/ssh/host.ts";
import { ask, bundle, hostOf, request, transportOf } from "../../rigs/sshd/connect.ts";
import { PASSWORD, USER, type SshdOptions } from "../../rigs/sshd/options.ts";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";

const why = await whyNoSshd("simulator");
if (why !== undefined) console.warn(`skipped: ${why}`);

let rig: SshdRig;
const hosts: SshHost[] = [];
const signal = () => AbortSignal.timeout(15_000);
const host = (over: Parameters<typeof hostOf>[1] = {}): SshHost => {
  const made = hostOf(rig, over);
  hosts.push(made);
  return made;
};
afterEach(() => hosts.splice(0).forEach((one) => one.close()));

const useRig = (options: SshdOptions): void => {
  beforeAll(async () => {
    rig = await SshdRig.start(options);
  });
  afterAll(() => rig[Symbol.asyncDispose]());
};

/** Waits for something that other processes do. */
const until = async (done: () => Promise<boolean> | boolean): Promise<void> => {
  for (let tries = 0; !(await done()); tries += 1) {
    if (tries > 300) throw new Error("nothing happened for 15 s");
    await sleep(50);
  }
};
const agents = () => rig.processes("stub.ts");
const faultOf = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TransportError);
  return (error as TransportError).fault;
};

describe
  .skipIf(why !== undefined)
  .each([{ shell: "cmd.exe" }, { shell: "powershell.exe" }, { shell: "cmd.exe", forced: true }] as const)(
  "a session where the default shell is $shell, forced command: $forced",
  (options) => {
    useRig({ agent: "simulator", ...options });

    it("puts the agent on the host, then starts at once; both forms answer", async () => {
      const transport = transportOf(host());
      const { sha256 } = await bundle();
      const channel = await transport.session(signal());
      expect(await ask(channel, request())).toMatchObject({ status: "success", data: { agent: "simulator" } });
      expect(await readdir(join(rig.root, "C/ProgramData/AetherV/agents"))).toEqual([sha256]);
      const { line } = request();
      const { stdout, exitCode } = await transport.oneShot(line, () => undefined, signal());
      expect([exitCode, JSON.parse(stdout.trim().split("\n").at(-1)!)]).toMatchObject([0, { status: "success" }]);
      channel.close();
      await until(async () => (await agents()).length === 0);
    });
  },
);

describe.skipIf(why !== undefined)("ssh", () => {
  useRig({ shell: "cmd.exe", agent: "simulator" });

  it("takes any of the host's keys that is listed, whichever the server would show first", async () => {
    for (const key of rig.hostKeys)
      expect((await host({ target: { hostKeys: [key] } }).run(["hello"], { signal: signal() })).exitCode).toBe(0);
  });

  it("gives no credential to a host with another key, and names the keys", async () => {
    let read = 0;
    const other = `SHA256:${"A".repeat(43)}`;
    const target = { address: "127.0.0.1", port: rig.port, user: USER, hostKeys: [other] };
    const login = () => Promise.resolve({ at: "key", key: rig.key, read: (read += 1) } as const);
    const fault = await faultOf(new SshHost({ target, login }).run(["hello"], { signal: signal() }));
    expect(fault.code).toBe("HostKeyMismatch");
    for (const key of [...rig.hostKeys, other]) expect(fault.message).toContain(key);
    expect(read).toBe(0);
  });

  it("logs in with a password; a wrong one is told as such, and not tried again", async () => {
    const good = host({ login: { at: "password", password: PASSWORD } });
    expect((await good.run(["hello"], { signal: signal() })).exitCode).toBe(0);
    const bad = host({ login: { at: "password", password: "guess" } });
    const first = await faultOf(bad.run(["hello"], { signal: signal() }));
    const second = await faultOf(bad.run(["hello"], { signal: signal() }));
    expect([first.code, second.code]).toEqual(["AuthenticationFailed", "AuthenticationFailed"]);
    expect(second.message).toContain("offered again in 5 min");
    expect(`${first.message}${second.message}`).not.toContain("guess");
  });

  it("tells a port where nothing listens, and a name that is not known", async () => {
    const closed = await faultOf(host({ target: { port: 1 } }).run(["hello"], { signal: signal() }));
    expect(closed).toMatchObject({ code: "HostUnreachable", message: expect.stringContaining("nothing listens") });
    const unknown = host({ target: { address: "no-such-host.invalid" } });
    expect((await faultOf(unknown.run(["hello"], { signal: signal() }))).code).toBe("HostUnreachable");
  });

  it("tells a host without PowerShell", async () => {
    const path = join(rig.root, "bin/powershell.exe");
    await rename(path, `${path}.away`);
    const fault = await faultOf(transportOf(host()).session(signal()));
    await rename(`${path}.away`, path);
    expect(fault).toMatchObject({ code: "HostNotPrepared", message: expect.stringContaining("is not recognized") });
  });

  it("keeps at most 8 channels a connection, and lets go of connections without any", async () => {
    const many = host({ idleMs: 200 });
    const transport = transportOf(many);
    const channels: AgentChannel[] = [await transport.session(signal())];
    channels.push(...(await Promise.all(Array.from({ length: 9 }, () => transport.session(signal())))));
    expect(many.connections).toBe(2);
    for (const channel of channels) channel.close();
    await until(() => many.connections === 0);
  });

  it("ends an agent that does not end with its STDIN", async () => {
    const channel = await transportOf(host({ killAfterMs: 300, idleMs: 600_000 })).session(signal());
    const [agent] = (await agents()).filter(({ args }) => args.includes("/node ") && args.includes(" session "));
    process.kill(agent!.pid, "SIGSTOP");
    const closed = new Promise((resolve) => channel.onClose(resolve));
    channel.close();
    await closed;
    await until(async () => (await agents()).length === 0);
  });

  it("ends a one-shot agent at the deadline", async () => {
    await writeFile(join(rig.root, "simulator/behaviour.json"), faults({ type: "hang" }));
    const patience = AbortSignal.timeout(2_000);
    await transportOf(host()).oneShot(request().line, () => undefined, patience);
    await until(async () => (await agents()).length === 0);
    await rm(join(rig.root, "simulator/behaviour.json"));
  });

  it("tells that the connection broke, when sshd dies in mid-job, and connects anew", async () => {
    const transport = transportOf(host());
    const channel = await transport.session(signal());
    const lost = new Promise<{ message: string }>((resolve) => channel.onClose(resolve));
    await rig.cut();
    expect((await lost).message).toContain("connection to the agent broke");
    const next = await transport.session(signal());
    expect(await ask(next, request())).toMatchObject({ status: "success" });
  });

  it("passes a line on that was cut off, and the agent's end", async () => {
    await writeFile(join(rig.root, "simulator/behaviour.json"), faults({ type: "cut" }));
    const channel = await transportOf(host()).session(signal());
    const lines: string[] = [];
    channel.onLine((line) => void lines.push(line));
    const closed = new Promise((resolve) => channel.onClose(resolve));
    channel.send(request().line);
    await closed;
    expect(lines.at(-1)).toMatch(/^\{"type":"result"/);
    expect(() => JSON.parse(lines.at(-1)!)).toThrow();
    await rm(join(rig.root, "simulator/behaviour.json"));
  });

  it("tells why an upload failed, and goes on once it can", async () => {
    await rm(join(rig.root, "C/ProgramData/AetherV/agents"), { recursive: true });
    const path = join(rig.root, "faults.json");
    await writeFile(path, JSON.stringify({ uploadRefused: "InsufficientStorage" }));
    const transport = transportOf(host());
    expect((await faultOf(transport.session(signal()))).code).toBe("InsufficientStorage");
    await rm(path);
    expect(await ask(await transport.session(signal()), request())).toMatchObject({ status: "success" });
  });

  it("gives up on a host that says nothing", async () => {
    await writeFile(join(rig.root, "faults.json"), JSON.stringify({ hang: true }));
    const fault = await faultOf(transportOf(host()).session(AbortSignal.timeout(2_000)));
    expect(fault.code).toBe("HostUnreachable");
    await rm(join(rig.root, "faults.json"));
  });
});

describe.skipIf(why !== undefined)("a server that allows fewer channels", () => {
  useRig({ shell: "cmd.exe", agent: "simulator", maxSessions: 3 });

  it("gets further connections instead", async () => {
    const one = host();
    const transport = transportOf(one);
    await transport.session(signal());
    const channels = await Promise.all(Array.from({ length: 5 }, () => transport.session(signal())));
    expect(channels).toHaveLength(5);
    // Six sessions take two; one more where the removal of old versions took a channel just then.
    expect(one.connections).toBeGreaterThanOrEqual(2);
    expect(one.connections).toBeLessThanOrEqual(3);
  });
});

const faults = (fault: object): string => JSON.stringify({ faults: [{ id: "t", operation: "agent.hello", fault }] });
