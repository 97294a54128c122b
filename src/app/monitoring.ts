import type { Journal, KeyValue, Logger, Observer } from "../engine/ports.ts";
import { Health } from "../server/health.ts";
import { watchLoop } from "../server/loopLag.ts";
import { serveMonitor, type Address } from "../server/monitor.ts";
import { ApiServerSight, apiResource } from "../telemetry/apiServer.ts";
import { collectFrom, type Sources } from "../telemetry/collect.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { several, watchedJournal, type Watcher } from "../telemetry/observer.ts";
import type { TraceExport } from "../telemetry/otlp.ts";
import { watchedStore } from "../telemetry/storage.ts";
import type { Answer } from "../stores/kubernetes/client.ts";
import { version } from "./version.ts";

/** What is told to whoever watches this process. */
export interface MonitoringOptions {
  /** Where /livez, /readyz and /metrics are served. */
  readonly address?: Address | undefined;
  /** Whether traces are sent, as OTEL_EXPORTER_OTLP_* say. */
  readonly traces: boolean;
}

/** A look at one object waits for the API server at most: one that takes longer, though the server answers, hangs. Milliseconds. */
const stuckMs = 600_000;
/** The server must have been there for so long: a look begun before may still wait for its last request's end. Milliseconds. */
const thereMs = 300_000;
/** With an event loop later than this, answers come too late for anybody. Milliseconds. */
const lateMs = 5_000;

/** Health, metrics and traces of this process. */
export class Monitoring {
  readonly health = new Health();
  readonly metrics = new Metrics({ version, node: process.versions.node, now: () => performance.now() });
  readonly apiServer = new ApiServerSight(() => performance.now());
  readonly #watcher: Watcher;
  /** Where it is served, with the port that it got. */
  url: string | undefined;
  readonly #closing: (() => Promise<void> | void)[] = [];

  private constructor(traces: TraceExport | undefined, ending: AbortSignal) {
    this.#watcher = traces ? several([this.metrics, traces.traces]) : this.metrics;
    const loop = watchLoop();
    const worst = (): string => `at most ${Math.round(loop.worstMs())} ms late in the last 10 s`;
    // A loop that stands still cannot answer at all: the probe's own timeout is what tells.
    this.health.set("live", "event-loop", () => ({ ok: true, text: worst() }));
    this.health.set("ready", "event-loop", () => ({ ok: loop.worstMs() < lateMs, text: worst() }));
    this.health.set("ready", "process", () =>
      ending.aborted ? { ok: false, text: "it is ending: no job is started any more" } : { ok: true, text: "running" },
    );
    this.health.set("ready", "control-plane", () => ({ ok: false, text: "it is starting" }));
    this.health.set("live", "workers", () => this.#workers(() => Number.POSITIVE_INFINITY));
    this.#closing.push(() => loop.stop());
    if (traces) this.#closing.push(() => traces.close());
  }

  /** Serves what was asked for; `ending` fires when the process is to end. */
  static async start({ address, traces }: MonitoringOptions, log: Logger, ending: AbortSignal): Promise<Monitoring> {
    // Loaded where it is wanted.
    const sent = traces ? (await import("../telemetry/otlp.ts")).exportTraces(version, log) : undefined;
    const monitoring = new Monitoring(sent, ending);
    if (!address) return monitoring;
    const { registry } = monitoring.metrics;
    const server = await serveMonitor(address, {
      health: monitoring.health,
      metrics: { contentType: registry.contentType, text: () => registry.metrics() },
    });
    log.info({ url: server.url }, "health and metrics are served");
    monitoring.url = server.url;
    monitoring.#closing.push(() => server.close());
    return monitoring;
  }

  get observer(): Observer {
    return this.#watcher;
  }

  journal(journal: Journal): Journal {
    return watchedJournal(journal, this.#watcher);
  }

  /** The store, with a check of whether it can be written. */
  store(name: "store" | "journal", inner: KeyValue): KeyValue {
    const store = watchedStore(inner, () => this.metrics.writeFailed(name));
    this.health.set("ready", name, async () => {
      const error = await store.writeError();
      return error === undefined ? { ok: true, text: "writable" } : { ok: false, text: `not writable: ${error}` };
    });
    return store;
  }

  apiAnswered({ verb, path, code, ms }: Answer): void {
    this.metrics.apiAnswered({ verb, resource: apiResource(path), code, ms });
    this.apiServer.answered(code);
  }

  /** Over a cluster: `synced` resolves when the caches are filled. Another process may lead. */
  follows(synced: Promise<void>): void {
    let filled = false;
    void synced.then(() => (filled = true));
    this.health.set("ready", "caches", () => ({ ok: filled, text: filled ? "filled" : "being filled" }));
    this.health.set("ready", "api-server", () => {
      const fault = this.apiServer.fault();
      return { ok: fault === undefined, text: fault ?? "it answers" };
    });
    this.health.set("ready", "control-plane", () => ({ ok: true, text: "standby, another process leads" }));
    this.health.set("live", "workers", () => this.#workers(() => this.apiServer.thereMs()));
  }

  /** The control plane works in this process, until `lost` fires. */
  leads(sources: Sources, lost?: AbortSignal): void {
    collectFrom(this.metrics.registry, sources);
    this.metrics.leads = () => lost?.aborted !== true;
    this.health.set("ready", "control-plane", () =>
      lost?.aborted === true
        ? { ok: false, text: "the leadership is lost" }
        : { ok: true, text: `leader, epoch ${sources.epoch()}` },
    );
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
  }

  #workers(storeThereMs: () => number): { readonly ok: boolean; readonly text: string } {
    const oldest = this.metrics.oldestReconcileMs();
    const ok = oldest < stuckMs || storeThereMs() < thereMs;
    return { ok, text: `the longest look at an object takes ${Math.round(oldest / 1000)} s` };
  }
}
