import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { Agent, request } from "undici";
import type { KubeApi } from "./kubeApi.ts";
import { parse } from "yaml";
import { readFile } from "node:fs/promises";

/**
 * What the rig's API server lacks of a real one, in front of it: the proxy to one Service (it takes `Authorization` for itself
 * and judges by RBAC who may use it), and tokens that are made for an audience. All else goes through as it is.
 */
export class ClusterProxy {
  /** Requests that came for the Service: their headers, as the Service got them. */
  readonly passed: IncomingMessage["headers"][] = [];
  readonly #api: string;
  readonly #server: Server;
  readonly #agent = new Agent({ connect: { rejectUnauthorized: false } });
  readonly #audiences = new Map<string, readonly string[]>();
  /** Where the Service's endpoints listen. */
  readonly #endpoints: readonly number[];
  #turn = 0;

  private constructor(api: string, endpoints: readonly number[]) {
    this.#api = api;
    this.#endpoints = endpoints;
    this.#server = createServer((incoming, answer) => {
      this.#handle(incoming, answer).catch((error: unknown) => {
        answer.writeHead(500).end(String(error));
      });
    });
  }

  static async open(api: KubeApi, endpoints: readonly number[]): Promise<ClusterProxy> {
    const config = parse(await readFile(api.kubeconfig, "utf8")) as { clusters: { cluster: { server: string } }[] };
    const proxy = new ClusterProxy(config.clusters[0]?.cluster.server ?? "", endpoints);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A kubeconfig with contexts for these users, by their tokens; the first is the current one. */
  async kubeconfig(
    path: string,
    users: Readonly<Record<string, { token: string; namespace?: string }>>,
  ): Promise<void> {
    const names = Object.keys(users);
    await writeFile(
      path,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "rig", cluster: { server: this.url, "insecure-skip-tls-verify": true } }],
        users: names.map((name) => ({ name, user: { token: users[name]?.token } })),
        contexts: names.map((name) => ({
          name,
          context: { cluster: "rig", user: name, ...(users[name]?.namespace && { namespace: users[name].namespace }) },
        })),
        "current-context": names[0],
      }),
      { mode: 0o600 },
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#agent.destroy();
  }

  async #handle(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = incoming.url ?? "";
    const body = await read(incoming);
    const service = {
      metadata: { name: "aetherv", namespace: "default" },
      spec: { ports: [{ name: "api", port: 8444 }] },
    };
    if (path.startsWith("/api/v1/services?"))
      return sendJson(answer, 200, { kind: "ServiceList", apiVersion: "v1", metadata: {}, items: [service] });
    const [, rest] = /^\/api\/v1\/namespaces\/default\/services\/aetherv:api\/proxy(\/.*)$/.exec(path) ?? [];
    if (rest !== undefined) return this.#toService(incoming, answer, { path: rest, body });
    if (path.endsWith("/token")) return this.#minted(incoming, answer, { path, body });
    if (path.startsWith("/apis/authentication.k8s.io/v1/tokenreviews"))
      return this.#reviewed(incoming, answer, { path, body });
    const response = await this.#ask(incoming, { path, body });
    answer.writeHead(response.statusCode, plain(response.headers));
    response.body.pipe(answer);
    // A watch that is left: its other end is let go of, too.
    response.body.on("error", () => answer.destroy());
    answer.on("close", () => response.body.destroy());
  }

  async #toService(incoming: IncomingMessage, answer: ServerResponse, { path, body }: Asked): Promise<void> {
    const verb = incoming.method === "GET" ? "get" : "create";
    const attributes = { verb, resource: "services", subresource: "proxy", name: "aetherv:api", namespace: "default" };
    const review = await this.#ask(
      {
        method: "POST",
        headers: { authorization: incoming.headers.authorization, "content-type": "application/json" },
      },
      {
        path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body: JSON.stringify({
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: attributes },
        }),
      },
    );
    const { status } = (await review.body.json()) as { status?: { allowed?: boolean } };
    if (status?.allowed !== true)
      return sendJson(answer, 403, { kind: "Status", code: 403, message: "services/proxy is forbidden" });
    const port = this.#endpoints[this.#turn++ % this.#endpoints.length];
    const { authorization: _, host: __, ...headers } = incoming.headers;
    this.passed.push(headers);
    const response = await request(`http://127.0.0.1:${port}${path}`, {
      method: (incoming.method ?? "GET") as "GET",
      headers: plain(headers),
      ...(body === "" ? {} : { body }),
    });
    answer.writeHead(response.statusCode, plain(response.headers));
    response.body.pipe(answer);
  }

  async #minted(incoming: IncomingMessage, answer: ServerResponse, asked: Asked): Promise<void> {
    const response = await this.#ask(incoming, asked);
    const made = (await response.body.json()) as { status?: { token?: string } };
    const { spec } = JSON.parse(asked.body) as { spec?: { audiences?: readonly string[] } };
    if (made.status?.token !== undefined) this.#audiences.set(made.status.token, spec?.audiences ?? []);
    sendJson(answer, response.statusCode, made);
  }

  async #reviewed(incoming: IncomingMessage, answer: ServerResponse, asked: Asked): Promise<void> {
    const response = await this.#ask(incoming, asked);
    const review = (await response.body.json()) as { status?: object };
    const { spec } = JSON.parse(asked.body) as { spec: { token: string; audiences?: readonly string[] } };
    const audiences = (this.#audiences.get(spec.token) ?? []).filter((one) => spec.audiences?.includes(one));
    const status = audiences.length > 0 ? { ...review.status, audiences } : { authenticated: false };
    sendJson(answer, response.statusCode, { ...review, status });
  }

  #ask({ method, headers }: Pick<IncomingMessage, "method" | "headers">, { path, body }: Asked) {
    const { host: _, "content-length": __, connection: ___, ...rest } = headers;
    return request(`${this.#api}${path}`, {
      method: (method ?? "GET") as "GET",
      headers: plain(rest),
      dispatcher: this.#agent,
      bodyTimeout: 0,
      ...(body === "" ? {} : { body }),
    });
  }
}

interface Asked {
  readonly path: string;
  readonly body: string;
}

const read = async (incoming: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
};

const plain = (headers: Readonly<Record<string, string | readonly string[] | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name, value]) => value !== undefined && !["transfer-encoding", "connection"].includes(name))
      .map(([name, value]) => [name, String(value)]),
  );

const sendJson = (answer: ServerResponse, code: number, value: unknown): void => {
  answer.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(value));
};
