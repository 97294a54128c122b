import type { AnyResource } from "../../../../src/api/generated/types.ts";
import type { JobRecord } from "../../../../src/engine/ports.ts";
import type { FilesReport } from "../../../../src/server/control.ts";
import { hrefOf, wordsOf } from "../../lib/kinds.ts";
import { operationText } from "../../lib/jobWords.ts";
import { conditionOf, needsAttention, standingOf, type StandingId, type Tone } from "../../lib/standing.ts";

/** Something that somebody should look at. */
export interface Concern {
  readonly tone: Tone;
  readonly title: string;
  /** Why, in a word or two. */
  readonly what: string;
  readonly text: string;
  readonly href?: string;
  readonly time?: string | undefined;
}

/** The condition that says since when. */
const telling: Readonly<Partial<Record<StandingId, string>>> = { stalled: "Stalled", approval: "RestartRequired" };

const ofObject = (object: AnyResource): readonly Concern[] => {
  if (!needsAttention(object)) return [];
  const standing = standingOf(object);
  const { kind, metadata } = object;
  const isOffline = kind === "VMHost" && conditionOf(object, "Reachable")?.status === "False";
  return [
    {
      tone: isOffline ? "bad" : standing.tone,
      title: `${wordsOf(kind).one} ${metadata.name}`,
      what: isOffline ? "Offline" : standing.id === "approval" ? "Awaits approval" : (standing.reason ?? standing.text),
      text: standing.message ?? "",
      href: hrefOf({ kind, namespace: metadata.namespace, name: metadata.name }),
      time: (conditionOf(object, telling[standing.id] ?? "Ready") ?? conditionOf(object, "Ready"))?.lastTransitionTime,
    },
  ];
};

const ofFiles = (files: FilesReport): readonly Concern[] => [
  ...files.problems.map((problem): Concern => ({
    tone: "bad",
    title: `${problem.file}${problem.line === undefined ? "" : `:${problem.line}`}`,
    what: "File refused",
    text: [problem.path, problem.message, problem.hint].filter(Boolean).join(": "),
  })),
  ...files.missing.map(({ key, since, deletesAt }): Concern => ({
    tone: "warn",
    title: `${wordsOf(key.kind).one} ${key.name}`,
    what: "Document missing",
    text: deletesAt
      ? "Its document is gone from the files: it is about to be deleted."
      : "Its document is gone from the files. Its deletion is held back.",
    href: hrefOf(key),
    time: since,
  })),
];

const dayMs = 86_400_000;

/** Failed jobs of the last day whose object has had no job that went well since; one an object. */
const ofJobs = (jobs: readonly JobRecord[], now: number): readonly Concern[] => {
  const seen = new Set<string>();
  return jobs.flatMap((job): readonly Concern[] => {
    const id = `${job.key.kind}/${job.key.namespace}/${job.key.name}`;
    if (job.finishedAt === undefined || job.status === "withdrawn" || seen.has(id)) return [];
    seen.add(id);
    if (job.status === "success" || now - Date.parse(job.finishedAt) > dayMs) return [];
    return [
      {
        tone: "bad",
        title: `${operationText(job.operation)}: ${job.key.name}`,
        what: `Job failed${job.code ? `, ${job.code}` : ""}`,
        text: job.message ?? "",
        href: `/jobs/${encodeURIComponent(job.id)}`,
        time: job.finishedAt,
      },
    ];
  });
};

export interface Sources {
  readonly objects: readonly AnyResource[];
  readonly files?: FilesReport | undefined;
  /** Newest first. */
  readonly jobs: readonly JobRecord[];
  readonly now: number;
}

/** All that asks for somebody, worst first. */
export const concernsOf = ({ objects, files, jobs, now }: Sources): readonly Concern[] => {
  const all = [...objects.flatMap(ofObject), ...(files ? ofFiles(files) : []), ...ofJobs(jobs, now)];
  const order: Readonly<Record<Tone, number>> = { bad: 0, warn: 1, info: 2, idle: 3, ok: 4 };
  return all.sort((a, b) => order[a.tone] - order[b.tone]);
};
