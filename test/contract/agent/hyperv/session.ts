import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PowerShellRig } from "../../../../scripts/rigs/powershell.mjs";
import { ProtocolCheck } from "../../../../src/protocol/check.ts";
import type { JobResult, SessionLine } from "../../../../src/protocol/generated/types.ts";

export const AGENT_FOLDER = fileURLToPath(new URL("../../../../agents/hyperv", import.meta.url));
export type Edition = "5.1" | "7";
export type ReadyRig = Extract<PowerShellRig, { kind: "ready" }>;

const check = new ProtocolCheck();

export interface SessionPlace {
  readonly rig: ReadyRig;
  readonly edition: Edition;
  /** Folder of the emulated host. */
  readonly root: string;
  /** Folder of the agent's bundle. */
  readonly bundle: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a Windows host gives to a program that sshd starts. */
export const hostEnvironment = ({ rig, root, env }: SessionPlace): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"],
  HOME: process.env["HOME"],
  AETHERV_RIG_ROOT: root,
  PSModulePath: rig.modules,
  ...env,
});

export const powershell = ({ rig, edition }: SessionPlace): string =>
  join(rig.bin, edition === "5.1" ? "powershell.exe" : "pwsh");

export const agentArguments = (place: SessionPlace): string[] => [
  "-NoProfile",
  "-NonInteractive",
  "-OutputFormat",
  "Text",
  "-File",
  join(place.bundle, "agent.ps1"),
  "-State",
  "C:\\AetherV\\state",
];

/** A session of the PowerShell agent, opened anew after it ended. */
export class AgentSession {
  readonly #place: SessionPlace;
  #child: ChildProcessWithoutNullStreams | undefined;
  readonly #waiting = new Map<string, (result: JobResult | undefined) => void>();
  errors = "";
  /** Log and progress lines, oldest first. */
  readonly lines: SessionLine[] = [];

  constructor(place: SessionPlace) {
    this.#place = place;
  }

  #open(): ChildProcessWithoutNullStreams {
    const child = spawn(powershell(this.#place), [...agentArguments(this.#place), "-Session"], {
      env: hostEnvironment(this.#place),
    });
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) this.#take(part);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.errors += text));
    child.stdin.on("error", () => undefined);
    child.on("close", () => {
      if (this.#child === child) this.#child = undefined;
      for (const answer of this.#waiting.values()) answer(undefined);
      this.#waiting.clear();
    });
    this.#child = child;
    return child;
  }

  #take(text: string): void {
    const line: unknown = JSON.parse(text);
    if (!check.sessionLine(line)) throw new Error(`no line of a session: ${text.slice(0, 2000)}`);
    if (line.type !== "result") {
      if (line.type !== "heartbeat") this.lines.push(line);
      return;
    }
    this.#waiting.get(line.result.correlation_id)?.(line.result);
    this.#waiting.delete(line.result.correlation_id);
  }

  /** Undefined when the agent ended without an answer. */
  send(request: object): Promise<JobResult | undefined> {
    return this.sendText(JSON.stringify(request), (request as { correlation_id: string }).correlation_id);
  }

  /** One line as it is; what can't be read is answered with the id of zeros. */
  sendText(line: string, id = "0".repeat(26)): Promise<JobResult | undefined> {
    const child = this.#child ?? this.#open();
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      child.stdin.write(`${line}\n`);
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  /** Ends STDIN and waits for the process. */
  close(): Promise<void> {
    const child = this.#child;
    if (!child) return Promise.resolve();
    return new Promise((resolve) => {
      child.on("close", () => resolve());
      child.stdin.end();
    });
  }
}
