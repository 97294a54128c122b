import type { Attributes, Context, Span, SpanKind, Tracer } from "@opentelemetry/api";
import { keyText } from "../api/resource.ts";
import type { JobRecord, Key, ReconcileOutcome } from "../engine/ports.ts";
import { isEnded, success, type Watcher } from "./observer.ts";

/** What of OpenTelemetry is used, loaded only where traces are wanted. */
export interface Spans {
  readonly tracer: Tracer;
  /** The context of no span; of `parent` where one is given. */
  readonly context: (parent?: Span) => Context;
  readonly client: SpanKind;
  readonly error: number;
}

interface OpenReconcile {
  readonly startTime: number;
  span?: Span;
}

interface OpenJob {
  readonly span: Span;
  agent?: Span;
}

/**
 * One trace a look at an object that started a job or failed: reconcile -> job (from its queueing on) -> the agent's operation. All three
 * carry the job's correlation id; none carries a spec, a message or anything else that an object holds.
 */
export class Traces implements Watcher {
  readonly #spans: Spans;
  readonly #now: () => number;
  readonly #reconciles = new Map<string, OpenReconcile>();
  readonly #jobs = new Map<string, OpenJob>();

  /** `now`: milliseconds since 1970. */
  constructor(spans: Spans, now: () => number) {
    this.#spans = spans;
    this.#now = now;
  }

  reconcileBegan(key: Key): void {
    this.#reconciles.set(keyText(key), { startTime: this.#now() });
  }

  reconcileEnded(key: Key, outcome: ReconcileOutcome): void {
    const open = this.#reconciles.get(keyText(key));
    this.#reconciles.delete(keyText(key));
    const span = open?.span ?? (outcome === "error" && open ? this.#reconcileSpan(key, open) : undefined);
    if (outcome === "error") span?.setStatus({ code: this.#spans.error });
    span?.setAttribute("aetherv.outcome", outcome);
    span?.end(this.#now());
  }

  driftFound(): void {}

  driftRepaired(): void {}

  job(record: JobRecord): void {
    const open = this.#jobs.get(record.id) ?? this.#begin(record);
    if (record.startedAt !== undefined) open.agent ??= this.#agentSpan(record, open.span);
    if (!isEnded(record)) return;
    this.#jobs.delete(record.id);
    const end = Date.parse(record.finishedAt ?? record.queuedAt);
    for (const span of [open.agent, open.span]) this.#end(span, record.code, end);
  }

  /** Ends what is open: those jobs go on, and nobody here will hear of their end. */
  close(): void {
    for (const { agent, span } of this.#jobs.values())
      for (const one of [agent, span]) one?.setAttribute("aetherv.handed_over", true).end(this.#now());
    this.#jobs.clear();
  }

  #end(span: Span | undefined, code: string | undefined, at: number): void {
    span?.setAttribute("aetherv.code", code ?? success);
    if (code !== undefined) span?.setStatus({ code: this.#spans.error, message: code });
    span?.end(at);
  }

  /** The journal hears of a job while the look at its object that wants it is still going on. */
  #begin(record: JobRecord): OpenJob {
    const { key, id, operation, queuedAt } = record;
    const reconcile = this.#reconciles.get(keyText(key));
    const parent = reconcile && this.#reconcileSpan(key, reconcile);
    parent?.setAttribute("aetherv.correlation_id", id);
    const span = this.#spans.tracer.startSpan(
      `job ${operation}`,
      { startTime: Date.parse(queuedAt), attributes: jobAttributes(record) },
      this.#spans.context(parent),
    );
    const open: OpenJob = { span };
    this.#jobs.set(id, open);
    return open;
  }

  #reconcileSpan(key: Key, open: OpenReconcile): Span {
    open.span ??= this.#spans.tracer.startSpan(
      `reconcile ${key.kind}`,
      { startTime: open.startTime, attributes: keyAttributes(key), root: true },
      this.#spans.context(),
    );
    return open.span;
  }

  #agentSpan(record: JobRecord, parent: Span): Span {
    const startTime = Date.parse(record.startedAt ?? record.queuedAt);
    const options = { startTime, attributes: jobAttributes(record), kind: this.#spans.client };
    return this.#spans.tracer.startSpan(`agent ${record.operation}`, options, this.#spans.context(parent));
  }
}

const keyAttributes = ({ kind, namespace, name }: Key): Attributes => ({
  "aetherv.kind": kind,
  "aetherv.name": name,
  ...(namespace === "" ? {} : { "aetherv.namespace": namespace }),
});

const jobAttributes = ({ id, key, host, operation, attempt }: JobRecord): Attributes => ({
  ...keyAttributes(key),
  "aetherv.correlation_id": id,
  "aetherv.host": host,
  "aetherv.operation": operation,
  "aetherv.attempt": attempt,
});
