import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";

/** What becomes of a request instead of its being passed on. */
export type Fault =
  | { readonly do: "answer"; readonly code: number; readonly reason: string; readonly retryAfterSeconds?: number }
  /** The connection is closed without an answer. */
  | { readonly do: "cut" }
  /** The server gets it and acts; its answer is lost. */
  | { readonly do: "loseAnswer" }
  /** Passed on, so much later. */
  | { readonly do: "delay"; readonly ms: number };

export interface Asked {
  readonly verb: "read" | "watch" | "write";
  readonly method: string;
  readonly path: string;
}

interface Watch {
  readonly asked: Asked;
  readonly answer: ServerResponse;
}

const status = (code: number, reason: string): string =>
  JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    code,
    reason,
    message: `made to fail: ${reason}`,
  });

/** Stands between a client and an API server (plain HTTP towards the client), counts requests and makes them fail. */
export class KubeProxy {
  readonly kubeconfig: string;
  /** Requests that came, whatever became of them. */
  readonly asked: Asked[] = [];
  /** Asked for each request; nothing by default. */
  fault: (asked: Asked) => Fault | undefined = () => undefined;
  readonly #server: Server;
  readonly #upstream: URL;
  readonly #watches = new Set<Watch>();

  private constructor(server: Server, upstream: URL, kubeconfig: string) {
    this.#server = server;
    this.#upstream = upstream;
    this.kubeconfig = kubeconfig;
    server.on("request", (request, answer) => void this.#serve(request, answer));
  }

  /** Before the server that this kubeconfig names; writes a kubeconfig for itself into the folder. */
  static async start(kubeconfig: string, folder: string): Promise<KubeProxy> {
    const config = parse(await readFile(kubeconfig, "utf8")) as { clusters: { cluster: Record<string, unknown> }[] };
    const [named] = config.clusters;
    if (!named) throw new Error(`${kubeconfig} names no cluster`);
    const upstream = new URL(String(named.cluster["server"]));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // The client takes plain HTTP only where TLS is not to be verified.
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    named.cluster = { server: address, "insecure-skip-tls-verify": true };
    const own = join(folder, "proxy.kubeconfig");
    await writeFile(own, stringify(config), { mode: 0o600 });
    return new KubeProxy(server, upstream, own);
  }

  /** Ends every watch that is open now: with this event as its last line, else in the middle of nothing. */
  endWatches(last?: { readonly code: number; readonly reason: string }): number {
    const ended = [...this.#watches];
    for (const { answer } of ended)
      if (last) answer.end(`{"type":"ERROR","object":${status(last.code, last.reason)}}\n`);
      else answer.destroy();
    return ended.length;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = request;
    const { pathname, searchParams } = new URL(url, "http://proxy");
    const verb = method !== "GET" ? "write" : searchParams.get("watch") === "1" ? "watch" : "read";
    const asked: Asked = { verb, method, path: pathname };
    this.asked.push(asked);
    const fault = this.fault(asked);
    const body = await bodyOf(request);
    switch (fault?.do) {
      case "answer": {
        const { code, reason, retryAfterSeconds } = fault;
        const wait = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
        answer.writeHead(code, { "content-type": "application/json", ...wait }).end(status(code, reason));
        return;
      }
      case "cut":
        answer.destroy();
        return;
      case "delay":
        await sleep(fault.ms);
        break;
      default:
    }
    this.#pass(request, body, { asked, answer, lost: fault?.do === "loseAnswer" });
  }

  #pass(request: IncomingMessage, body: Buffer, to: Watch & { readonly lost: boolean }): void {
    const send = this.#upstream.protocol === "https:" ? httpsRequest : httpRequest;
    const { hostname, port } = this.#upstream;
    const { host: _, ...headers } = request.headers;
    const options = { hostname, port, method: request.method, path: request.url, headers, rejectUnauthorized: false };
    const { asked, answer } = to;
    const upward = send(options, (response) => {
      if (to.lost) {
        response.resume().on("end", () => answer.destroy());
        return;
      }
      answer.writeHead(response.statusCode ?? 502, response.headers);
      const watch: Watch = { asked, answer };
      if (asked.verb === "watch") this.#watches.add(watch);
      answer.once("close", () => this.#watches.delete(watch));
      answer.flushHeaders();
      response.pipe(answer);
      response.once("error", () => answer.destroy());
    });
    upward.once("error", () => answer.destroy());
    answer.once("close", () => upward.destroy());
    upward.end(body);
  }
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
};
