import { chmod, rm } from "node:fs/promises";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "../engine/ports.ts";
import { ControlError, type ControlErrorCode, type ControlPlane } from "./control.ts";
import { errorBody, routes } from "./routes.ts";

const statusOf: Readonly<Record<ControlErrorCode, number>> = {
  NotFound: 404,
  Invalid: 400,
  Conflict: 409,
  Unavailable: 503,
  Internal: 500,
};

export interface ControlServer {
  close(): Promise<void>;
}

/** The HTTP application, not yet listening. */
export const controlApp = (control: ControlPlane, log: Logger): FastifyInstance => {
  const app = fastify({ logger: false, forceCloseConnections: true });
  routes(app, control);
  app.setErrorHandler((error, request, reply) => {
    const status = error instanceof ControlError ? statusOf[error.code] : httpStatus(error);
    if (status >= 500) log.error({ error, url: request.url }, "a request of the control socket failed");
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
export const serveSocket = async (path: string, control: ControlPlane, log: Logger): Promise<ControlServer> => {
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
