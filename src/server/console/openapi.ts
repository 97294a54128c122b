import type { JsonSchema, Route } from "./route.ts";
import { refTo, schemas } from "./schemas.ts";

/** What a document says of a route that is served elsewhere than by the table of routes. */
type Described = Omit<Route, "handle"> & { readonly open?: true };

/** The way in: served by the entrance. */
export const entranceRoutes: readonly Described[] = [
  {
    method: "GET",
    url: "/v1/session",
    id: "session",
    summary: "Who is asking, and what they may do",
    answer: refTo("Session"),
    open: true,
  },
  {
    method: "POST",
    url: "/v1/login",
    id: "login",
    summary: "Begin a browser's session with a token",
    body: { type: "object", required: ["token"], properties: { token: { type: "string" } } },
    answer: {},
    code: 204,
    open: true,
  },
  { method: "POST", url: "/v1/logout", id: "logout", summary: "End the session", answer: {}, code: 204, open: true },
  {
    method: "GET",
    url: "/v1/openapi.json",
    id: "openapi",
    summary: "This document",
    answer: { type: "object" },
    open: true,
  },
];

const parameterIn = (place: "query" | "header", of: Readonly<Record<string, JsonSchema>> = {}): readonly JsonSchema[] =>
  Object.entries(of).map(([name, { description, ...schema }]) => ({
    name: place === "header" ? "If-Match" : name,
    in: place,
    schema,
    ...(description === undefined ? {} : { description }),
  }));

const inPath = (url: string): readonly JsonSchema[] =>
  [...url.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));

const operation = (route: Described): JsonSchema => {
  const { id, summary, url, query, headers, body, answer, streams, code = 200, open } = route;
  const type = streams === true ? "text/event-stream" : "application/json";
  return {
    operationId: id,
    summary,
    ...(open === true ? { security: [] } : {}),
    parameters: [...inPath(url), ...parameterIn("query", query), ...parameterIn("header", headers)],
    ...(body ? { requestBody: { required: true, content: { "application/json": { schema: body } } } } : {}),
    responses: {
      [code]: {
        description: streams === true ? "Server-sent events; each data line is one of these." : "Success.",
        ...(code === 204 ? {} : { content: { [type]: { schema: answer } } }),
      },
      default: {
        description: "Refused or failed.",
        content: { "application/json": { schema: refTo("Status") } },
      },
    },
  };
};

/** Paths as OpenAPI has them: `{name}` for `:name`. */
export const openPath = (url: string): string => url.replace(/:(\w+)/g, "{$1}");

/** The OpenAPI document of these routes and the way in. */
export const openApi = (routes: readonly Route[], version: string): JsonSchema => {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of [...entranceRoutes, ...routes])
    (paths[openPath(route.url)] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: "3.1.0",
    info: {
      title: "AetherV",
      version,
      description:
        "Objects as the API server of Kubernetes serves them, and what the control plane knows. A browser's change by cookie needs the header x-aetherv-csrf.",
    },
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      schemas: schemas(),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "aetherv-session" },
      },
    },
  };
};
