import { Command, Option } from "commander";
import { ControlError, type ControlPlane, type PlanReport, type PlanRequest } from "../../server/control.ts";
import { withControl, type ReadManifests, type Tools } from "../context.ts";
import { collect } from "../options.ts";
import { planText } from "../print/plan.ts";
import { toJson } from "../print/yaml.ts";
import { plural, problemText } from "./validate.ts";

interface Options {
  readonly file?: readonly string[];
  readonly whole?: true;
  readonly live?: true;
  readonly output?: "json";
}

const notes = `
Documents given with -f take the place of the stored ones. With --whole (the default when a folder is given) they are
all there is: an object whose document is not among them would be deleted. Without -f, the plan is of the objects as
they are: drift that is about to be repaired, and changes that await approval.

The running control plane answers; without one, the hosts are read directly (hello and inventory only).

Exit code: 0 nothing to do, 2 changes, 1 error.

Examples:
  aetherv plan                        what the running control plane would do
  aetherv plan -f web.yaml            what an edit of this file would do
  aetherv plan -f manifests/ --live   the whole folder, after a fresh look at the hosts`;

/** `aetherv plan`: what would be done and with which effect; never does it. */
export const planCommand = (tools: Tools): Command =>
  new Command("plan")
    .description("Show what would change on the hosts, and with which effect, without changing anything")
    .option("-f, --file <path>", "file or folder with edited documents (again for more; - for STDIN)", collect)
    .option("--whole", "the given documents are all there is: what they lack is deleted")
    .option("--live", "look at the hosts afresh first")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json"]))
    .addHelpText("after", notes)
    .action(async (options: Options) => {
      if (options.whole && !options.file)
        throw new ControlError(
          "Invalid",
          "--whole says that the documents given with -f are all there is: none is given",
        );
      const read = options.file ? await tools.context.readManifests(options.file) : undefined;
      if (read && read.documents.length === 0 && read.problems.length > 0) return onlyProblems(tools, read, options);
      await withControl(tools.context.connectForPlan(tools.where()), async (control) => {
        const report = await makePlan(control, request(options, read));
        // Without -f the plan is of what was taken up: an edit that was refused must not read as "no changes".
        const problems = read?.problems ?? (await control.problems()).problems;
        show(tools, { ...report, problems: [...problems, ...report.problems] }, options);
      });
    });

const request = (options: Options, read: ReadManifests | undefined): PlanRequest => ({
  ...(read ? { documents: read.documents } : {}),
  ...(read && read.secrets.length > 0 ? { secrets: read.secrets } : {}),
  ...(options.whole === true || read?.folder === true ? { whole: true } : {}),
  ...(options.live ? { live: true } : {}),
});

const makePlan = async (control: ControlPlane, wanted: PlanRequest): Promise<PlanReport> => {
  const report = await control.plan(wanted);
  // A plan over hosts that nobody has seen would be invented.
  const unseen = report.hosts.filter((host) => host.ageSeconds === undefined);
  if (report.hosts.length > 0 && unseen.length === report.hosts.length)
    throw new ControlError(
      "Unavailable",
      `no host could be read: ${unseen.map(({ name, fault }) => `${name} (${fault ?? "no answer yet"})`).join(", ")}`,
    );
  return report;
};

/** Nothing that was given can be planned with. */
const onlyProblems = (tools: Tools, { problems }: ReadManifests, options: Options): void =>
  show(tools, { objects: [], summary: { create: 0, adopt: 0, update: 0, delete: 0 }, hosts: [], problems }, options);

const show = (tools: Tools, report: PlanReport, options: Options): void => {
  const { out, err } = tools.context.terminal;
  const { problems } = report;
  if (options.output === "json") out(toJson(report));
  else {
    out(planText(report, tools.colours));
    for (const problem of problems) err(problemText(problem, tools.colours));
    if (problems.length > 0) err(`${plural(problems.length, "error")}; the plan is of the other documents\n`);
  }
  tools.exit(problems.length > 0 ? 1 : report.objects.length > 0 ? 2 : 0);
};
