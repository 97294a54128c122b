import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import type { JobResult, SessionLine } from "../../../src/protocol/generated/types.ts";
import { runAdmin } from "./admin.ts";
import { newHostFolder } from "./inProcess.ts";
import type { AgentUnderTest } from "./run.ts";

const PROGRAM = fileURLToPath(new URL("../../../agents/simulator/main.ts", import.meta.url));
const check = new ProtocolCheck();

export const spawnAgent = (folder: string, ...options: readonly string[]): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, [PROGRAM, "--state", folder, "--host", "host-1", ...options]);

/** Each complete line of a stream. */
const onLines = (stream: NodeJS.ReadableStream, take: (line: string) => void): void => {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) take(part);
  });
};

/** One document in, the last line of STDOUT out; undefined when there is none. Everything on STDERR must be a log line. */
export const oneShot = (folder: string, request: object): Promise<JobResult | undefined> =>
  new Promise((resolve, reject) => {
    const child = spawnAgent(folder);
    let last: string | undefined;
    onLines(child.stdout, (line) => (last = line));
    onLines(child.stderr, (line) => {
      const { level } = JSON.parse(line) as { level?: unknown };
      if (typeof level !== "string") reject(new Error(`no log line: ${line}`));
    });
    child.on("close", () => resolve(last === undefined ? undefined : (JSON.parse(last) as JobResult)));
    child.stdin.end(JSON.stringify(request));
  });

export const startOneShot = async (): Promise<AgentUnderTest> => {
  const folder = newHostFolder();
  return {
    send: (request) => oneShot(folder, request),
    admin: (words) => runAdmin(folder, words),
    close: async () => rmSync(folder, { recursive: true }),
  };
};

/** A session, opened anew after the agent ended. */
export class Session {
  readonly #folder: string;
  #child: ChildProcessWithoutNullStreams | undefined;
  readonly #waiting = new Map<string, (result: JobResult | undefined) => void>();
  readonly lines: SessionLine[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  #open(): ChildProcessWithoutNullStreams {
    const child = spawnAgent(this.#folder, "--session");
    onLines(child.stdout, (line) => this.#take(JSON.parse(line)));
    child.on("close", () => {
      this.#child = undefined;
      for (const answer of this.#waiting.values()) answer(undefined);
      this.#waiting.clear();
    });
    this.#child = child;
    return child;
  }

  #take(line: unknown): void {
    if (!check.sessionLine(line)) throw new Error(`no line of a session: ${JSON.stringify(line)}`);
    this.lines.push(line);
    if (line.type !== "result") return;
    this.#waiting.get(line.result.correlation_id)?.(line.result);
    this.#waiting.delete(line.result.correlation_id);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  send(request: object): Promise<JobResult | undefined> {
    const child = this.#child ?? this.#open();
    return new Promise((resolve) => {
      this.#waiting.set((request as { correlation_id: string }).correlation_id, resolve);
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Ends STDIN and waits for the process; its exit code. */
  close(): Promise<number | null> {
    const child = this.#child;
    if (!child) return Promise.resolve(0);
    return new Promise((resolve) => {
      child.on("close", resolve);
      child.stdin.end();
    });
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }
}

export const startSession = async (): Promise<AgentUnderTest> => {
  const folder = newHostFolder();
  const session = new Session(folder);
  return {
    send: (request) => session.send(request),
    admin: (words) => runAdmin(folder, words),
    close: async () => {
      await session.close();
      rmSync(folder, { recursive: true });
    },
  };
};
