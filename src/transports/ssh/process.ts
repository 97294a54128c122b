import type { ClientChannel } from "ssh2";
import { LineSplitter } from "../local/lines.ts";
import { TransportError } from "../../engine/ports.ts";
import { MAX_RESULT_BYTES } from "../../protocol/check.ts";
import type { Fault } from "../../protocol/errors.ts";
import { greeting, noGreeting } from "./greeting.ts";

const ERROR_LINES_KEPT = 5;

/** How a remote process ended; no exit code: the connection broke, it may still run. */
export interface Ended {
  readonly exitCode?: number;
  /** The last lines of STDERR. */
  readonly said: readonly string[];
  /** What the stub said it could not do, though it had greeted. */
  readonly refusal?: Fault;
}

/** One process on the host, started through the stub: tells its PID, its STDERR's lines and its end. */
export class RemoteProcess {
  readonly channel: ClientChannel;
  /** The PID, once the stub has greeted. Rejects with a TransportError when it refuses or never comes. */
  readonly greeted: Promise<number>;
  readonly ended: Promise<Ended>;
  readonly #errorLines: ((line: string) => void)[] = [];
  readonly #said: string[] = [];
  #data: ((chunk: Buffer) => void) | undefined;
  #early: Buffer[] = [];
  #exitCode: number | undefined;
  #refusal: Fault | undefined;

  /** Leaves the channel without waiting for its end: sshd does not close one whose process runs on. */
  readonly abandon: () => void;

  constructor(channel: ClientChannel, leave: () => void) {
    this.channel = channel;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.greeted = promise;
    // Who does not wait for it must not be told of it as an unhandled rejection.
    promise.catch(() => undefined);
    const errors = new LineSplitter(MAX_RESULT_BYTES, (line) => {
      const hello = greeting(line);
      if (!hello) return this.#errorLine(line);
      if (hello.at === "ready") resolve(hello.pid);
      else {
        this.#refusal = hello.fault;
        reject(new TransportError(hello.fault));
      }
    });
    // Read from the start: a channel whose STDOUT nobody reads never tells its end.
    channel.on("data", (chunk: Buffer) => (this.#data ? this.#data(chunk) : this.#early.push(chunk)));
    channel.stderr.on("data", (chunk: Buffer) => errors.write(chunk));
    // A write to a process that has just ended fails here; its end is told by "close".
    channel.on("error", () => undefined);
    channel.on("exit", (code: number | null) => (this.#exitCode = code ?? -1));
    const ended = Promise.withResolvers<Ended>();
    this.ended = ended.promise;
    const end = (): void => {
      errors.end();
      reject(new TransportError(this.#refusal ?? noGreeting(this.#exitCode, this.#said)));
      ended.resolve({
        ...(this.#exitCode === undefined ? {} : { exitCode: this.#exitCode }),
        ...(this.#refusal ? { refusal: this.#refusal } : {}),
        said: this.#said,
      });
    };
    channel.once("close", end);
    this.abandon = () => {
      channel.off("close", end);
      leave();
      end();
    };
  }

  /** Gives STDOUT, what came before included, to one taker. */
  onData(callback: (chunk: Buffer) => void): void {
    this.#data = callback;
    for (const chunk of this.#early.splice(0)) callback(chunk);
  }

  onErrorLine(callback: (line: string) => void): void {
    this.#errorLines.push(callback);
  }

  #errorLine(line: string): void {
    this.#said.push(line.slice(0, 500));
    if (this.#said.length > ERROR_LINES_KEPT) this.#said.shift();
    for (const callback of this.#errorLines) callback(line);
  }
}
