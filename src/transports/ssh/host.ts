import { setTimeout as sleep } from "node:timers/promises";
import { TransportError, type AgentChannel } from "../../engine/ports.ts";
import { MAX_RESULT_BYTES } from "../../protocol/check.ts";
import { SshChannel } from "./channel.ts";
import { HOST_ROOT, scriptCommand, stubCommand, type StubWords } from "./command.ts";
import { Lines, type Use } from "./lines.ts";
import { RemoteProcess } from "./process.ts";
import type { Login, SshTarget } from "./target.ts";

export interface SshHostOptions {
  readonly target: SshTarget;
  /** Read at each login, after the host's key was found good. */
  readonly login: () => Promise<Login>;
  /** Folder of AetherV on the host. Default C:\ProgramData\AetherV. */
  readonly root?: string;
  /** Milliseconds for TCP, and again for handshake and login. Default 20000. */
  readonly timeoutMs?: number;
  readonly keepaliveMs?: number;
  /** After STDIN was closed, milliseconds until a session's process is ended. Default 5000. */
  readonly killAfterMs?: number;
  /** Milliseconds that a connection without a channel is kept. Default 3000. */
  readonly idleMs?: number;
}

export interface RunOptions {
  /** All of STDIN; sent once the stub has greeted. */
  readonly input?: string;
  readonly onError?: (line: string) => void;
  readonly signal: AbortSignal;
  readonly use?: Use;
}

export interface Ran {
  readonly stdout: string;
  readonly exitCode: number;
}

const KILL_WAIT_MS = 15_000;
const END_GRACE_MS = 500;

/** The stub of one host, over SSH. */
export class SshHost {
  readonly #options: SshHostOptions;
  readonly #lines: Lines;

  constructor(options: SshHostOptions) {
    this.#options = options;
    const { target, login, timeoutMs = 20_000, keepaliveMs = 10_000, idleMs = 3_000 } = options;
    this.#lines = new Lines({ target, login, timeoutMs, keepaliveMs, idleMs });
  }

  /** SSH connections open now. */
  get connections(): number {
    return this.#lines.size;
  }

  /** Starts the stub and stays in touch. Rejects with a TransportError, VersionMismatch when the agent is not there. */
  async open(words: StubWords, signal: AbortSignal): Promise<AgentChannel> {
    const process = await this.#start(words, "agent", signal);
    const abandon = () => process.abandon();
    signal.addEventListener("abort", abandon, { once: true });
    const pid = await process.greeted.finally(() => signal.removeEventListener("abort", abandon));
    const channel = new SshChannel(process, () => this.#kill(pid), this.#options.killAfterMs ?? 5_000);
    const close = () => channel.close();
    signal.addEventListener("abort", close, { once: true });
    channel.onClose(() => signal.removeEventListener("abort", close));
    if (signal.aborted) channel.close();
    return channel;
  }

  /**
   * Runs the stub to its end. Rejects with a TransportError when it refused or did not start, and with another error
   * when the connection broke later: it may have done its work, or do it still. The signal ends the remote process.
   */
  async run(words: StubWords, { input = "", onError, signal, use = "agent" }: RunOptions): Promise<Ran> {
    const process = await this.#start(words, use, signal);
    const { channel } = process;
    if (onError) process.onErrorLine(onError);
    const output = collect(process);
    let pid: number | undefined;
    const end = () => void (pid === undefined ? Promise.resolve() : this.#kill(pid)).then(() => process.abandon());
    signal.addEventListener("abort", end, { once: true });
    try {
      pid = await process.greeted;
      channel.end(input);
      if (signal.aborted) end();
      const { exitCode, refusal } = await process.ended;
      if (refusal) throw new TransportError(refusal);
      if (exitCode === undefined && !signal.aborted)
        throw new Error("the connection broke before the agent had answered");
      return { stdout: output(), exitCode: exitCode ?? -1 };
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  /** Runs a PowerShell script that needs no stub; the login must not be bound to a forced command. Gives the exit code. */
  async runScript(script: string, onText: (text: string) => void, signal: AbortSignal): Promise<number> {
    const channel = await this.#lines.exec(scriptCommand(), "agent", signal);
    const close = () => this.#lines.leave(channel);
    signal.addEventListener("abort", close, { once: true });
    channel.on("data", (chunk: Buffer) => onText(chunk.toString("utf8")));
    channel.stderr.on("data", (chunk: Buffer) => onText(chunk.toString("utf8")));
    channel.on("error", () => undefined);
    const ended = new Promise<number>((resolve) => {
      channel.on("exit", (code: number | null) => resolve(code ?? -1));
      channel.once("close", () => resolve(-1));
    });
    channel.end(script);
    return await ended.finally(() => signal.removeEventListener("abort", close));
  }

  close(): void {
    this.#lines.close();
  }

  async #start(words: StubWords, use: Use, signal: AbortSignal): Promise<RemoteProcess> {
    const command = stubCommand(words, this.#options.root ?? HOST_ROOT);
    const channel = await this.#lines.exec(command, use, signal);
    return new RemoteProcess(channel, () => this.#lines.leave(channel));
  }

  /** A connection that is gone has closed the agent's STDIN with it; nothing else is to be done then. */
  async #kill(pid: number): Promise<void> {
    const signal = AbortSignal.timeout(KILL_WAIT_MS);
    await this.run(["kill", String(pid)], { signal, use: "control" }).catch(() => undefined);
    // Its end comes over the channel a moment later.
    await sleep(END_GRACE_MS, undefined, { ref: false });
  }
}

/** What a channel's STDOUT gives, up to a little over the longest result. */
const collect = (process: RemoteProcess): (() => string) => {
  const chunks: Buffer[] = [];
  let size = 0;
  process.onData((chunk) => {
    size += chunk.length;
    if (size <= 2 * MAX_RESULT_BYTES) chunks.push(chunk);
    else process.channel.close();
  });
  return () => Buffer.concat(chunks).toString("utf8");
};
