import { Command } from "commander";
import type { VMHost } from "../../api/generated/types.ts";
import type { Resource } from "../../api/resource.ts";
import { ControlError, type ControlPlane, type ControlStatus, type FileProblem } from "../../server/control.ts";
import { withControl, type Tools } from "../context.ts";
import type { CheckStep, LoginSource } from "../hostTools.ts";
import { collect } from "../options.ts";
import { problemText } from "./validate.ts";

interface Options {
  readonly file?: readonly string[];
  readonly identity?: string;
  readonly run?: true;
  readonly user?: string;
}

const fileOption = [
  "-f, --file <path>",
  "file or folder with the VMHost and its Secret (again for more)",
  collect,
] as const;
const identityOption = ["-i, --identity <file>", "private key to log in with, in place of the Secret's"] as const;

const groupNotes = `
Examples:
  aetherv host prepare hv1 -f manifests/ > prepare-hv1.ps1
  aetherv host check hv1 -f manifests/`;

/** `aetherv host`: one-time setup, diagnosis, and the fence. */
export const hostCommand = (tools: Tools): Command =>
  new Command("host")
    .description("Set up and diagnose Hyper-V hosts that are reached over SSH")
    .addHelpText("after", groupNotes)
    .addCommand(checkCommand(tools))
    .addCommand(prepareCommand(tools))
    .addCommand(takeOverCommand(tools));

const checkCommand = (tools: Tools): Command =>
  new Command("check")
    .description("Go the way to a host's agent step by step, and tell what is wrong")
    .argument("<name>", "name of the VMHost")
    .option(...fileOption)
    .option(...identityOption)
    .addHelpText("after", "\nExit code: 0 all is well (warnings allowed), 1 a step failed.")
    .action(async (name: string, options: Options) => {
      const { host, login } = await hostOf(tools, name, options);
      for await (const step of tools.context.hosts.check(host, login, tools.context.signal)) {
        tools.context.terminal.out(stepText(tools, step));
        if (step.verdict === "failed") tools.exit(1);
      }
    });

const stepText = ({ colours }: Tools, { name, verdict, text, help }: CheckStep): string => {
  const mark = {
    ok: colours.green("ok     "),
    warning: colours.yellow("warning"),
    failed: colours.red("failed "),
    skipped: colours.dim("skipped"),
  }[verdict];
  return `${mark}  ${name.padEnd(14)}  ${text}\n${help === undefined ? "" : `${" ".repeat(25)}${colours.dim(help)}\n`}`;
};

const prepareNotes = `
Without --run the script goes to STDOUT: run it once on the host, elevated, in Windows PowerShell. It tells the host keys for
the VMHost. With --run it is run over SSH, as an administrator who can log in there.

Examples:
  aetherv host prepare hv1 -f manifests/ > prepare-hv1.ps1
  aetherv host prepare hv1 -f manifests/ --run --user Administrator -i ~/.ssh/id_ed25519`;

const prepareCommand = (tools: Tools): Command =>
  new Command("prepare")
    .description("Print, or run, the one-time setup of a Windows host: OpenSSH server, key, account, rights")
    .argument("<name>", "name of the VMHost")
    .option(...fileOption)
    .option("--run", "run it on the host over SSH, as the administrator given with --user and --identity")
    .option("--user <name>", "administrator for --run")
    .option("-i, --identity <file>", "the administrator's private key, for --run")
    .addHelpText("after", prepareNotes)
    .action(async (name: string, options: Options) => {
      const { file = [], run, user, identity } = options;
      const { host, login } = await hostOf(tools, name, { file });
      const { hosts, signal, terminal } = tools.context;
      const script = await hosts.prepareScript(host, login);
      if (!run) return terminal.out(script);
      if (user === undefined || identity === undefined)
        throw new ControlError("Invalid", "--run needs an administrator's login", "give --user and --identity");
      for await (const text of hosts.runScript(host, script, { files: [], user, identity }, signal)) terminal.out(text);
    });

const takeOverNotes = `
Every host keeps the highest epoch that it has seen of a control plane, and refuses older ones. Use this only when a host says
StaleController though no other process of this control plane runs: its fence file is lost, unreadable or too high.`;

const takeOverCommand = (tools: Tools): Command =>
  new Command("take-over")
    .description("Make a host obey the running control plane again, whatever its fence says")
    .argument("<name>", "name of the VMHost")
    .option(...fileOption)
    .option(...identityOption)
    .addHelpText("after", takeOverNotes)
    .action(async (name: string, options: Options) => {
      const status = await withControl(tools.context.connectRunning(tools.where()), (control) => control.status());
      const { host, login } = await hostOf(tools, name, options, status);
      const fence = { id: status.controlPlaneId, epoch: status.epoch };
      await tools.context.hosts.takeOver(host, login, fence);
      tools.context.terminal.out(`${name} obeys epoch ${fence.epoch} of control plane ${fence.id}\n`);
    });

/** The VMHost of the files given, else of the control plane; the login's Secret likewise. */
const hostOf = async (
  tools: Tools,
  name: string,
  { file, identity }: Options,
  status?: ControlStatus,
): Promise<{ host: VMHost; login: LoginSource }> => {
  const rest = identity === undefined ? {} : { identity };
  if (file && file.length > 0) {
    const { documents, problems } = await tools.context.readManifests(file);
    const hosts = documents.map(({ object }) => object).filter(({ kind }) => kind === "VMHost");
    const host = hosts.find(({ metadata }) => metadata.name === name);
    if (host) return { host: overSsh(host as VMHost), login: { files: file, ...rest } };
    for (const problem of problems) tools.context.terminal.err(problemText(problem, tools.colours));
    if (problems.length > 0 || hosts.length > 0) throw notAmong(name, hosts, problems);
  }
  return await withControl(tools.context.connect(tools.where()), async (control) => {
    const host = await stored(control, name);
    const { folders } = status ?? (await control.status());
    return { host: overSsh(host), login: { files: file ?? folders, ...rest } };
  });
};

/** The files are not what a control plane's objects are asked in place of: a mistake in them is the answer. */
const notAmong = (name: string, hosts: readonly Resource[], problems: readonly FileProblem[]): ControlError => {
  const others = hosts.map(({ metadata }) => metadata.name).join(", ");
  const unknownKeys = problems.some(({ message, path = "" }) => /hostKeys/.test(`${path} ${message}`));
  return new ControlError(
    "NotFound",
    `the files hold no valid VMHost "${name}"${others === "" ? "" : `; they hold ${others}`}`,
    unknownKeys
      ? `keys not known yet? Write hostKeys: [${NO_KEY}] until \`aetherv host prepare\` tells them`
      : undefined,
  );
};

/** Valid as a fingerprint, and no key's: a host that is not prepared yet. */
const NO_KEY = `'SHA256:${"0".repeat(43)}'`;

const stored = async (control: ControlPlane, name: string): Promise<VMHost> => {
  const host = await control.get({ kind: "VMHost", namespace: "", name });
  if (host) return host as VMHost;
  throw new ControlError(
    "NotFound",
    `VMHost "${name}" does not exist`,
    "`aetherv get vmhost` lists them; -f reads one from files",
  );
};

const overSsh = (host: VMHost): VMHost => {
  if (host.spec.connection.ssh && host.spec.driver === "HyperV") return host;
  const is = `driver ${host.spec.driver}, connection type ${host.spec.connection.type}`;
  throw new ControlError("Invalid", `VMHost "${host.metadata.name}" is not reached over SSH (${is})`);
};
