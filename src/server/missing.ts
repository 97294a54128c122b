import type { FastifyReply } from "fastify";
import { missingHeader, missingValue, type MissingReplica } from "../api/missingReplicas.ts";
import type { TellMissing } from "./control.ts";

/** Notes replicas that were not heard in the answer's header. */
export const noteMissing = (reply: FastifyReply): TellMissing => {
  const all: MissingReplica[] = [];
  return (replica) => {
    all.push(replica);
    void reply.header(missingHeader, missingValue(all));
  };
};
