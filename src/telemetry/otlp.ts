import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { Traces } from "./traces.ts";

export interface TraceExport {
  readonly traces: Traces;
  /** Sends what was gathered; resolves also when nobody takes it. */
  close(): Promise<void>;
}

/** How long the last spans are waited for when the process ends, milliseconds. */
const flushMs = 3_000;

/**
 * Sends traces by OTLP over HTTP, JSON. Where to, and with what headers, the exporter reads from OTEL_EXPORTER_OTLP_* as OpenTelemetry's
 * specification has them; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are taken as well.
 */
export const exportTraces = (version: string): TraceExport => {
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
