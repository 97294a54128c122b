import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import { Agent, request } from "undici";
import { systemClock } from "../../../../src/app/clock.ts";
import { apiVersion } from "../../../../src/api/kinds.ts";
import type { Resource } from "../../../../src/api/resource.ts";
import { KubeClient } from "../../../../src/stores/kubernetes/client.ts";
import type { Wire } from "../../../../src/stores/kubernetes/connection.ts";

/** What a scripted server does with one request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface Asked {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

/** An HTTP server that answers each request by the next of a script, and any further one by the last; for faults that a real one seldom has. */
export const scripted = async (
  script: readonly Answer[],
): Promise<{ readonly client: KubeClient; readonly asked: Asked[] }> => {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    asked.push({ path: url.pathname, query: Object.fromEntries(url.searchParams) });
    const answer = script[Math.min(asked.length, script.length) - 1];
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const dispatcher = new Agent();
  onTestFinished(async () => {
    await dispatcher.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const wire: Wire = {
    namespace: "default",
    send: ({ path, ...rest }) => request(`http://127.0.0.1:${port}${path}`, { ...rest, dispatcher }),
    close: () => Promise.resolve(),
  };
  return { client: new KubeClient(wire, systemClock), asked };
};

export const diskOf = (name: string, version: number, more: Partial<Resource["metadata"]> = {}): Resource => ({
  apiVersion,
  kind: "VirtualDisk",
  metadata: {
    name,
    namespace: "default",
    uid: `uid-${name}`,
    generation: 1,
    resourceVersion: String(version),
    creationTimestamp: "2026-01-01T00:00:00Z",
    ...more,
  },
  spec: { size: "1Gi" },
});

const json = (response: ServerResponse, code: number, body: unknown): void => {
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
};

export const status =
  (code: number, reason: string, headers: Readonly<Record<string, string>> = {}, details?: object): Answer =>
  (_, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    json(response, code, { kind: "Status", code, reason, message: `it is ${reason}`, details });
  };

export const plain =
  (code: number, text: string): Answer =>
  (_, response) =>
    void response.writeHead(code, { "content-type": "text/plain" }).end(text);

export const list =
  (version: number, items: readonly Resource[], next?: string): Answer =>
  (_, response) =>
    json(response, 200, { metadata: { resourceVersion: String(version), continue: next }, items });

const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;

export const event = (type: "ADDED" | "MODIFIED" | "DELETED", object: Resource): string => line(type, object);
export const bookmark = (version: number): string =>
  line("BOOKMARK", { kind: "VirtualDisk", metadata: { resourceVersion: String(version) } });
export const errorEvent = (code: number, reason: string): string => line("ERROR", { kind: "Status", code, reason });

/** A watch that says this, then closes cleanly, is reset, or stays silent. */
export const watch =
  (texts: readonly string[], then: "close" | "reset" | "silence"): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const text of texts) response.write(text);
    if (then === "close") response.end();
    if (then === "reset") setTimeout(() => response.destroy(), 20);
  };
