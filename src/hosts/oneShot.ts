import { TransportError, type Clock, type Logger, type Transport } from "../engine/ports.ts";
import { withSharedTexts } from "../api/sharedText.ts";
import { MAX_RESULT_BYTES, type ProtocolCheck } from "../protocol/check.ts";
import { fault } from "../protocol/errors.ts";
import type { JobRequest, LogLine, Operation } from "../protocol/generated/types.ts";
import type { CallOptions, Reply } from "./session.ts";

interface OneShotPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly check: ProtocolCheck;
  readonly log: Logger;
  readonly onTraffic: (characters: number) => void;
  /** Ends the agent; its job is then lost. */
  readonly stop: AbortSignal;
}

/** Runs one job by starting the agent for it alone. Never rejects. */
export const runOnce = async <O extends Operation>(
  ports: OneShotPorts,
  request: JobRequest & { operation: O },
  { listener, waitMs, signal }: CallOptions,
): Promise<Reply<O>> => {
  const patience = new AbortController();
  const giveUp = () => patience.abort();
  signal?.addEventListener("abort", giveUp, { once: true });
  ports.stop.addEventListener("abort", giveUp, { once: true });
  const done = new AbortController();
  void ports.clock.sleep(waitMs, done.signal).then(() => done.signal.aborted || giveUp());
  const input = JSON.stringify(request);
  ports.onTraffic(input.length);
  try {
    const log = (line: string) => logLine(line, (told) => listener?.log?.(told), ports.log);
    const { stdout, exitCode } = await ports.transport.oneShot(input, log, patience.signal);
    ports.onTraffic(stdout.length);
    if (ports.stop.aborted) return { at: "lost", fault: fault("HostUnreachable", "the connection was closed") };
    if (patience.signal.aborted)
      return { at: "silent", fault: fault("Timeout", `no answer to ${request.operation} within ${waitMs} ms`) };
    return { at: "answered", checked: answer(ports.check, request, stdout, exitCode) };
  } catch (error) {
    if (error instanceof TransportError) return { at: "unsent", fault: error.fault };
    return { at: "lost", fault: fault("HostUnreachable", error instanceof Error ? error.message : String(error)) };
  } finally {
    done.abort();
    signal?.removeEventListener("abort", giveUp);
    ports.stop.removeEventListener("abort", giveUp);
  }
};

const answer = <O extends Operation>(
  check: ProtocolCheck,
  request: JobRequest & { operation: O },
  stdout: string,
  exitCode: number,
) => {
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (stdout.length >= MAX_RESULT_BYTES)
    return { ok: false as const, fault: fault("ProtocolError", "the result is longer than 8 MiB") };
  try {
    return check.result(request.operation, request.correlation_id, withSharedTexts(JSON.parse(last) as unknown));
  } catch {
    const message = `the agent ended with exit code ${exitCode} and its last line is no JSON: ${last.slice(0, 200) || "(empty)"}`;
    return { ok: false as const, fault: fault("ProtocolError", message) };
  }
};

/** A line of STDERR is a log line as JSON; anything else is kept as a log line of ours. */
const logLine = (line: string, tell: (line: LogLine) => void, log: Logger): void => {
  try {
    const parsed = JSON.parse(line) as Partial<LogLine>;
    if (typeof parsed.text === "string" && typeof parsed.time === "string" && typeof parsed.level === "string")
      return tell({ time: parsed.time, level: parsed.level, text: parsed.text });
  } catch {
    // Not JSON: told below.
  }
  if (line.trim() !== "") log.debug({ line: line.slice(0, 200) }, "the agent wrote on STDERR");
};
