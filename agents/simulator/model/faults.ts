import type { ErrorCode } from "../../../src/protocol/errors.ts";
import type { Operation } from "../../../src/protocol/generated/types.ts";
import type { Latency } from "./latency.ts";

/**
 * What goes wrong with a job.
 * slow: `ms` more. hang: never answers. cut: half of the answer, then the process ends. garbage: the answer is no JSON.
 * duplicate: the answer comes twice. lost: done, but no answer. partial: ends after its first effect. crash: the process
 * ends at a named effect (`point`, `before:point`, or `#n`: after the n-th effect). error: answers `code` and does nothing. incomplete: an inventory can't read `part`.
 */
export type Fault =
  | { readonly type: "slow"; readonly ms: number }
  | { readonly type: "hang" | "cut" | "garbage" | "duplicate" | "lost" | "partial" }
  | { readonly type: "crash"; readonly point: string }
  | { readonly type: "error"; readonly code: ErrorCode; readonly message?: string }
  | {
      readonly type: "incomplete";
      readonly part: "vms" | "disks" | "trash" | "host" | "images" | "switches" | "guest";
    };

export interface FaultRule {
  readonly id: string;
  /** Every operation when absent. */
  readonly operation?: Operation;
  /** Text that the job's spec (uid, name, path, id) must hold; any when absent. */
  readonly target?: string;
  /** From 0 to 1; always when absent. */
  readonly probability?: number;
  /** How many times at most; without end when absent. */
  readonly count?: number;
  readonly fault: Fault;
}

/** What behaviour.json in the host's state folder holds; all parts are optional there. */
export interface Behaviour {
  readonly offline: boolean;
  readonly latency: Latency;
  readonly faults: readonly FaultRule[];
}

/** The rule that strikes this job, if any. `used` tells how often a rule struck before. */
export const striking = (
  rules: readonly FaultRule[],
  job: { readonly operation: Operation; readonly spec: string },
  used: (id: string) => number,
  chance: () => number,
): FaultRule | undefined =>
  rules.find(
    (rule) =>
      (rule.operation === undefined || rule.operation === job.operation) &&
      (rule.target === undefined || job.spec.includes(rule.target)) &&
      (rule.count === undefined || used(rule.id) < rule.count) &&
      (rule.probability === undefined || chance() < rule.probability),
  );
