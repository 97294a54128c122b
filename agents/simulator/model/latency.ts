import type { Operation } from "../../../src/protocol/generated/types.ts";

/** How long things take, in milliseconds and bytes a second; all times are multiplied by `factor` (0 = no waiting at all). */
export interface Latency {
  readonly factor: number;
  /** A short operation takes a time between these, by chance. */
  readonly shortMs: readonly [number, number];
  /** Of single operations, in place of shortMs. */
  readonly operations: Readonly<Partial<Record<Operation, readonly [number, number]>>>;
  readonly startMs: number;
  readonly stopMs: number;
  readonly saveMs: number;
  /** From Running to the first answer of the guest. */
  readonly bootMs: number;
  readonly copyBytesPerSecond: number;
  readonly mergeBytesPerSecond: number;
}

export const DEFAULT_LATENCY: Latency = {
  factor: 1,
  shortMs: [20, 80],
  operations: {},
  startMs: 1000,
  stopMs: 2000,
  saveMs: 1000,
  bootMs: 4000,
  copyBytesPerSecond: 2 ** 30,
  mergeBytesPerSecond: 2 ** 30,
};

export const NO_LATENCY: Latency = { ...DEFAULT_LATENCY, factor: 0 };

const INSTANT: readonly string[] = ["agent.hello", "job.get", "job.cancel"];

/** Nominal duration of an operation's overhead, before `factor`. */
export const shortMs = (latency: Latency, operation: Operation, chance: number): number => {
  const range = latency.operations[operation] ?? (INSTANT.includes(operation) ? [0, 0] : latency.shortMs);
  return range[0] + (range[1] - range[0]) * chance;
};
