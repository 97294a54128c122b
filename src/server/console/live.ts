import type { JobRecord } from "../../engine/ports.ts";
import type { LogLine } from "../../protocol/generated/types.ts";
import { kinds } from "../../api/kinds.ts";
import { kindIn } from "./plane.ts";
import type { Route } from "./route.ts";
import { refTo } from "./schemas.ts";
import type { ControlPlane } from "../control.ts";
import { messages, type ServerEvent } from "../stream.ts";

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
      if (follow) return (signal: AbortSignal) => followed(user.control, id, signal);
      return (signal: AbortSignal) => messages(user.control.jobLog(id, { follow }, signal));
    },
  },
];

interface NewLine {
  readonly line: IteratorResult<LogLine>;
}

interface NewJob {
  readonly job: IteratorResult<JobRecord>;
}

/** A job's lines until it ends, and in between what becomes of the job. Each source is asked only when its last was taken. */
async function* followed(control: ControlPlane, id: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const lines = control.jobLog(id, { follow: true }, either)[Symbol.asyncIterator]();
  const jobs = control.watchJobs(either)[Symbol.asyncIterator]();
  const nextLine = async (): Promise<NewLine> => ({ line: await lines.next() });
  const nextJob = async (): Promise<NewJob> => ({ job: await jobs.next() });
  let line: Promise<NewLine> = nextLine();
  let job: Promise<NewJob> | undefined = nextJob();
  try {
    for (;;) {
      const news: NewLine | NewJob = await Promise.race(job ? [line, job] : [line]);
      if ("line" in news) {
        if (news.line.done === true) break;
        yield { data: news.line.value };
        line = nextLine();
      } else {
        if (news.job.done !== true && news.job.value.id === id) yield { event: "job", data: news.job.value };
        job = news.job.done === true ? undefined : nextJob();
      }
    }
    const last = await control.job(id);
    if (last && !signal.aborted) yield { event: "job", data: last };
  } finally {
    ended.abort();
    await job;
  }
}
