import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { findKind, kinds, nearestKind } from "../api/kinds.ts";
import { annotations as names } from "../api/annotations.ts";
import type { Key } from "../api/resource.ts";
import type { JobRecord } from "../engine/ports.ts";
import { noteMissing } from "./missing.ts";
import { planRequest } from "./planRequest.ts";
import { messages, streamEvents } from "./stream.ts";
import { ControlError, type ControlPlane, type RestoreRequest } from "./control.ts";

/** Path parts of one object; `-` stands for the namespace of a cluster-scoped one. */
interface ObjectParams {
  kind: string;
  namespace: string;
  name: string;
}

type Query = Readonly<Record<string, string | undefined>>;

/** The control plane that answers a request; throws a ControlError where none may. */
export type Answering = (request: FastifyRequest) => ControlPlane;

/** The routes of the control plane's API: src/server/README of the paths is this list. */
export const routes = (app: FastifyInstance, control: Answering): void => {
  app.get("/v1/status", (request) => control(request).status());
  app.get("/v1/hosts", (request) => control(request).hosts());
  app.get<{ Params: { host: string } }>("/v1/hosts/:host/inventory", async (request) => {
    const found = await control(request).inventory(request.params.host);
    if (!found) throw new ControlError("NotFound", `host ${request.params.host} has not been seen yet`);
    return found;
  });
  app.get("/v1/problems", (request) => control(request).problems());
  app.get("/v1/trash", (request) => control(request).trash());
  app.get("/v1/backup", (request) => control(request).backup());
  app.post("/v1/plan", { bodyLimit: 64 * 1024 * 1024 }, (request) => control(request).plan(planRequest(request.body)));
  app.post("/v1/restore", (request) => control(request).restore(restoreRequest(request.body)));
  objectRoutes(app, control);
  historyRoutes(app, control);
};

const objectRoutes = (app: FastifyInstance, control: Answering): void => {
  app.get<{ Params: { kind: string }; Querystring: Query }>("/v1/objects/:kind", (request) =>
    control(request).list(kindNamed(request.params.kind), request.query["namespace"]),
  );
  app.get<{ Params: ObjectParams }>("/v1/objects/:kind/:namespace/:name", async (request) => {
    const key = keyOfParams(request.params);
    const found = await control(request).get(key);
    if (!found) throw new ControlError("NotFound", `${key.kind} ${key.name} does not exist`);
    return found;
  });
  app.patch<{ Params: ObjectParams }>("/v1/objects/:kind/:namespace/:name/annotations", (request) =>
    control(request).annotate(keyOfParams(request.params), annotationChanges(request.body)),
  );
  app.get<{ Querystring: Query }>("/v1/watch", (request, reply) => {
    const wanted = (request.query["kinds"] ?? "").split(",").filter(Boolean).map(kindNamed);
    const all = wanted.length > 0 ? wanted : kinds.map((info) => info.kind);
    return stream(request, reply, (signal) => control(request).watch(all, signal));
  });
};

const historyRoutes = (app: FastifyInstance, control: Answering): void => {
  app.get<{ Querystring: Query }>("/v1/jobs", (request, reply) => {
    const { query } = request;
    const filter = {
      ...keyFilter(query),
      ...(query["host"] === undefined ? {} : { host: query["host"] }),
      ...(query["failed"] === "true" ? { failed: true } : {}),
      ...limitFilter(query),
    };
    return control(request).jobs(filter, noteMissing(reply));
  });
  app.get("/v1/jobs/watch", (request, reply) => stream(request, reply, (signal) => control(request).watchJobs(signal)));
  app.get<{ Params: { id: string } }>("/v1/jobs/:id", (request) => existingJob(control(request), request.params.id));
  app.get<{ Params: { id: string }; Querystring: Query }>("/v1/jobs/:id/log", async (request, reply) => {
    const { params, query } = request;
    // What is refused is told by the answer's status; once a stream has begun, there is none any more.
    await existingJob(control(request), params.id);
    return stream(request, reply, (signal) =>
      control(request).jobLog(params.id, { follow: query["follow"] === "true" }, signal),
    );
  });
  app.get<{ Querystring: Query }>("/v1/events", (request, reply) =>
    control(request).events({ ...keyFilter(request.query), ...limitFilter(request.query) }, noteMissing(reply)),
  );
};

const existingJob = async (control: ControlPlane, id: string): Promise<JobRecord> => {
  const job = await control.job(id);
  if (!job) throw new ControlError("NotFound", `job ${id} does not exist`);
  return job;
};

const kindNamed = (typed: string): string => {
  const info = findKind(typed);
  if (info) return info.kind;
  const near = nearestKind(typed);
  throw new ControlError(
    "Invalid",
    `unknown kind "${typed}"; kinds are ${kinds.map((one) => one.kind).join(", ")}`,
    near === undefined ? undefined : `did you mean ${near}?`,
  );
};

const keyOfParams = (params: ObjectParams): Key => ({
  kind: kindNamed(params.kind),
  namespace: params.namespace === "-" ? "" : params.namespace,
  name: params.name,
});

const keyFilter = (query: Query): { key?: Key } => {
  const { kind, name } = query;
  if (kind === undefined || name === undefined) return {};
  return { key: { kind: kindNamed(kind), namespace: query["namespace"] ?? "", name } };
};

const limitFilter = (query: Query): { limit?: number } => {
  const limit = Number(query["limit"]);
  return Number.isSafeInteger(limit) && limit > 0 ? { limit } : {};
};

const known: ReadonlySet<string> = new Set(Object.values(names));

const annotationChanges = (body: unknown): Record<string, string | null> => {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new ControlError("Invalid", "the body must be an object of annotations and their values");
  for (const [name, value] of Object.entries(body)) {
    if (!known.has(name))
      throw new ControlError("Invalid", `annotation "${name}" is not one of ${[...known].join(", ")}`);
    if (value !== null && typeof value !== "string")
      throw new ControlError("Invalid", `annotation "${name}" must be a string, or null to take it off`);
  }
  return body as Record<string, string | null>;
};

const restoreRequest = (body: unknown): RestoreRequest => {
  const { host, path } = (body ?? {}) as Partial<Record<string, unknown>>;
  if (typeof host !== "string" || typeof path !== "string")
    throw new ControlError("Invalid", "restore needs the strings host and path");
  return { host, path };
};

const streaming = { heartbeatMs: 15_000, patienceMs: 60_000, errorData: (error: unknown) => errorBody(error) };

/** Sends each item as a server-sent event (one `data:` line of JSON); an error ends it as an `error` event. */
const stream = <T>(
  request: FastifyRequest,
  reply: FastifyReply,
  source: (signal: AbortSignal) => AsyncIterable<T>,
): Promise<void> => streamEvents(request, reply, (signal) => messages(source(signal)), streaming);

/** The body of every error answer. */
export const errorBody = (error: unknown): { error: { code: string; message: string; hint?: string } } => {
  if (error instanceof ControlError)
    return {
      error: { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) },
    };
  return { error: { code: "Internal", message: error instanceof Error ? error.message : String(error) } };
};
