import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { abilitiesOf, type ConsoleDoor, type ConsoleUser } from "./access.ts";
import { isSafe } from "./security.ts";
import { sameText, type Session, type Sessions } from "./sessions.ts";
import { ApiError } from "./status.ts";

export interface EntranceOptions {
  readonly door: ConsoleDoor;
  readonly sessions: Sessions;
  readonly tls: boolean;
  readonly now: () => Date;
}

/** Who asks. */
export interface Known {
  readonly user: ConsoleUser;
  readonly session?: Session;
}

const mostProven = 1_000;

const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex");

export const csrfHeader = "x-aetherv-csrf";

const loginFirst = (): ApiError => new ApiError("Unauthorized", "log in first, or send Authorization: Bearer TOKEN");

/** Tells at each request who asks: by a token in the header, or by the cookie of a session. */
export class Entrance {
  readonly #options: EntranceOptions;
  /** Digests of tokens that were good once; the oldest first. */
  readonly #proven = new Set<string>();

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /** Rejects with 401 for nobody, with 403 for a browser's change without the session's word. */
  async enter(request: FastifyRequest): Promise<Known> {
    const bearer = bearerOf(request);
    if (bearer !== undefined) return { user: await this.#user(bearer) };
    const session = this.#session(request);
    if (!session) throw loginFirst();
    if (!isSafe(request)) checkCsrf(request, session);
    return { user: await this.#user(session.token), session };
  }

  /** Who to count a request for: the address until somebody has proved who they are, or guesses would count for nobody. */
  nameOf(request: FastifyRequest): string {
    const bearer = bearerOf(request);
    const proof = bearer ?? this.#session(request, "look")?.token;
    const name = proof === undefined ? undefined : digestOf(proof);
    return name !== undefined && this.#proven.has(name) ? name : request.ip;
  }

  routes(app: FastifyInstance, about: { readonly version: string; readonly loginsAMinute: number }): void {
    app.get("/v1/session", (request) => this.#describe(request, about.version));
    app.post(
      "/v1/login",
      {
        bodyLimit: 64 * 1024,
        config: { rateLimit: { max: about.loginsAMinute, keyGenerator: ({ ip }: FastifyRequest) => ip } },
      },
      async (request, reply) => {
        const { token } = (request.body ?? {}) as { token?: unknown };
        if (typeof token !== "string" || token === "") throw new ApiError("BadRequest", "the body must have a token");
        await this.#user(token.trim());
        this.#end(request);
        this.#give(request, reply, this.#options.sessions.open(token.trim()));
        return reply.code(204).send();
      },
    );
    app.post("/v1/logout", (request, reply) => {
      const session = this.#session(request);
      if (session) checkCsrf(request, session);
      this.#end(request);
      return reply.clearCookie(this.#cookieName(request), { path: "/" }).code(204).send();
    });
  }

  async #describe(request: FastifyRequest, version: string): Promise<object> {
    const { mode } = this.#options.door;
    const known = await this.enter(request).catch((error: unknown) => {
      if (error instanceof ApiError && error.status.code === 401) return undefined;
      throw error;
    });
    if (!known) return { mode, loggedIn: false, can: abilitiesOf(undefined), version };
    const { user, session } = known;
    const can = await user.can();
    return {
      mode,
      loggedIn: true,
      user: user.name,
      ...(user.role === undefined ? {} : { role: user.role }),
      ...(user.expires === undefined ? {} : { expiresAt: user.expires.toISOString() }),
      can,
      ...(session ? { csrf: session.csrf } : {}),
      version,
      ...(Object.values(can).some(Boolean) ? {} : { readOnlyReason: readOnlyReason(user) }),
    };
  }

  async #user(token: string): Promise<ConsoleUser> {
    const user = await this.#options.door.user(token);
    if (!user || (user.expires !== undefined && user.expires <= this.#options.now()))
      throw new ApiError("Unauthorized", "the token is not valid, or no longer: log in with another one");
    this.#proven.add(digestOf(token));
    for (const oldest of this.#proven) {
      if (this.#proven.size <= mostProven) break;
      this.#proven.delete(oldest);
    }
    return user;
  }

  #session(request: FastifyRequest, how: "use" | "look" = "use"): Session | undefined {
    const id = request.cookies[this.#cookieName(request)];
    return id === undefined ? undefined : this.#options.sessions.find(id, how);
  }

  #end(request: FastifyRequest): void {
    const id = request.cookies[this.#cookieName(request)];
    if (id !== undefined) this.#options.sessions.close(id);
  }

  #give(request: FastifyRequest, reply: FastifyReply, id: string): void {
    reply.setCookie(this.#cookieName(request), id, {
      path: "/",
      httpOnly: true,
      sameSite: "strict",
      secure: this.#options.tls,
    });
  }

  /** Browsers send a cookie to every port of a host: two consoles of one machine would log each other out. */
  #cookieName(request: FastifyRequest): string {
    return `aetherv-session-${request.socket.localPort ?? 0}`;
  }
}

const readOnlyReason = ({ name, role }: ConsoleUser): string =>
  role === undefined
    ? `${name} may change nothing here: a role of the cluster has to allow it`
    : `${name} has the role ${role}, which may look at everything and change nothing`;

const bearerOf = ({ headers: { authorization } }: FastifyRequest): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];

/** What only a page of this origin can know: a form of another page sends the cookie, but not this. */
const checkCsrf = (request: FastifyRequest, session: Session): void => {
  const given = request.headers[csrfHeader];
  if (typeof given === "string" && sameText(given, session.csrf)) return;
  throw new ApiError("Forbidden", `the header ${csrfHeader} must have the session's csrf of GET /v1/session`);
};
