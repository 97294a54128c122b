import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "@prometheus-io/client";
import { keyText } from "../api/resource.ts";
import type { JobRecord, Key, ReconcileOutcome } from "../engine/ports.ts";
import { fieldLabel } from "./fields.ts";
import { isEnded, success, type Watcher } from "./observer.ts";

export interface MetricsOptions {
  readonly version: string;
  /** Version of Node. */
  readonly node: string;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
}

/** One answer of the Kubernetes API server, or none (code 0). */
export interface ApiAnswer {
  readonly verb: string;
  /** Plural of what was asked for, with its subresource: `virtualmachines/status`. */
  readonly resource: string;
  readonly code: number;
  readonly ms: number;
}

const reconcileBuckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60];
const waitBuckets = [0.001, 0.01, 0.1, 0.5, 1, 5, 30, 120, 600];
/** From a machine's start to a clone of a large disk. */
const jobBuckets = [0.05, 0.25, 1, 5, 15, 60, 300, 1800, 7200];
const apiBuckets = [0.005, 0.025, 0.1, 0.5, 2, 10, 30];

/** Counts what happens. What is (hosts, objects, the queue) is looked up at each scrape: see collect.ts. */
export class Metrics implements Watcher {
  readonly registry = new Registry();
  /** Whether this process leads, that is, may start jobs. */
  leads: () => boolean = () => false;
  readonly #now: () => number;
  readonly #began = new Map<string, number>();
  readonly #jobs = new Map<string, JobRecord>();
  readonly #reconciles = this.#counter("aetherv_reconciles_total", "Looks at an object that have ended", [
    "kind",
    "outcome",
  ]);
  readonly #reconcileSeconds = this.#histogram(
    "aetherv_reconcile_duration_seconds",
    "Time of one look at an object; jobs that it started go on after it. Seconds",
    ["kind"],
    reconcileBuckets,
  );
  readonly #waitSeconds = this.#histogram(
    "aetherv_queue_wait_seconds",
    "Time from being queued until a worker took the object. Seconds",
    [],
    waitBuckets,
  );
  readonly #jobSeconds = this.#histogram(
    "aetherv_job_duration_seconds",
    "Time of a job from being sent to a host until its end, by its code: Success or an error code. Seconds",
    ["operation", "code"],
    jobBuckets,
  );
  readonly #jobWaitSeconds = this.#histogram(
    "aetherv_job_wait_seconds",
    "Time that a job waited for a free slot and its locks before it was sent. Seconds",
    [],
    waitBuckets,
  );
  readonly #unsent = this.#counter("aetherv_jobs_unsent_total", "Jobs that ended without being sent to a host", [
    "operation",
    "code",
  ]);
  readonly #found = this.#counter(
    "aetherv_drift_found_total",
    "Fields that a host had otherwise, though it was as declared before",
    ["kind", "field"],
  );
  readonly #repaired = this.#counter(
    "aetherv_drift_repaired_total",
    "Fields that had drifted and were put right by a job",
    ["kind", "field"],
  );
  readonly #apiRequests = this.#counter(
    "aetherv_api_requests_total",
    "Requests to the Kubernetes API server by the code of its answer, 0 for none",
    ["verb", "resource", "code"],
  );
  readonly #apiSeconds = this.#histogram(
    "aetherv_api_request_duration_seconds",
    "Time until the Kubernetes API server began to answer. Seconds",
    ["verb"],
    apiBuckets,
  );
  readonly #writeErrors = this.#counter("aetherv_storage_write_errors_total", "Writes to the data folder that failed", [
    "store",
  ]);

  constructor({ version, node, now }: MetricsOptions) {
    this.#now = now;
    collectDefaultMetrics({ register: this.registry });
    const build = new Gauge({
      name: "aetherv_build_info",
      help: "Always 1; the labels tell the build",
      labelNames: ["version", "node"],
      registers: [this.registry],
    });
    build.set({ version, node }, 1);
    const leader: Gauge = new Gauge({
      name: "aetherv_leader",
      help: "1 when this process leads and starts jobs, 0 on a standby",
      registers: [this.registry],
      collect: () => leader.set(this.leads() ? 1 : 0),
    });
    this.#longestReconcile();
    this.#jobsInFlight();
  }

  /** How long the reconcile that has been at work for longest is, milliseconds; 0 when none is. */
  oldestReconcileMs(): number {
    const [first] = this.#began.values();
    return first === undefined ? 0 : this.#now() - first;
  }

  reconcileBegan(key: Key, waitedMs: number): void {
    this.#waitSeconds.observe(waitedMs / 1000);
    this.#began.set(keyText(key), this.#now());
  }

  reconcileEnded(key: Key, outcome: ReconcileOutcome): void {
    const text = keyText(key);
    const began = this.#began.get(text);
    this.#began.delete(text);
    this.#reconciles.inc({ kind: key.kind, outcome });
    if (began !== undefined) this.#reconcileSeconds.observe({ kind: key.kind }, (this.#now() - began) / 1000);
  }

  driftFound(key: Key, paths: readonly string[]): void {
    for (const path of paths) this.#found.inc({ kind: key.kind, field: fieldLabel(key.kind, path) });
  }

  driftRepaired(key: Key, paths: readonly string[]): void {
    for (const path of paths) this.#repaired.inc({ kind: key.kind, field: fieldLabel(key.kind, path) });
  }

  job(record: JobRecord): void {
    const { id, operation, queuedAt, startedAt } = record;
    const before = this.#jobs.get(id);
    if (!isEnded(record)) this.#jobs.set(id, record);
    else this.#jobs.delete(id);
    if (startedAt !== undefined && before?.startedAt === undefined)
      this.#jobWaitSeconds.observe(Math.max(0, Date.parse(startedAt) - Date.parse(queuedAt)) / 1000);
    if (!isEnded(record)) return;
    const labels = { operation, code: record.code ?? success };
    if (startedAt === undefined) this.#unsent.inc(labels);
    else this.#jobSeconds.observe(labels, (record.durationMs ?? 0) / 1000);
  }

  apiAnswered({ verb, resource, code, ms }: ApiAnswer): void {
    this.#apiRequests.inc({ verb, resource, code });
    // A watch lasts as long as it is kept open; what is measured is its beginning.
    this.#apiSeconds.observe({ verb }, ms / 1000);
  }

  writeFailed(store: string): void {
    this.#writeErrors.inc({ store });
  }

  #longestReconcile(): void {
    const gauge: Gauge = new Gauge({
      name: "aetherv_reconcile_oldest_seconds",
      help: "How long the look at an object that has been at work for longest takes already. Seconds",
      registers: [this.registry],
      collect: () => gauge.set(this.oldestReconcileMs() / 1000),
    });
  }

  /** Made anew at each scrape: hosts without jobs have no series. */
  #jobsInFlight(): void {
    const gauge: Gauge<"host" | "state"> = new Gauge({
      name: "aetherv_host_jobs",
      help: "Jobs of a host that wait to be sent (queued) or are at work (running)",
      labelNames: ["host", "state"],
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        for (const { host, status } of this.#jobs.values()) gauge.inc({ host, state: status });
      },
    });
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  #histogram<L extends string>(name: string, help: string, labels: readonly L[], buckets: number[]): Histogram<L> {
    return new Histogram({ name, help, labelNames: [...labels], buckets, registers: [this.registry] });
  }
}
