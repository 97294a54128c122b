import { diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Logger } from "../engine/ports.ts";
import { Traces } from "./traces.ts";

export interface TraceExport {
  readonly traces: Traces;
  /** Sends what was gathered; resolves also when nobody takes it. */
  close(): Promise<void>;
}

/** A collector that is away is told of once in this time, milliseconds. */
const quietMs = 600_000;

/** OpenTelemetry tells an error as JSON, with its stack. */
const essence = (message: string): string => /"message":"((?:[^"\\]|\\.)*)"/.exec(message)?.[1] ?? message;

const tellProblems = (log: Logger): void => {
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = (message: string): void => {
    if (performance.now() - toldAt < quietMs) return;
    toldAt = performance.now();
    log.warn({ problem: essence(message).slice(0, 300) }, "traces are not sent");
  };
  const ignore = (): void => undefined;
  const logger = { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
};

/** How long the last spans are waited for when the process ends, milliseconds. */
const flushMs = 3_000;

/**
 * Sends traces by OTLP over HTTP, JSON. Where to, and with what headers, the exporter reads from OTEL_EXPORTER_OTLP_* as OpenTelemetry's
 * specification has them; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are taken as well.
 */
export const exportTraces = (version: string, log: Logger): TraceExport => {
  tellProblems(log);
  const own = resourceFromAttributes({ "service.name": "aetherv", "service.version": version });
  const provider = new TracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const traces = new Traces(
    {
      tracer: provider.getTracer("aetherv", version),
      context: (parent) => (parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT),
      client: SpanKind.CLIENT,
      error: SpanStatusCode.ERROR,
    },
    () => Date.now(),
  );
  return {
    traces,
    close: async () => {
      traces.close();
      const patience = new Promise<void>((resolve) => setTimeout(resolve, flushMs).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), patience]);
    },
  };
};
