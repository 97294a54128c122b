import { chmod, rm } from "node:fs/promises";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "../engine/ports.ts";
import { ControlError, type ControlErrorCode } from "./control.ts";
import { errorBody, routes, type Answering } from "./routes.ts";

const statusOf: Readonly<Record<ControlErrorCode, number>> = {
  NotFound: 404,
  Invalid: 400,
  Conflict: 409,
  Forbidden: 403,
  Unauthenticated: 401,
  Standby: 503,
  Unavailable: 503,
  Internal: 500,
};

/** Key and certificate as PEM texts. */
export interface TlsKeys {
  readonly key: string;
  readonly cert: string;
}

export interface ControlServer {
  close(): Promise<void>;
}

/** The HTTP application, not yet listening. Who answers a request is asked at each. */
export const controlApp = (control: Answering, log: Logger, https?: TlsKeys): FastifyInstance => {
  const common = { logger: false, forceCloseConnections: true } as const;
  const app = https ? (fastify({ ...common, https }) as unknown as FastifyInstance) : fastify(common);
  routes(app, control);
  app.setErrorHandler((error, request, reply) => {
    const status = error instanceof ControlError ? statusOf[error.code] : httpStatus(error);
    if (status >= 500 && !(error instanceof ControlError && error.code === "Standby"))
      log.error({ error, url: request.url }, "a request to the control plane's API failed");
    return reply.code(status).send(errorBody(error));
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send(errorBody(new ControlError("NotFound", `no such path: ${request.method} ${request.url}`))),
  );
  return app;
};

const httpStatus = (error: unknown): number => {
  const status = (error as { statusCode?: unknown }).statusCode;
  return typeof status === "number" && status >= 400 ? status : 500;
};

/**
 * Serves the control plane on a Unix socket that only its owner may open (0600). A socket left by a killed process is
 * removed: the caller holds the data folder's lock, so nobody else listens there.
 */
export const serveSocket = async (path: string, control: Answering, log: Logger): Promise<ControlServer> => {
  const app = controlApp(control, log);
  await rm(path, { force: true });
  // The mask is in force before the socket exists: no moment at which others could open it.
  const mask = process.umask(0o177);
  try {
    await app.listen({ path });
  } finally {
    process.umask(mask);
  }
  await chmod(path, 0o600);
  return {
    close: async () => {
      await app.close();
      await rm(path, { force: true });
    },
  };
};
