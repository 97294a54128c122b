import { access, constants } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { missingHeader, missingIn } from "../api/missingReplicas.ts";
import type { Key } from "../api/resource.ts";
import type { JobRecord, Resource } from "../engine/ports.ts";
import type { LogLine } from "../protocol/generated/types.ts";
import { ControlError, type ControlErrorCode, type ControlPlane } from "./control.ts";
import type * as Api from "./control.ts";

/** Sends one request; gives status and body as they come. Rejects with a ControlError. */
export type Send = (sending: Sending) => Promise<Answer>;

export interface Sending {
  readonly method: "GET" | "POST" | "PATCH";
  /** Path of the API, with its query. */
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Readable;
}

/** The control plane behind an HTTP API. */
export class HttpClient implements ControlPlane {
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  hosts = (): Promise<readonly Api.HostReport[]> => this.#json("GET", "/v1/hosts");
  problems = (): Promise<Api.FilesReport> => this.#json("GET", "/v1/problems");
  trash = (): Promise<readonly Api.TrashEntry[]> => this.#json("GET", "/v1/trash");
  backup = (): Promise<Api.Backup> => this.#json("GET", "/v1/backup");
  plan = (request: Api.PlanRequest): Promise<Api.PlanReport> => this.#json("POST", "/v1/plan", request);
  restore = (request: Api.RestoreRequest): Promise<Api.RestoreReport> => this.#json("POST", "/v1/restore", request);

  status(signal?: AbortSignal): Promise<Api.ControlStatus> {
    return this.#json("GET", "/v1/status", undefined, signal);
  }

  list(kind: string, namespace?: string): Promise<readonly Resource[]> {
    return this.#json("GET", `/v1/objects/${kind}${query({ namespace })}`);
  }

  get(key: Key): Promise<Resource | undefined> {
    return absentAsUndefined(this.#json<Resource>("GET", objectPath(key)));
  }

  inventory(host: string): Promise<Api.HostInventory | undefined> {
    return absentAsUndefined(this.#json<Api.HostInventory>("GET", `/v1/hosts/${encodeURIComponent(host)}/inventory`));
  }

  annotate(key: Key, annotations: Readonly<Record<string, string | null>>): Promise<Resource> {
    return this.#json("PATCH", `${objectPath(key)}/annotations`, annotations);
  }

  watch(kinds: readonly string[], signal: AbortSignal): AsyncIterable<Api.ObjectChange> {
    return this.#events(`/v1/watch${query({ kinds: kinds.join(",") })}`, signal);
  }

  jobs(filter: Api.JobFilter, missing?: Api.TellMissing): Promise<readonly JobRecord[]> {
    const { key, host, failed, limit } = filter;
    return this.#list(`/v1/jobs${query({ ...key, host, failed, limit })}`, missing);
  }

  job(id: string): Promise<JobRecord | undefined> {
    return absentAsUndefined(this.#json<JobRecord>("GET", `/v1/jobs/${encodeURIComponent(id)}`));
  }

  watchJobs(signal: AbortSignal): AsyncIterable<JobRecord> {
    return this.#events("/v1/jobs/watch", signal);
  }

  jobLog(id: string, options: { readonly follow: boolean }, signal: AbortSignal): AsyncIterable<LogLine> {
    return this.#events(`/v1/jobs/${encodeURIComponent(id)}/log${query({ follow: options.follow })}`, signal);
  }

  events({ key, limit }: Api.EventFilter, missing?: Api.TellMissing): Promise<readonly Api.EventReport[]> {
    return this.#list(`/v1/events${query({ ...key, limit })}`, missing);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #json<T>(method: Sending["method"], path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const answer = await this.#send({
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    return jsonIn<T>(answer);
  }

  /** What the replicas that were heard have, with those that were not. */
  async #list<T>(path: string, missing: Api.TellMissing | undefined): Promise<readonly T[]> {
    const answer = await this.#send({ method: "GET", path });
    const list = await jsonIn<readonly T[]>(answer);
    for (const replica of missingIn(answer.headers[missingHeader])) missing?.(replica);
    return list;
  }

  async *#events<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
    const { statusCode, body } = await this.#send({ method: "GET", path, signal });
    if (statusCode >= 400) throw errorOf(await textOf(body));
    let event = "";
    const lines = createInterface({ input: body });
    // What ends a stream early is told by the loop; the rest of what is thrown away tells it once more.
    lines.on("error", () => undefined);
    body.on("error", () => undefined);
    try {
      for await (const line of lines) {
        if (line.startsWith("event: ")) event = line.slice(7);
        if (!line.startsWith("data: ")) continue;
        if (event === "end") return;
        if (event === "error") throw errorOf(line.slice(6));
        yield JSON.parse(line.slice(6)) as T;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
      return;
    } finally {
      body.destroy();
    }
    if (!signal.aborted) throw new ControlError("Unavailable", "the control plane ended the stream");
  }
}

/** The control plane behind a Unix socket. */
export class SocketClient extends HttpClient {
  constructor(socket: string) {
    super((sending) => overSocket(socket, sending));
  }
}

const overSocket = (socketPath: string, { method, path, body, signal }: Sending): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({
      socketPath,
      path,
      method,
      ...(signal ? { signal } : {}),
      headers:
        body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    });
    sent.on("response", (body) => resolve({ statusCode: body.statusCode ?? 500, headers: body.headers, body }));
    sent.on("error", (error) => reject(unreachable(socketPath, error)));
    sent.end(body);
  });

/**
 * Whether a control plane answers on the socket. Rejects (Unavailable) when there may be one that can't be asked: another
 * user's, or one that says nothing for `waitMs`.
 */
export const answers = async (socket: string, waitMs = 10_000): Promise<boolean> => {
  if (!(await mayAsk(socket))) return false;
  const signal = AbortSignal.timeout(waitMs);
  try {
    await new SocketClient(socket).status(signal);
    return true;
  } catch {
    if (!signal.aborted) return false;
    throw new ControlError(
      "Unavailable",
      `the control plane behind ${socket} has not answered within ${waitMs / 1000} s`,
      "it is halted or overloaded: see aetherv.log beside the socket",
    );
  }
};

/** Whether there is a socket; rejects when it is not ours to open. */
const mayAsk = async (socket: string): Promise<boolean> => {
  try {
    await access(socket, constants.W_OK);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") return false;
    throw new ControlError(
      "Unavailable",
      `${socket} may not be opened: permission denied`,
      "only the user that started the control plane may ask it",
    );
  }
};

const unreachable = (socket: string, cause: Error): ControlError =>
  new ControlError(
    "Unavailable",
    `no control plane answers on ${socket} (${cause.message})`,
    "start one with `aetherv run`",
  );

const objectPath = (key: Key): string =>
  `/v1/objects/${key.kind}/${key.namespace === "" ? "-" : encodeURIComponent(key.namespace)}/${encodeURIComponent(key.name)}`;

const query = (values: Readonly<Record<string, string | number | boolean | undefined>>): string => {
  const pairs = Object.entries(values).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [`${name}=${encodeURIComponent(String(value))}`],
  );
  return pairs.length > 0 ? `?${pairs.join("&")}` : "";
};

const absentAsUndefined = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ControlError && error.code === "NotFound") return undefined;
    throw error;
  }
};

const jsonIn = async <T>({ statusCode, body }: Answer): Promise<T> => {
  const text = await textOf(body);
  if (statusCode >= 400) throw errorOf(text);
  return JSON.parse(text) as T;
};

const textOf = async (body: Readable): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
};

const errorOf = (text: string): ControlError => {
  try {
    const { error } = JSON.parse(text) as { error: { code: ControlErrorCode; message: string; hint?: string } };
    return new ControlError(error.code, error.message, error.hint);
  } catch {
    return new ControlError(
      "Internal",
      `the control plane gave an answer that is not understood: ${text.slice(0, 200)}`,
    );
  }
};
