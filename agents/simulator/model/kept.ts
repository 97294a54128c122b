import type { HelloData, JobResult, Operation } from "../../../src/protocol/generated/types.ts";
import type { Transaction } from "./state.ts";

const LIMIT = 200;

/** A finished job as the host keeps it, so that a repeated request gets the same answer. */
export interface KeptResult {
  readonly operation: Operation;
  readonly finishedAt: string;
  readonly result: JobResult;
}

const all = (tx: Transaction): KeptResult[] =>
  ([...tx.of("result")] as KeptResult[]).toSorted((a, b) => (a.finishedAt < b.finishedAt ? -1 : 1));

export const keptResult = (tx: Transaction, id: string): KeptResult | undefined =>
  tx.get(`result:${id}`) as KeptResult | undefined;

/** Keeps the result, without its log, among the last 200. */
export const keep = (tx: Transaction, kept: KeptResult): void => {
  const old = all(tx);
  for (const { result } of old.slice(0, Math.max(0, old.length + 1 - LIMIT)))
    tx.delete(`result:${result.correlation_id}`);
  tx.put(`result:${kept.result.correlation_id}`, { ...kept, result: { ...kept.result, logs: [] } });
};

export const keptList = (tx: Transaction): HelloData["results"] =>
  all(tx).map(({ operation, finishedAt, result }) => ({
    correlation_id: result.correlation_id,
    operation,
    status: result.status,
    ...(result.code === undefined ? {} : { code: result.code }),
    finishedAt,
  }));
