import { fault, type Fault } from "../protocol/errors.ts";
import type { Reply } from "./session.ts";

/** What a job is told that may not be sent, as its host is down for this reason. */
export const unreachable = (why: Fault): Fault =>
  why.code === "StaleController" ? why : fault("HostUnreachable", why.message);

/** Why a question has no answer that counts. */
export const faultIn = (reply: Reply): Fault => {
  if (reply.at !== "answered") return reply.fault;
  return reply.checked.ok ? fault("InternalError", "no fault") : reply.checked.fault;
};
