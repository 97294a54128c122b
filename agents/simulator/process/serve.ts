import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { SessionLine } from "../../../src/protocol/generated/types.ts";
import type { Delivery, SimulatedAgent } from "../model/agent.ts";
import { CrashError } from "../model/job.ts";

export interface Streams {
  readonly input: Readable;
  readonly output: Writable;
  readonly errors: Writable;
  /** Ends the process at once. */
  readonly exit: (code: number) => never;
}

const MAX_REQUEST_BYTES = 16 * 1024 * 1024;
const HEARTBEAT_MS = 5000;
const CRASH_EXIT = 137;
const CUT_EXIT = 1;

const write = (stream: Writable, text: string): Promise<void> =>
  new Promise((resolve) => {
    stream.write(text, () => resolve());
  });

/** Writes the text of a delivery the way its fault wants it. */
const deliver = async (streams: Streams, delivery: Delivery, text: string): Promise<void> => {
  switch (delivery.how) {
    case "whole":
      return write(streams.output, `${text}\n`);
    case "duplicate":
      return write(streams.output, `${text}\n${text}\n`);
    case "garbage":
      return write(streams.output, `?? ${text.slice(0, 20)} \u0000 not JSON\n`);
    case "cut":
      await write(streams.output, text.slice(0, Math.floor(text.length / 2)));
      return streams.exit(CUT_EXIT);
    case "lost":
      return;
    default:
      return delivery.how satisfies never;
  }
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const orCrash = async (streams: Streams, work: Promise<void>): Promise<void> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof CrashError) streams.exit(CRASH_EXIT);
    throw error;
  }
};

/** One request on STDIN, logs as JSON lines on STDERR, the result as the last line of STDOUT. */
export const serveOnce = async (agent: SimulatedAgent, streams: Streams): Promise<void> => {
  const chunks: Buffer[] = [];
  for await (const chunk of streams.input) chunks.push(chunk as Buffer);
  const request = parse(
    Buffer.concat(chunks)
      .toString("utf8")
      .replace(/^\uFEFF/, ""),
  );
  const emit = (line: SessionLine): void => {
    if (line.type === "log") streams.errors.write(`${JSON.stringify(line.log)}\n`);
  };
  await orCrash(
    streams,
    agent.run(request, emit).then((delivery) => deliver(streams, delivery, JSON.stringify(delivery.result))),
  );
};

async function* lines(input: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of input) {
    rest += decoder.write(chunk as Buffer);
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
    if (rest.length > MAX_REQUEST_BYTES) throw new Error(`a request is longer than ${MAX_REQUEST_BYTES} bytes`);
  }
}

/** One request a line, many at a time; ends when STDIN does. */
export const serveSession = async (agent: SimulatedAgent, streams: Streams): Promise<void> => {
  const emit = (line: SessionLine): void => void streams.output.write(`${JSON.stringify(line)}\n`);
  const beat = setInterval(() => emit({ type: "heartbeat", time: new Date().toISOString() }), HEARTBEAT_MS);
  const answer = async (text: string): Promise<void> => {
    const delivery = await agent.run(parse(text), emit);
    await deliver(streams, delivery, JSON.stringify({ type: "result", result: delivery.result }));
  };
  const jobs = new Set<Promise<void>>();
  for await (const line of lines(streams.input)) {
    if (line.trim() === "") continue;
    const job = orCrash(streams, answer(line)).finally(() => jobs.delete(job));
    jobs.add(job);
  }
  agent.close();
  clearInterval(beat);
  await Promise.allSettled(jobs);
};
