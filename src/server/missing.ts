import type { FastifyReply } from "fastify";
import type { MissingReplica, TellMissing } from "./control.ts";

/** Header of a list: which replicas' part is not in it, as JSON with the characters of a URI. A list's body stays a list. */
export const missingHeader = "aetherv-missing-replicas";

/** Notes replicas that were not heard in the answer's header. */
export const noteMissing = (reply: FastifyReply): TellMissing => {
  const all: MissingReplica[] = [];
  return (replica) => {
    all.push(replica);
    void reply.header(missingHeader, encodeURIComponent(JSON.stringify(all)));
  };
};

/** Those that a header names. */
export const missingIn = (header: string | readonly string[] | undefined | null): readonly MissingReplica[] => {
  if (typeof header !== "string") return [];
  try {
    return JSON.parse(decodeURIComponent(header)) as readonly MissingReplica[];
  } catch {
    return [{ name: "unknown", why: "the note of who was not heard cannot be read", hosts: [], hostCount: 0 }];
  }
};
