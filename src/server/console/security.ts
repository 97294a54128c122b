import type { FastifyInstance, FastifyRequest } from "fastify";
import { isIP } from "node:net";
import { ApiError } from "./status.ts";

/** Nothing but what comes from here: no inline script or style, no eval, no frame around it. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join("; ");

const headers: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};

/** Headers of every answer. */
export const securityHeaders = (tls: boolean): Readonly<Record<string, string>> => ({
  ...headers,
  ...(tls ? { "strict-transport-security": "max-age=31536000" } : {}),
});

export interface SecurityOptions {
  /** Names besides those of this machine's loopback by which browsers may call the console. */
  readonly hosts: readonly string[];
  readonly tls: boolean;
}

/** Headers of every answer, and what is refused before anybody is asked who they are. */
export const secure = (app: FastifyInstance, { hosts, tls }: SecurityOptions): void => {
  const known = new Set(hosts.map((host) => host.toLowerCase()));
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders(tls));
    if (!request.url.startsWith("/assets/")) reply.header("cache-control", "no-store");
    checkHost(request, known);
    if (!isSafe(request)) checkOrigin(request);
  });
};

export const isSafe = ({ method }: FastifyRequest): boolean => ["GET", "HEAD", "OPTIONS"].includes(method);

const nameOf = (host: string): string =>
  host
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();

export const isLoopback = (name: string): boolean =>
  name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));

/**
 * A page of somebody else's whose name was made to lead to this address (DNS rebinding) counts as the same origin for the
 * browser: only its name tells.
 */
const checkHost = ({ headers: { host = "" } }: FastifyRequest, known: ReadonlySet<string>): void => {
  const name = nameOf(host);
  if (isLoopback(name) || known.has(name)) return;
  throw new ApiError(
    "MisdirectedRequest",
    `the console does not answer to the name "${name}": it has to be given with --console-host`,
  );
};

const checkOrigin = ({ headers: { origin, host = "", "sec-fetch-site": site } }: FastifyRequest): void => {
  const sameOrigin = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host.toLowerCase());
  const sameSite = site === undefined || site === "same-origin" || site === "none";
  if (!sameOrigin || !sameSite) throw new ApiError("Forbidden", "a page of another origin may change nothing here");
};
