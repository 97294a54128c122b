import { format } from "prettier";
import { collectFrom } from "../../src/telemetry/collect.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import type { GeneratedFile } from "./model.ts";

export interface MetricInfo {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** Every metric of a control plane at work, Node's own included. */
export const allMetrics = (): readonly MetricInfo[] => {
  const { registry } = new Metrics({ version: "", node: "", now: () => 0 });
  collectFrom(registry, {
    objects: { get: () => undefined, list: () => [] },
    hosts: () => [],
    settings: () => [],
    inventories: () => new Map(),
    queue: () => ({ depth: 0, delayed: 0, working: 0, oldestMs: 0 }),
    epoch: () => 0,
    problems: () => 0,
    now: () => new Date(0),
  });
  return registry.getMetricsAsArray().map((metric) => {
    const { labelNames = [] } = metric as { labelNames?: readonly string[] };
    return { name: metric.name, type: metric.type, help: metric.help, labels: labelNames };
  });
};

const intro = `# Metrics

<!-- Generated from src/telemetry by \`npm run generate\`. -->

\`aetherv run --metrics-address HOST:PORT\` (in the chart: port 8081 of each pod) serves over plain HTTP, without a login, as nothing there
is secret:

| path | answers |
| --- | --- |
| \`/livez\` | 200 while a restart would help nothing; 503 when a look at an object hangs though its store answers. A host or an API server that is away never fails it |
| \`/readyz\` | 200 while the process can do its work, as leader or as a standby with filled caches; 503 while it starts or ends, cannot write its data folder, does not reach the API server, or its event loop is five seconds late |
| \`/metrics\` | the metrics below, for Prometheus |

\`?verbose\` lists every check with its reason; a probe that fails lists them anyway.

A label takes a bounded number of values: kinds, fields of their specs, operations and error codes of the protocol, hosts, volumes of hosts.
No name of another object is ever a label. The series of a host end with its VMHost. A standby has the metrics of the process and of the API
requests only. \`process_*\` and \`nodejs_*\` are those of [@prometheus-io/client](https://github.com/prometheus/client_js). Alerts:
[alerts.yaml](../charts/aetherv/files/alerts.yaml), with [runbooks](runbooks/); a dashboard:
[dashboard.json](../charts/aetherv/files/dashboard.json).

Traces (reconcile -> job -> operation of the agent, each with the attribute \`aetherv.correlation_id\`, which \`aetherv jobs\` shows as the job's
ID) are sent by OTLP over HTTP when \`OTEL_EXPORTER_OTLP_ENDPOINT\` (or \`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT\`) is set, for example
\`http://collector:4318\`; the other \`OTEL_EXPORTER_OTLP_*\`, \`OTEL_SERVICE_NAME\` and \`OTEL_RESOURCE_ATTRIBUTES\` count, too. A trace is made of
every look at an object that starts a job or fails.

## All metrics

`;

/** docs/metrics.md. */
export async function* metricFiles(): AsyncGenerator<GeneratedFile> {
  const rows = allMetrics()
    .filter(({ name }) => name.startsWith("aetherv_"))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |`);
  const table = ["| name | type | labels | is |", "| --- | --- | --- | --- |", ...rows].join("\n");
  yield {
    path: "docs/metrics.md",
    text: await format(`${intro}${table}\n`, { parser: "markdown", printWidth: 120 }),
  };
}
