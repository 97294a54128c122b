import type { Resource } from "../../../src/api/resource.ts";
import type { PlanReport, PlanRequest } from "../../../src/server/control.ts";
import { pluralOf } from "./kinds.ts";

/** A Kubernetes Status, which every error of the API is. */
export interface Status {
  readonly kind: "Status";
  readonly reason?: string;
  readonly message?: string;
  readonly code?: number;
  readonly details?: {
    readonly kind?: string;
    readonly name?: string;
    readonly causes?: readonly Cause[];
    readonly retryAfterSeconds?: number;
  };
}

/** One field's fault: `field` is a path as spec.memory.startup. */
export interface Cause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** What the server refused, or that it could not be reached (code 0, reason Unreachable). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: number;
  readonly reason: string;
  readonly causes: readonly Cause[];
  readonly details: Status["details"];
  constructor(code: number, status: Status) {
    super(status.message ?? `The server answered ${code}.`);
    this.code = code;
    this.reason = status.reason ?? "Unknown";
    this.causes = status.details?.causes ?? [];
    this.details = status.details;
  }
}

/** Where an object is; `namespace` is "" or absent for cluster-scoped kinds. */
export interface Where {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface WriteOptions {
  /** Refused with 412 unless the object still has this resourceVersion. */
  readonly ifMatch?: string | undefined;
  /** Everything is checked, nothing is changed. */
  readonly dryRun?: boolean;
}

export type ObjectAction =
  "start" | "shutdown" | "turnOff" | "save" | "restart" | "approve" | "pause" | "resume" | "orphan" | "confirm-delete";

/** Set by the session: what a request needs besides its own content, and who asks for a new login. */
export interface Credentials {
  csrf(): string | undefined;
  /** Resolves once somebody logged in again; rejects when they gave up. */
  expired(): Promise<void>;
}

let credentials: Credentials = { csrf: () => undefined, expired: () => Promise.reject(new Error("no session")) };

export const useCredentials = (next: Credentials): void => {
  credentials = next;
};

export interface RequestOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** A 401 is the answer, not a reason to log in again: the login itself. */
  readonly asIs?: boolean;
}

const statusOf = async (response: Response): Promise<Status> => {
  try {
    const body = (await response.json()) as Partial<Status>;
    if (body.kind === "Status") return { ...body, kind: "Status" };
  } catch {
    // Not JSON: a proxy's page. The code says what there is to say.
  }
  return { kind: "Status", reason: response.statusText, message: `The server answered ${response.status}.` };
};

const unreachable = (cause: unknown): ApiError =>
  Object.assign(new ApiError(0, { kind: "Status", reason: "Unreachable", message: "The server can't be reached." }), {
    cause,
  });

const send = async (path: string, options: RequestOptions): Promise<Response> => {
  const { method = "GET", body, signal } = options;
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  if (body !== undefined) headers["content-type"] = "application/json";
  const csrf = credentials.csrf();
  if (method !== "GET" && csrf) headers["x-aetherv-csrf"] = csrf;
  try {
    return await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(error);
  }
};

/**
 * One request. When the session is over, it waits for the login and is sent again: nobody loses what they typed. Rejects
 * with an ApiError.
 */
export const open = async (path: string, options: RequestOptions = {}): Promise<Response> => {
  let response = await send(path, options);
  if (response.status === 401 && !options.asIs) {
    const refusal = new ApiError(401, await statusOf(response));
    try {
      await credentials.expired();
    } catch {
      throw refusal;
    }
    response = await send(path, options);
  }
  if (!response.ok) throw new ApiError(response.status, await statusOf(response));
  return response;
};

export const request = async <T>(path: string, options: RequestOptions = {}): Promise<T> => {
  const response = await open(path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
};

const part = encodeURIComponent;

const collection = (kind: string, namespace: string | undefined): string => {
  const base = "/apis/aetherv.io/v1alpha1";
  return namespace ? `${base}/namespaces/${part(namespace)}/${pluralOf(kind)}` : `${base}/${pluralOf(kind)}`;
};

const pathOf = (where: Where): string => `${collection(where.kind, where.namespace)}/${part(where.name)}`;

const query = (values: Readonly<Record<string, string | number | boolean | undefined>>): string => {
  const given = Object.entries(values).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
};

const dryRun = (options: WriteOptions): string => query({ dryRun: options.dryRun ? "All" : undefined });
const ifMatch = (options: WriteOptions): Record<string, string> =>
  options.ifMatch === undefined ? {} : { "if-match": `"${options.ifMatch}"` };

export const get = <R extends Resource>(where: Where, signal?: AbortSignal): Promise<R> =>
  request<R>(pathOf(where), { signal });

/** Creates an object from its draft; the answer has what the server added. */
export const post = <R extends Resource>(
  draft: { kind: string; metadata: { namespace?: string | undefined } },
  options: WriteOptions = {},
): Promise<R> =>
  request<R>(`${collection(draft.kind, draft.metadata.namespace)}${dryRun(options)}`, { method: "POST", body: draft });

/** Replaces an object as a whole. */
export const put = <R extends Resource>(where: Where, object: unknown, options: WriteOptions = {}): Promise<R> =>
  request<R>(`${pathOf(where)}${dryRun(options)}`, { method: "PUT", body: object, headers: ifMatch(options) });

export const remove = (where: Where, options: WriteOptions = {}): Promise<unknown> =>
  request(`${pathOf(where)}${dryRun(options)}`, { method: "DELETE", headers: ifMatch(options) });

/** What an admin does to an object beside editing it. `-` stands for no namespace. */
export const act = <R extends Resource>(
  where: Where,
  action: ObjectAction,
  more: { readonly planHash?: string } = {},
): Promise<R> =>
  request<R>(`/v1/objects/${part(where.kind)}/${part(where.namespace || "-")}/${part(where.name)}/actions`, {
    method: "POST",
    body: { action, ...more },
  });

export const plan = (body: PlanRequest, signal?: AbortSignal): Promise<PlanReport> =>
  request<PlanReport>("/v1/plan", { method: "POST", body, signal });

/** A GET under /v1, as `v1("jobs", { limit: 10 })`. */
export const v1 = <T>(
  path: string,
  values: Readonly<Record<string, string | number | boolean | undefined>> = {},
  signal?: AbortSignal,
): Promise<T> => request<T>(`/v1/${path}${query(values)}`, { signal });

/** Objects as the YAML that would be committed; made by the server. */
export const render = async (objects: readonly unknown[], signal?: AbortSignal): Promise<string> =>
  (await request<{ yaml: string }>("/v1/render", { method: "POST", body: { objects }, signal })).yaml;
