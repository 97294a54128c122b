import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { TransportError, type AgentChannel } from "../../../src/engine/ports.ts";
import { LocalTransport } from "../../../src/transports/local/process.ts";
import { LineSplitter } from "../../../src/transports/local/lines.ts";
import type { Fault } from "../../../src/protocol/errors.ts";
import { agentProgram, node } from "./processes.ts";

const opened: AgentChannel[] = [];
afterEach(() => opened.splice(0).forEach((channel) => channel.close()));

const open = async (mode: string, over: object = {}) => {
  const transport = new LocalTransport({ ...agentProgram(mode), ...over });
  const channel = await transport.session(new AbortController().signal);
  opened.push(channel);
  const lines: string[] = [];
  channel.onLine((line) => void lines.push(line));
  const closed = new Promise<Fault>((resolve) => channel.onClose(resolve));
  return { channel, lines, closed };
};

const until = async (done: () => boolean): Promise<void> => {
  for (let waited = 0; !done(); waited += 20) {
    if (waited > 10_000) throw new Error("nothing happened for 10 s");
    await systemClock.sleep(20);
  }
};

const request = JSON.stringify({ operation: "vm.get", correlation_id: "0".repeat(26), resource_spec: {} });
const isResult = (line: string) => line.startsWith('{"type":"result"');

describe("a local session", () => {
  it("keeps characters whole that come in pieces", async () => {
    const { channel, lines } = await open("drip");
    channel.send(request);
    await until(() => lines.some(isResult));
    expect(lines.find(isResult)).toContain("größer ✓");
  });

  it("bounds a line of the agent, and goes on after it", async () => {
    const { channel, lines } = await open("flood");
    channel.send(request);
    await until(() => lines.filter(isResult).length === 2);
    expect(lines.filter(isResult)[0]!.length).toBe(8 * 1024 * 1024);
    expect(JSON.parse(lines.filter(isResult)[1]!)).toMatchObject({ result: { status: "success" } });
  });

  it("says how the agent ended and what it said last", async () => {
    const { channel, closed } = await open("crash");
    channel.send(request);
    expect(await closed).toEqual({
      code: "HostUnreachable",
      message: "the agent process ended with exit code 7; it said last: something broke | for good",
    });
    channel.send(request);
  });

  it("ends with its STDIN, by itself", async () => {
    const { channel, closed } = await open("good");
    channel.close();
    expect((await closed).message).toContain("ended with exit code 0");
  });

  it("is killed when it does not", async () => {
    const { channel, closed } = await open("deaf", { killAfterMs: 100 });
    channel.close();
    expect((await closed).message).toContain("was killed by SIGKILL");
  });

  it("tells that a program can't be started", async () => {
    const transport = new LocalTransport({ command: "/nowhere/agent", args: [], sessionArgs: [] });
    await expect(transport.session(new AbortController().signal)).rejects.toThrow(TransportError);
    await expect(transport.oneShot("{}", () => {}, new AbortController().signal)).rejects.toThrow(
      "/nowhere/agent can't be started",
    );
  });
});

describe("a local one-shot", () => {
  it("gives all of STDOUT, the exit code, and STDERR's lines as they come", async () => {
    const errors: string[] = [];
    const transport = new LocalTransport(agentProgram("good"));
    const { stdout, exitCode } = await transport.oneShot(
      request,
      (line) => void errors.push(line),
      new AbortController().signal,
    );
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")[0]).toBe("a banner");
    expect(JSON.parse(errors[0]!)).toMatchObject({ text: "at work" });
  });

  it("is killed when nobody waits any more", async () => {
    const transport = new LocalTransport({
      command: node,
      args: ["-e", "setInterval(() => {}, 1000)"],
      sessionArgs: [],
    });
    const gone = new AbortController();
    setTimeout(() => gone.abort(), 100);
    expect((await transport.oneShot("{}", () => {}, gone.signal)).exitCode).not.toBe(0);
  });
});

describe("lines", () => {
  it.each([
    { why: "several in one chunk", chunks: ["a\nb\n"], lines: ["a", "b"] },
    { why: "one over several chunks", chunks: ["a", "b", "c\n"], lines: ["abc"] },
    { why: "CR LF and a byte order mark", chunks: ["\ufeffa\r\n", "b\r", "\n"], lines: ["a", "b"] },
    { why: "no end", chunks: ["a\nb"], lines: ["a", "b"] },
    { why: "empty ones", chunks: ["\n\na\n"], lines: ["", "", "a"] },
    { why: "a too long one, then a good one", chunks: ["123456789", "0123\nab\n"], lines: ["12345678", "ab"] },
  ])("are cut: $why", ({ chunks, lines }) => {
    const found: string[] = [];
    const splitter = new LineSplitter(8, (line) => void found.push(line));
    for (const chunk of chunks) splitter.write(Buffer.from(chunk));
    splitter.end();
    expect(found).toEqual(lines);
  });
});
