import cookie from "@fastify/cookie";
import rateLimit from "@fastify/rate-limit";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "../../engine/ports.ts";
import type { TlsKeys } from "../server.ts";
import type { ConsoleDoor } from "./access.ts";
import { Entrance, type Known } from "./entrance.ts";
import { liveRoutes } from "./live.ts";
import { objectRoutes } from "./objects.ts";
import { openApi } from "./openapi.ts";
import { servePage } from "./page.ts";
import { planeRoutes } from "./plane.ts";
import type { Route } from "./route.ts";
import { secure, securityHeaders } from "./security.ts";
import { defaultSessionTimes, Sessions, type SessionTimes } from "./sessions.ts";
import { ApiError, statusFor } from "./status.ts";
import { isDeeperThan, mostLevels } from "../nesting.ts";
import { streamEvents, type ServerEvent } from "../stream.ts";

export interface ConsoleOptions {
  readonly door: ConsoleDoor;
  readonly version: string;
  /** Folder of the built page. */
  readonly page: string;
  /** Names, besides this machine's, by which browsers call it. */
  readonly hosts: readonly string[];
  readonly tls?: TlsKeys | undefined;
  readonly now: () => Date;
  readonly render: (objects: readonly unknown[]) => string;
  readonly log: Logger;
  readonly sessions?: SessionTimes;
  readonly limits?: Limits;
  /** Of streams; see StreamOptions. */
  readonly streams?: { readonly heartbeatMs: number; readonly patienceMs: number };
}

/** Requests a minute. */
export interface Limits {
  readonly api: number;
  /** Of tokens at the login. */
  readonly login: number;
}

const defaultLimits: Limits = { api: 1_200, login: 20 };
/** Streams and clients that say nothing hold sockets: the process needs descriptors for its files and hosts. */
const mostConnections = 512;
const defaultStreams = { heartbeatMs: 15_000, patienceMs: 60_000 };

/** The console's API and page, not yet listening. */
export const consoleApp = async (options: ConsoleOptions): Promise<FastifyInstance> => {
  const { tls, log, door, now, render } = options;
  const common = {
    logger: false,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true },
    // Who sends a request byte by byte holds a connection no longer than this.
    requestTimeout: 60_000,
    // A path that cannot be read reaches no hook.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply): void => {
      void answerError(error, { request, reply: reply.headers(securityHeaders(tls !== undefined)), log });
    },
  } as const;
  const app = tls ? (fastify({ ...common, https: tls }) as unknown as FastifyInstance) : fastify(common);
  app.server.maxConnections = mostConnections;
  const limits = options.limits ?? defaultLimits;
  const entrance = new Entrance({
    door,
    sessions: new Sessions(options.sessions ?? defaultSessionTimes, now),
    tls: tls !== undefined,
    now,
  });
  app.setErrorHandler((error, request, reply) => answerError(error, { request, reply, log }));
  secure(app, { hosts: options.hosts, tls: tls !== undefined });
  await app.register(cookie);
  await app.register(rateLimit, {
    max: limits.api,
    timeWindow: 60_000,
    keyGenerator: (request) => entrance.nameOf(request),
    errorResponseBuilder: (_request, { ttl }) =>
      new ApiError("TooManyRequests", "too many requests: wait a little", { retryAfterSeconds: Math.ceil(ttl / 1000) }),
  });
  const notFoundPage = await servePage(app, options.page);
  entrance.routes(app, { version: options.version, loginsAMinute: limits.login });
  const streams = options.streams ?? defaultStreams;
  const routes = [...objectRoutes, ...planeRoutes({ now, render }), ...liveRoutes];
  for (const route of routes) addRoute(app, route, { entrance, streams });
  const described = openApi(routes, options.version);
  app.get("/v1/openapi.json", () => described);
  app.setNotFoundHandler((request, reply) => {
    const wantsPage = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
    if (wantsPage && !/^\/(v1|apis|assets)\//.test(request.url)) return notFoundPage(reply);
    throw new ApiError("NotFound", `no such path: ${request.method} ${request.url.split("?")[0] ?? ""}`);
  });
  return app;
};

const answerError = (
  error: unknown,
  { request, reply, log }: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly log: Logger },
): FastifyReply => {
  const status = statusFor(error);
  if (status.code === 500) log.error({ err: error, url: request.url }, "a request to the console failed");
  if (status.code === 401) reply.header("www-authenticate", "Bearer");
  if (status.details?.retryAfterSeconds !== undefined) reply.header("retry-after", status.details.retryAfterSeconds);
  return reply.code(status.code).send(status);
};

interface Serving {
  readonly entrance: Entrance;
  readonly streams: { readonly heartbeatMs: number; readonly patienceMs: number };
}

const addRoute = (app: FastifyInstance, route: Route, { entrance, streams }: Serving): void => {
  const entered = new WeakMap<FastifyRequest, Known>();
  app.route({
    method: route.method,
    url: route.url,
    ...(route.bodyLimit === undefined ? {} : { bodyLimit: route.bodyLimit }),
    // Before the body: of nobody, none is read.
    preParsing: async (request) => {
      entered.set(request, await entrance.enter(request));
    },
    preHandler: (request, _reply, done) => {
      if (isDeeperThan(request.body, mostLevels))
        throw new ApiError("BadRequest", `the body is nested more than ${mostLevels} levels deep`);
      done();
    },
    handler: async (request, reply) => {
      const known = entered.get(request) ?? (await entrance.enter(request));
      refuseUnknown(request.query as object, route);
      const answer = await route.handle(callOf(known, request, reply));
      if (route.streams !== true) return reply.code(route.code ?? 200).send(answer);
      const source = answer as (signal: AbortSignal) => AsyncIterable<ServerEvent>;
      return streamEvents(request, reply, source, {
        ...streams,
        mayGoOn: () => entrance.enter(request),
        errorData: statusFor,
      });
    },
  });
};

/** A parameter that is not known may be a `dryRun` misspelt: what was to be tried only must not be done. */
const refuseUnknown = (query: object, { query: known = {} }: Route): void => {
  const unknown = Object.keys(query).find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) throw new ApiError("BadRequest", `unknown parameter ${unknown}`);
};

const callOf = (
  { user, session }: Known,
  request: FastifyRequest,
  reply: FastifyReply,
): Parameters<Route["handle"]>[0] => ({
  user,
  session,
  params: request.params as Record<string, string>,
  query: singleValues(request.query),
  body: request.body,
  request,
  reply,
});

/** A parameter that stands twice has no meaning here. */
const singleValues = (query: unknown): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(query as Record<string, string | string[]>).map(([name, value]) => {
      if (typeof value !== "string") throw new ApiError("BadRequest", `the parameter ${name} stands twice`);
      return [name, value];
    }),
  );
