import type { Dispatcher } from "undici";
import type { Clock } from "../../engine/ports.ts";
import type { Response, Wire } from "./connection.ts";
import { isNotFound, KubeError, ofStatus } from "./error.ts";

/** Verbs as RBAC has them. */
export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

export interface Call {
  readonly verb: Verb;
  /** Path from the server's root, without query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** One request's answer; code 0: there was none. */
export interface Answer {
  readonly verb: Verb;
  readonly path: string;
  readonly code: number;
  /** Until the answer began, milliseconds. */
  readonly ms: number;
}

const methods = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
} as const satisfies Record<Verb, Dispatcher.HttpMethod>;

const answerMs = 30_000;
const maxRetries = 4;
const maxRetryAfterMs = 30_000;

/** Requests to one API server, counted by verb. Answers that are no success become KubeErrors. */
export class KubeClient {
  /** Requests sent since the start. */
  readonly counts = new Map<Verb, number>();
  readonly #wire: Wire;
  readonly #clock: Clock;
  readonly #onAnswer: (answer: Answer) => void;

  constructor(wire: Wire, clock: Clock, onAnswer: (answer: Answer) => void = () => undefined) {
    this.#wire = wire;
    this.#clock = clock;
    this.#onAnswer = onAnswer;
  }

  get namespace(): string {
    return this.#wire.namespace;
  }

  /** The answer's JSON. Sent again, after the time that the server asks for, when it is too busy (it did nothing then). */
  async call<T>(call: Call): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#once<T>(call);
      } catch (error) {
        const wait = error instanceof KubeError && isBusy(error) ? error.retryAfterMs : undefined;
        if (wait === undefined || attempt >= maxRetries || call.signal?.aborted) throw error;
        await this.#clock.sleep(Math.min(wait, maxRetryAfterMs), call.signal);
      }
    }
  }

  /** The bytes of a watch as they come; `idleMs` without any is an error. */
  async stream(call: Call, idleMs: number): Promise<AsyncIterable<Uint8Array>> {
    const { statusCode, headers, body } = await this.#send(call, idleMs);
    if (statusCode < 300) return body;
    throw await refusal(statusCode, headers, body);
  }

  /** As `call`, but undefined where the server says that there is no such object. */
  async find<T>(path: string, signal?: AbortSignal): Promise<T | undefined> {
    try {
      return await this.call<T>({ verb: "get", path, ...(signal ? { signal } : {}) });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#wire.close();
  }

  async #once<T>(call: Call): Promise<T> {
    const { statusCode, headers, body } = await this.#send(call, answerMs);
    if (statusCode >= 300) throw await refusal(statusCode, headers, body);
    try {
      return (await body.json()) as T;
    } catch (error) {
      throw new KubeError(0, `the answer of the API server was cut: ${messageOf(error)}`, { cause: error });
    }
  }

  async #send(call: Call, bodyTimeout: number): Promise<Response> {
    const { verb, path, signal } = call;
    const began = this.#clock.now().getTime();
    const answered = (code: number): void =>
      this.#onAnswer({ verb, path, code, ms: this.#clock.now().getTime() - began });
    try {
      const response = await this.#request(call, bodyTimeout);
      answered(response.statusCode);
      return response;
    } catch (error) {
      // What we ourselves gave up says nothing about the server.
      if (signal?.aborted !== true) answered(0);
      throw error;
    }
  }

  async #request({ verb, path, query = {}, body, signal }: Call, bodyTimeout: number): Promise<Response> {
    this.counts.set(verb, (this.counts.get(verb) ?? 0) + 1);
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    try {
      return await this.#wire.send({
        method: methods[verb],
        path: given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`,
        headers: { accept: "application/json", ...contentType(verb, body) },
        headersTimeout: answerMs,
        bodyTimeout,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      throw new KubeError(0, `the API server does not answer: ${messageOf(error)}`, { cause: error });
    }
  }
}

const contentType = (verb: Verb, body: unknown): Record<string, string> => {
  if (body === undefined) return {};
  return { "content-type": verb === "patch" ? "application/merge-patch+json" : "application/json" };
};

const isBusy = ({ code }: KubeError): boolean => code === 429 || code === 503;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const refusal = async (code: number, headers: Response["headers"], body: Response["body"]): Promise<KubeError> => {
  const text = await body.text().catch(() => "");
  const seconds = Number(headers["retry-after"]);
  const wait = headers["retry-after"] !== undefined && Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {};
  try {
    const { message, reason, details } = ofStatus(JSON.parse(text));
    return new KubeError(code, message, { reason, details, ...wait });
  } catch {
    return new KubeError(code, `HTTP ${code}: ${text.slice(0, 200)}`, wait);
  }
};
