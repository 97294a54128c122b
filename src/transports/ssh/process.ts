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
  #exitCode: number | undefined;
  #refusal: Fault | undefined;

  constructor(channel: ClientChannel) {
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
    channel.stderr.on("data", (chunk: Buffer) => errors.write(chunk));
    // A write to a process that has just ended fails here; its end is told by "close".
    channel.on("error", () => undefined);
    channel.on("exit", (code: number | null) => (this.#exitCode = code ?? -1));
    this.ended = new Promise((done) => {
      channel.once("close", () => {
        errors.end();
        reject(new TransportError(noGreeting(this.#exitCode, this.#said)));
        done({
          ...(this.#exitCode === undefined ? {} : { exitCode: this.#exitCode }),
          ...(this.#refusal ? { refusal: this.#refusal } : {}),
          said: this.#said,
        });
      });
    });
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
