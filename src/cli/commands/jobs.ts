import { Command, Option } from "commander";
import type { JobRecord } from "../../engine/ports.ts";
import type { LogLine } from "../../protocol/generated/types.ts";
import { ControlError, type ControlPlane } from "../../server/control.ts";
import { withControl, type Tools } from "../context.ts";
import { existing, keysTyped, keyShort } from "../names.ts";
import { tellMissing } from "../missing.ts";
import { limitOption } from "../options.ts";
import { age, exactDuration } from "../print/age.ts";
import { indent, table } from "../print/table.ts";
import { toJson, toYaml } from "../print/yaml.ts";

interface Options {
  readonly follow?: true;
  readonly failed?: true;
  readonly host?: string;
  readonly limit: number;
  readonly object?: string;
  readonly output?: "json";
}

const examples = `
Examples:
  aetherv jobs                       the last jobs, newest first
  aetherv jobs --object vm/web       of one object
  aetherv jobs 01JD...               one job with its request, log and result
  aetherv jobs 01JD... --follow      its log as it grows`;

/** `aetherv jobs`: what was sent to hosts, and how it ended. */
export const jobsCommand = (tools: Tools): Command =>
  new Command("jobs")
    .description("Show jobs that were sent to hosts; with an ID, one of them with its log")
    .argument("[id]", "ID of a job (its end is enough)")
    .option("-f, --follow", "print the job's log as it grows, until it ends")
    .option("--failed", "only those that failed")
    .option("--host <host>", "only those of this host")
    .option("--object <kind/name>", "only those of this object")
    .addOption(limitOption(30))
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json"]))
    .addHelpText("after", examples)
    .action((id: string | undefined, options: Options) =>
      withControl(tools.context[options.follow ? "connectRunning" : "connect"](tools.where()), (control) =>
        id === undefined ? listJobs(tools, control, options) : showJob(tools, control, id, options),
      ),
    );

const listJobs = async (tools: Tools, control: ControlPlane, options: Options): Promise<void> => {
  const { failed, host, limit, object, output } = options;
  if (options.follow) throw new ControlError("Invalid", "--follow needs the ID of a job", "`aetherv jobs` lists them");
  if (host !== undefined) await existing(control, { kind: "VMHost", namespace: "", name: host });
  const [key] = object === undefined ? [] : keysTyped([object], tools.namespace());
  const filter = {
    ...(failed ? { failed } : {}),
    ...(host === undefined ? {} : { host }),
    ...(key ? { key } : {}),
    limit,
  };
  const jobs = await control.jobs(filter, tellMissing(tools, "jobs"));
  const { out, err } = tools.context.terminal;
  if (output === "json") return out(toJson(jobs));
  if (jobs.length === 0) return err("No jobs.\n");
  out(
    table(
      ["ID", "OBJECT", "OPERATION", "HOST", "STATUS", "TOOK", "AGE"],
      jobs.map((job) => jobRow(tools, job)),
    ),
  );
};

const jobRow = (tools: Tools, job: JobRecord): readonly string[] => [
  job.id,
  keyShort(job.key),
  job.operation,
  job.host,
  statusText(tools, job),
  job.durationMs === undefined ? "" : exactDuration(job.durationMs),
  age(job.queuedAt, tools.context.now()),
];

const statusText = ({ colours }: Tools, job: JobRecord): string => {
  switch (job.status) {
    case "success":
      return colours.green("success");
    case "error":
    case "partial":
      return colours.red(job.code ?? job.status);
    case "queued":
    case "withdrawn":
      return job.status;
    case "running":
      return colours.yellow(job.percent === undefined ? "running" : `running ${job.percent}%`);
    default:
      return job.status satisfies never;
  }
};

const showJob = async (tools: Tools, control: ControlPlane, typed: string, options: Options): Promise<void> => {
  const job = await findJob(tools, control, typed);
  const { out } = tools.context.terminal;
  const lines = control.jobLog(job.id, { follow: options.follow === true }, tools.context.signal);
  if (options.output === "json") {
    const log: LogLine[] = [];
    for await (const one of lines) log.push(one);
    return out(toJson({ ...((await control.job(job.id)) ?? job), log }));
  }
  if (!options.follow) out(`${jobText(job)}Log:\n`);
  const said = options.follow ? tellProgress(tools, control, job) : undefined;
  try {
    for await (const one of lines) out(`  ${one.time} ${one.level.padEnd(5)} ${one.text}\n`);
  } finally {
    await said?.end();
  }
  if (!options.follow) return;
  const ended = (await control.job(job.id)) ?? job;
  out(`${ended.operation} on ${ended.host}: ${statusText(tools, ended)} ${ended.message ?? ""}`.trimEnd() + "\n");
  if (ended.status === "error" || ended.status === "partial") tools.exit(1);
};

const progressMs = 1_000;
const progressStep = 10;

/** Long jobs say little in their log: prints their progress from time to time, until ended. */
const tellProgress = (tools: Tools, control: ControlPlane, { id, percent }: JobRecord): { end(): Promise<void> } => {
  let told = percent ?? 0;
  let asking = Promise.resolve();
  const ask = async (): Promise<void> => {
    const now = (await control.job(id))?.percent ?? 0;
    if (now < told + progressStep || now >= 100) return;
    told = now;
    tools.context.terminal.out(`  ${tools.context.now().toISOString()} ${String(now)}% done\n`);
  };
  // A control plane that went away is reported by the log's own stream.
  const timer = setInterval(() => {
    asking = ask().catch(() => undefined);
  }, progressMs);
  return { end: () => (clearInterval(timer), asking) };
};

const findJob = async (tools: Tools, control: ControlPlane, typed: string): Promise<JobRecord> => {
  const exact = await control.job(typed).catch(unavailable);
  if (exact && !(exact instanceof ControlError)) return exact;
  const ending = (await control.jobs({ limit: 1000 }, tellMissing(tools, "jobs"))).filter((job) =>
    job.id.endsWith(typed.toUpperCase()),
  );
  const [only] = ending;
  if (only && ending.length === 1) return only;
  // It may be with a replica that was not heard.
  if (!only && exact) throw exact;
  throw new ControlError(
    "NotFound",
    ending.length > 1 ? `"${typed}" fits ${ending.length} jobs` : `job "${typed}" does not exist`,
    "`aetherv jobs` lists them",
  );
};

/** Where a replica is not heard, nobody can say that there is no job of that very ID. What was typed may still be the end of another's. */
const unavailable = (error: unknown): ControlError => {
  if (error instanceof ControlError && error.code === "Unavailable") return error;
  throw error;
};

const jobText = (job: JobRecord): string => {
  const { request, result, ...rest } = job;
  const shown = { ...rest, key: keyShort(job.key) };
  return [
    toYaml(shown),
    `Request:\n${indent(toYaml(request.resource_spec), 2)}`,
    result === undefined ? "" : `Result:\n${indent(toYaml(result), 2)}`,
  ].join("");
};
