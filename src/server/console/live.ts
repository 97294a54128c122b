import { kinds } from "../../api/kinds.ts";
import { kindIn } from "./plane.ts";
import type { Route } from "./route.ts";
import { refTo } from "./schemas.ts";
import { messages } from "../stream.ts";

/** Streams: their handlers give what is sent, event by event. */
export const liveRoutes: readonly Route[] = [
  {
    method: "GET",
    url: "/v1/watch",
    id: "watch",
    summary: "Every object of the kinds, then `synced`, then each change",
    query: { kinds: { type: "string", description: "Separated by commas; all if not given." } },
    answer: refTo("ObjectChange"),
    streams: true,
    handle({ user, query }) {
      const wanted = (query["kinds"] ?? "").split(",").filter(Boolean).map(kindIn);
      const all = wanted.length > 0 ? wanted : kinds.map(({ kind }) => kind);
      return (signal: AbortSignal) => messages(user.control.watch(all, signal));
    },
  },
  {
    method: "GET",
    url: "/v1/jobs/watch",
    id: "watchJobs",
    summary: "Jobs under way, then each change of a job",
    answer: refTo("JobRecord"),
    streams: true,
    handle:
      ({ user }) =>
      (signal: AbortSignal) =>
        messages(user.control.watchJobs(signal)),
  },
  {
    method: "GET",
    url: "/v1/jobs/:id/log",
    id: "jobLog",
    summary: "A job's log; with `follow` until it ends, with its progress as events named `job`",
    query: { follow: { type: "string", enum: ["true", "false"] } },
    answer: refTo("LogLine"),
    streams: true,
    async handle({ user, params: { id = "" }, query }) {
      // What is refused is told by the answer's status; once a stream has begun, there is none any more.
      await user.control.job(id);
      const follow = query["follow"] === "true";
      return (signal: AbortSignal) => messages(user.control.jobLog(id, { follow }, signal));
    },
  },
];
