import type { FastifyReply, FastifyRequest } from "fastify";
import type { ConsoleUser } from "./access.ts";
import type { Session } from "./sessions.ts";

/** JSON Schema as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A request of somebody who is known. */
export interface Call {
  readonly user: ConsoleUser;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Of a browser. */
  readonly session?: Session | undefined;
}

/** One way to ask the console's API: what serves it, and what the OpenAPI document says of it. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Parameters as `:name`. */
  readonly url: string;
  readonly id: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, JsonSchema>>;
  readonly headers?: Readonly<Record<string, JsonSchema>>;
  readonly body?: JsonSchema;
  readonly answer: JsonSchema;
  /** The answer is a stream of server-sent events, each with this schema's JSON. */
  readonly streams?: boolean;
  /** Of success; 200 if not given. */
  readonly code?: number;
  /** Bytes of a body; 1 MiB if not given. */
  readonly bodyLimit?: number;
  handle(call: Call): unknown;
}
