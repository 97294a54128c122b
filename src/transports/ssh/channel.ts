import { LineSplitter } from "../local/lines.ts";
import type { AgentChannel } from "../../engine/ports.ts";
import { MAX_RESULT_BYTES } from "../../protocol/check.ts";
import { fault, type Fault } from "../../protocol/errors.ts";
import { Inbox } from "../inbox.ts";
import { lastWords } from "../lastWords.ts";
import type { Ended, RemoteProcess } from "./process.ts";

/** An agent's session on one SSH channel. */
export class SshChannel implements AgentChannel {
  readonly #process: RemoteProcess;
  /** Ends the remote process; never rejects. */
  readonly #kill: () => Promise<void>;
  readonly #killAfterMs: number;
  readonly #inbox = new Inbox();
  #closing = false;

  constructor(process: RemoteProcess, kill: () => Promise<void>, killAfterMs: number) {
    this.#process = process;
    this.#kill = kill;
    this.#killAfterMs = killAfterMs;
    const lines = new LineSplitter(MAX_RESULT_BYTES, (line) => this.#inbox.line(line));
    process.onData((chunk) => lines.write(chunk));
    void process.ended.then((how) => {
      lines.end();
      this.#ended(how);
    });
  }

  send(line: string): void {
    if (!this.#inbox.closed && this.#process.channel.writable) this.#process.channel.write(`${line}\n`);
  }

  onLine(callback: (line: string) => void): void {
    this.#inbox.onLine(callback);
  }

  onErrorLine(callback: (line: string) => void): void {
    this.#process.onErrorLine(callback);
  }

  onClose(callback: (fault: Fault) => void): void {
    this.#inbox.onClose(callback);
  }

  /** Closes STDIN, on which an agent ends by itself; sshd leaves one running that does not, so it is ended by its PID. */
  close(): void {
    if (this.#inbox.closed || this.#closing) return;
    this.#closing = true;
    this.#process.channel.end();
    const timer = setTimeout(() => void this.#kill().then(() => this.#process.abandon()), this.#killAfterMs);
    void this.#process.ended.then(() => clearTimeout(timer));
  }

  leave(): void {
    if (!this.#inbox.closed && !this.#closing) this.#process.channel.end();
  }

  #ended({ exitCode, said }: Ended): void {
    const how = exitCode === undefined ? "connection to the agent broke" : `agent ended with exit code ${exitCode}`;
    this.#inbox.close(fault("HostUnreachable", `the ${how}${lastWords(said)}`));
  }
}
