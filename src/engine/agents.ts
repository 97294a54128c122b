import type { Fault } from "../protocol/errors.ts";

/** A way to an agent on one host. Implementations: local (child process), ssh. */
export interface Transport {
  /** Starts the agent in session mode. Rejects with a TransportError. */
  session(signal: AbortSignal): Promise<AgentChannel>;
  /** Runs the agent once: one document in, `onError` gets STDERR's lines, resolves with all of STDOUT. */
  oneShot(
    input: string,
    onError: (line: string) => void,
    signal: AbortSignal,
  ): Promise<{ readonly stdout: string; readonly exitCode: number }>;
}

export interface AgentChannel {
  send(line: string): void;
  /** Calls back for each complete line of STDOUT. */
  onLine(callback: (line: string) => void): void;
  /** Lines of STDERR. */
  onErrorLine(callback: (line: string) => void): void;
  /** Called once when the channel is gone, for whatever reason. */
  onClose(callback: (fault: Fault) => void): void;
  /** Ends STDIN, and the agent by force when it does not end within moments. */
  close(): void;
  /** Ends STDIN only: an agent finishes the job that it is at, then ends. */
  leave(): void;
}

export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}
