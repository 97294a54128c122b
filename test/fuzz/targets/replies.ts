import { isDeepStrictEqual } from "node:util";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { AgentChannel } from "../../../src/engine/ports.ts";
import { AgentSession, type Reply } from "../../../src/hosts/session.ts";
import { MAX_RESULT_BYTES, ProtocolCheck } from "../../../src/protocol/check.ts";
import { fault } from "../../../src/protocol/errors.ts";
import { envelopeSchema, operationsSchema, stateSchema } from "../../../src/protocol/generated/schemas.ts";
import type { JobRequest, Operation } from "../../../src/protocol/generated/types.ts";
import { envelope } from "../../../src/hosts/envelope.ts";
import { Inbox } from "../../../src/transports/inbox.ts";
import { LineSplitter } from "../../../src/transports/local/lines.ts";
import type { Target } from "../fuzzer.ts";

const check = new ProtocolCheck();
const ids = ["01HZZZZZZZZZZZZZZZZZZZZZZ1", "01HZZZZZZZZZZZZZZZZZZZZZZ2", "01HZZZZZZZZZZZZZZZZZZZZZZ3"] as const;
const operations: readonly Operation[] = ["vm.create", "agent.hello", "host.inventory"];

const sender = { host: "h", controlPlaneId: "cp", epoch: 1 };
const requests = operations.map((operation, index) => {
  const enquiry = { id: ids[index] ?? "", operation, spec: {} as never, deadlineSeconds: 9 };
  return envelope(sender, enquiry, new Date(0)) as JobRequest;
});

/** The three validators, compiled apart from those of the product. */
const second = (): ((operation: Operation, result: unknown) => boolean) => {
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  for (const schema of [stateSchema, envelopeSchema, operationsSchema]) ajv.addSchema(schema);
  const find = (file: string, name: string): ValidateFunction =>
    ajv.getSchema(`https://aetherv.io/protocol/${file}#/$defs/${name}`) as ValidateFunction;
  const names = operationsSchema["x-operations"] as unknown as Record<Operation, readonly [string, string]>;
  return (operation, result) =>
    find("envelope", "JobResult")(result) === true &&
    find("operations", names[operation][1])((result as { data: unknown }).data) === true;
};

const isResult = second();
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const clock = { now: () => new Date(0), sleep: () => new Promise<void>(() => undefined) };

/** A session with three questions under way. */
const open = () => {
  const inbox = new Inbox();
  const channel: AgentChannel = {
    send: () => undefined,
    onLine: (hear) => inbox.onLine(hear),
    onErrorLine: () => undefined,
    onClose: (hear) => inbox.onClose(hear),
    close: () => undefined,
    leave: () => undefined,
  };
  const session = new AgentSession(channel, { clock, log: silent, check, heartbeatMs: 5000 });
  const calls = requests.map((request) => session.call(request, { waitMs: 1e9 }));
  return { inbox, calls };
};

/** Lines of the bytes, which come in pieces of this size. */
const linesOf = (bytes: Buffer, size: number, limit: number): readonly string[] => {
  const lines: string[] = [];
  const splitter = new LineSplitter(limit, (line) => lines.push(line));
  for (let at = 0; at < bytes.length; at += size) splitter.write(bytes.subarray(at, at + size));
  splitter.end();
  return lines;
};

const LIMIT = 200;

const checkOne = async (bytes: Buffer): Promise<void> => {
  const lines = linesOf(bytes, bytes.length + 1, MAX_RESULT_BYTES);
  for (const size of [1, 7])
    if (!isDeepStrictEqual(linesOf(bytes, size, MAX_RESULT_BYTES), lines))
      throw new Error(`in pieces of ${size} bytes other lines come`);
  for (const line of linesOf(bytes, 64, LIMIT)) if (line.length > LIMIT) throw new Error("a line beyond the limit");
  const { inbox, calls } = open();
  for (const line of lines) inbox.line(line);
  inbox.close(fault("HostUnreachable", "the end"));
  const replies = await Promise.all(calls);
  for (const [index, reply] of replies.entries()) expectSound(reply, index, lines);
};

const expectSound = (reply: Reply, index: number, lines: readonly string[]): void => {
  if (reply.at === "lost") return;
  if (reply.at !== "answered") throw new Error(`a reply is ${reply.at}`);
  if (!reply.checked.ok) return;
  const { result } = reply.checked;
  if (result.correlation_id !== ids[index]) throw new Error("the answer to another question was taken");
  const operation = operations[index] ?? "agent.hello";
  if (result.status !== "success" || !isResult(operation, result)) throw new Error("no result was taken for one");
  const told = lines.some((line) => isSame(line, result));
  if (!told) throw new Error("a result was taken that no line holds");
};

const isSame = (line: string, result: unknown): boolean => {
  try {
    return isDeepStrictEqual((JSON.parse(line) as { result?: unknown }).result, result);
  } catch {
    return false;
  }
};

const result = (index: number, data: object, more: object = {}): object => ({
  type: "result",
  result: { status: "success", message: "done", data, logs: [], correlation_id: ids[index], ...more },
});

const hello = {
  agent: "hyperv",
  version: "1",
  sha256: "0".repeat(64),
  pid: 1,
  platform: { os: "Windows" },
  sessionConcurrency: 1,
  epochs: {},
  running: [],
  results: [],
};

const line = (...values: readonly object[]): Buffer => Buffer.from(values.map((one) => JSON.stringify(one)).join("\n"));

export const replies: Target = {
  name: "replies",
  shape: "json",
  coverage: "guides",
  seeds: [
    line(result(1, hello)),
    line(result(0, { vmId: "00000000-0000-4000-8000-000000000001", observed: {} })),
    line(result(2, { digest: "x", full: true, complete: true, observed: {} })),
    line(result(0, {}, { status: "error", code: "Busy", message: "x" })),
    line({ type: "heartbeat", time: "2026-01-01T00:00:00Z" }, result(1, hello), result(1, hello)),
    line({ type: "log", correlation_id: ids[0], log: { time: "2026-01-01T00:00:00Z", level: "info", text: "x" } }),
    line({ type: "progress", correlation_id: ids[0], percent: 3, text: "copying" }),
    Buffer.from(`\ufeff${JSON.stringify(result(1, hello))}\r\nnoise\n{"type":"result","result":{"correl`),
  ],
  check: async (inputs) => {
    for (const input of inputs) await checkOne(input);
  },
};
