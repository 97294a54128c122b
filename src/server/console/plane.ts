import { findKind, kinds } from "../../api/kinds.ts";
import type { Key } from "../../api/resource.ts";
import type { PlanRequest, RestoreRequest } from "../control.ts";
import { noteMissing } from "../missing.ts";
import { act, actionIn, actions } from "./actions.ts";
import { planRequest } from "../planRequest.ts";
import { manifestOf } from "./manifest.ts";
import type { Call, JsonSchema, Route } from "./route.ts";
import { listOf, refTo } from "./schemas.ts";
import { ApiError, notFound } from "./status.ts";
import { summarize } from "./summary.ts";

const text: JsonSchema = { type: "string" };
const limit: JsonSchema = { type: "integer", minimum: 1, maximum: 10_000 };
const ofObject = { kind: text, namespace: text, name: text } as const;
const draftBytes = 16 * 1024 * 1024;

export interface PlaneParts {
  readonly now: () => Date;
  /** Objects as the YAML documents that stand for them. */
  readonly render: (objects: readonly unknown[]) => string;
}

/** What the control plane knows, and what it is asked to do. */
export const planeRoutes = ({ now, render }: PlaneParts): readonly Route[] => [
  ...stateRoutes,
  ...historyRoutes,
  {
    method: "POST",
    url: "/v1/plan",
    id: "plan",
    summary: "What would be done: for drafts, for deletions, or for the objects as they are",
    body: refTo("PlanRequest"),
    answer: refTo("PlanReport"),
    bodyLimit: draftBytes,
    handle: ({ user, body }) => planned(user.control, body),
  },
  {
    method: "POST",
    url: "/v1/render",
    id: "render",
    summary: "The YAML documents of objects, to be kept in Git",
    body: {
      type: "object",
      required: ["objects"],
      properties: { objects: { type: "array", items: { type: "object" } } },
    },
    answer: { type: "object", required: ["yaml"], properties: { yaml: text } },
    bodyLimit: draftBytes,
    handle: ({ body }) => ({ yaml: render(objectsIn(body).map(manifestOf)) }),
  },
  {
    method: "POST",
    url: "/v1/restore",
    id: "restore",
    summary: "Bring a disk back from a host's trash",
    body: refTo("RestoreRequest"),
    answer: refTo("RestoreReport"),
    async handle({ user, body }) {
      await user.require("restore");
      return user.control.restore(restoreIn(body));
    },
  },
  {
    method: "POST",
    url: "/v1/objects/:kind/:namespace/:name/actions",
    id: "act",
    summary: "Start, stop, approve and the like; '-' is the namespace of an object without one",
    body: {
      type: "object",
      required: ["action"],
      properties: { action: { type: "string", enum: actions }, planHash: text },
    },
    answer: refTo("AnyObject"),
    handle: ({ user, params, body }) => act(user, keyIn(params), actionIn(body), now()),
  },
];

const stateRoutes: readonly Route[] = [
  {
    method: "GET",
    url: "/v1/status",
    id: "status",
    summary: "The control plane itself",
    answer: refTo("ControlStatus"),
    handle: ({ user }) => user.control.status(),
  },
  {
    method: "GET",
    url: "/v1/summary",
    id: "summary",
    summary: "Numbers for an overview",
    answer: refTo("Summary"),
    handle: ({ user }) => summarize(user),
  },
  {
    method: "GET",
    url: "/v1/hosts",
    id: "hosts",
    summary: "How each host is reached",
    answer: listOf("HostReport"),
    handle: ({ user }) => user.control.hosts(),
  },
  {
    method: "GET",
    url: "/v1/hosts/:host/inventory",
    id: "inventory",
    summary: "Everything last seen on a host",
    answer: refTo("HostInventory"),
    async handle({ user, params: { host = "" } }) {
      const found = await user.control.inventory(host);
      if (!found) throw new ApiError("NotFound", `host ${host} has not been seen yet`);
      return found;
    },
  },
  {
    method: "GET",
    url: "/v1/problems",
    id: "problems",
    summary: "What is wrong with the manifest files; objects whose document is gone",
    answer: refTo("FilesReport"),
    handle: ({ user }) => user.control.problems(),
  },
  {
    method: "GET",
    url: "/v1/trash",
    id: "trash",
    summary: "Disk files in the hosts' trash",
    answer: listOf("TrashEntry"),
    handle: ({ user }) => user.control.trash(),
  },
];

const historyRoutes: readonly Route[] = [
  {
    method: "GET",
    url: "/v1/jobs",
    id: "jobs",
    summary: "Jobs, newest first",
    query: { ...ofObject, host: text, failed: { type: "string", enum: ["true", "false"] }, limit },
    answer: listOf("JobRecord"),
    handle: ({ user, query, reply }) =>
      user.control.jobs(
        {
          ...keyFilter(query),
          ...(query["host"] === undefined ? {} : { host: query["host"] }),
          ...(query["failed"] === "true" ? { failed: true } : {}),
          ...limitFilter(query),
        },
        noteMissing(reply),
      ),
  },
  {
    method: "GET",
    url: "/v1/jobs/:id",
    id: "job",
    summary: "One job",
    answer: refTo("JobRecord"),
    async handle({ user, params: { id = "" } }) {
      const job = await user.control.job(id);
      if (!job) throw new ApiError("NotFound", `job ${id} does not exist`);
      return job;
    },
  },
  {
    method: "GET",
    url: "/v1/events",
    id: "events",
    summary: "Events, oldest first",
    query: { ...ofObject, limit },
    answer: listOf("EventReport"),
    handle: ({ user, query, reply }) =>
      user.control.events({ ...keyFilter(query), ...limitFilter(query) }, noteMissing(reply)),
  },
];

export const kindIn = (typed: string): string => {
  const info = findKind(typed);
  if (info) return info.kind;
  throw new ApiError("BadRequest", `unknown kind "${typed}"; kinds are ${kinds.map(({ kind }) => kind).join(", ")}`);
};

const keyIn = ({ kind = "", namespace = "", name = "" }: Call["params"]): Key => {
  const info = findKind(kind);
  if (!info) throw notFound(kind, name);
  return { kind: info.kind, namespace: info.scope === "Cluster" || namespace === "-" ? "" : namespace, name };
};

const keyFilter = ({ kind, namespace = "", name }: Call["query"]): { key?: Key } =>
  kind === undefined || name === undefined
    ? {}
    : { key: { kind: kindIn(kind), namespace: namespace === "-" ? "" : namespace, name } };

const limitFilter = (query: Call["query"]): { limit?: number } => {
  if (query["limit"] === undefined) return {};
  const count = Number(query["limit"]);
  if (!Number.isSafeInteger(count) || count < 1 || count > 10_000)
    throw new ApiError("BadRequest", "limit must be a number from 1 to 10000");
  return { limit: count };
};

/** Beyond this, one request would keep the control plane from its hosts for seconds: its work grows with the square. */
const mostDrafts = 1_000;

const planned = (control: { plan(request: PlanRequest): Promise<unknown> }, body: unknown): Promise<unknown> => {
  const request = planRequest(body);
  const count = (request.documents?.length ?? 0) + (request.remove?.length ?? 0);
  if (count > mostDrafts)
    throw new ApiError(
      "RequestEntityTooLarge",
      `${count} documents and deletions: at most ${mostDrafts} are planned at once`,
    );
  return control.plan(request);
};

const objectsIn = (body: unknown): readonly unknown[] => {
  const { objects } = (body ?? {}) as { objects?: unknown };
  if (!Array.isArray(objects)) throw new ApiError("BadRequest", "objects must be a list");
  return objects;
};

const restoreIn = (body: unknown): RestoreRequest => {
  const { host, path } = (body ?? {}) as Partial<Record<string, unknown>>;
  if (typeof host !== "string" || typeof path !== "string")
    throw new ApiError("BadRequest", "restore needs the texts host and path");
  return { host, path };
};
