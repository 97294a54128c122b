import fastify from "fastify";
import { ControlError } from "./control.ts";
import { healthText, type Health, type Probe } from "./health.ts";

export interface MonitorParts {
  readonly health: Health;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

export interface MonitorServer {
  /** With the port that it got where 0 was asked for. */
  readonly url: string;
  close(): Promise<void>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Serves /livez, /readyz and /metrics over plain HTTP, without any login: nothing there is secret, nothing can be changed. */
export const serveMonitor = async ({ host, port }: Address, parts: MonitorParts): Promise<MonitorServer> => {
  const app = fastify({ logger: false, forceCloseConnections: true });
  const probes: readonly (readonly [string, Probe])[] = [
    ["/livez", "live"],
    ["/readyz", "ready"],
  ];
  for (const [path, probe] of probes)
    app.get<{ Querystring: { verbose?: string } }>(path, async (request, reply) => {
      const report = await parts.health.report(probe);
      const text = healthText(probe, report, request.query.verbose !== undefined);
      return reply
        .code(report.ok ? 200 : 503)
        .type("text/plain; charset=utf-8")
        .send(text);
    });
  app.get("/metrics", async (_, reply) => reply.type(parts.metrics.contentType).send(await parts.metrics.text()));
  try {
    const url = await app.listen({ host, port });
    return { url, close: () => app.close() };
  } catch (error) {
    throw new ControlError(
      "Unavailable",
      `--metrics-address ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`,
      "name another address, or port 0 for any free one",
    );
  }
};
