import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import type { VMHost } from "../api/generated/types.ts";
import type { CheckStep } from "../cli/hostTools.ts";
import { TransportError, type Logger } from "../engine/ports.ts";
import { bundleOf } from "../hosts/deploy/bundle.ts";
import { Connection } from "../hosts/connection.ts";
import { Gate } from "../hosts/deploy/gate.ts";
import { DeployedTransport } from "../hosts/deploy/transport.ts";
import type { Reply } from "../hosts/session.ts";
import { ProtocolCheck } from "../protocol/check.ts";
import { ERRORS, type Fault } from "../protocol/errors.ts";
import type { Operation } from "../protocol/generated/types.ts";
import { tcpText } from "../transports/ssh/connect.ts";
import { OBSTACLES } from "../transports/ssh/greeting.ts";
import { SshHost } from "../transports/ssh/host.ts";
import type { Login } from "../transports/ssh/target.ts";
import { systemClock } from "./clock.ts";
import { systemRandom } from "./random.ts";
import { hostSettings } from "./settings.ts";
import { agentFolder, targetOf, type Ssh } from "./ssh.ts";
import { stubHash, type StubHello } from "./stubHello.ts";

const LONGEST_MS = 60_000;
const CLOCK_SECONDS = 60;

const ok = (name: string, text: string): CheckStep => ({ name, verdict: "ok", text });
const warning = (name: string, text: string, help: string): CheckStep => ({ name, verdict: "warning", text, help });
const failed = (name: string, text: string, help: string): CheckStep => ({ name, verdict: "failed", text, help });
const skipped = (...names: string[]): readonly CheckStep[] =>
  names.map((name) => ({ name, verdict: "skipped", text: "an earlier step failed" }));

/** All the way to the host's agent, a step at a time. */
export async function* checkHost(
  host: VMHost,
  login: () => Promise<Login>,
  signal: AbortSignal,
): AsyncGenerator<CheckStep> {
  const ssh = host.spec.connection.ssh;
  if (!ssh) return yield failed("connection", "the VMHost has no spec.connection.ssh", "Set connection type SSH.");
  const remote = new SshHost({ target: targetOf(ssh), login });
  try {
    const dns = await checkDns(ssh);
    yield dns;
    const tcp = dns.verdict === "ok" ? await checkTcp(ssh) : undefined;
    if (tcp) yield tcp;
    if (tcp?.verdict !== "ok") return yield* skipped(...(tcp ? [] : ["TCP"]), ...AFTER_TCP);
    yield* checkStub(host, remote, AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]));
  } finally {
    remote.close();
  }
}

const AFTER_LOGIN = ["PowerShell", "clock", "stub", "Hyper-V module", "agent", "rights", "paths", "switches"];
const AFTER_TCP = ["host key", "login", ...AFTER_LOGIN];

const checkDns = async ({ address }: Ssh): Promise<CheckStep> => {
  try {
    const found = await lookup(address, { all: true });
    return ok("DNS", `${address} is ${found.map((one) => one.address).join(", ")}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return failed(
      "DNS",
      `${address} is not known (${code})`,
      "Correct spec.connection.ssh.address, or the DNS record.",
    );
  }
};

const checkTcp = ({ address, port }: Ssh): Promise<CheckStep> =>
  new Promise((resolve) => {
    const help = "Is sshd running, and does the firewall let TCP through? `aetherv host prepare` sets up both.";
    const socket = connect({ host: address, port, timeout: 10_000 });
    const end = (step: CheckStep) => {
      socket.destroy();
      resolve(step);
    };
    socket.once("connect", () => end(ok("TCP", `port ${port} answers`)));
    socket.once("timeout", () => end(failed("TCP", `port ${port} does not answer within 10 s`, help)));
    socket.once("error", (error) => end(failed("TCP", `port ${port}: ${tcpText(error)}`, help)));
  });

async function* checkStub(host: VMHost, remote: SshHost, signal: AbortSignal): AsyncGenerator<CheckStep> {
  const answer = await remote.run(["hello"], { signal }).catch((error: unknown) => error);
  if (answer instanceof TransportError) return yield* loginFailed(answer.fault);
  if (answer instanceof Error) return yield* loginFailed({ code: "HostUnreachable", message: answer.message });
  yield ok("host key", "it is one of spec.connection.ssh.hostKeys");
  yield ok("login", "accepted");
  const hello = JSON.parse((answer as { stdout: string }).stdout) as StubHello;
  yield powershell(hello);
  yield clock(hello);
  yield (await stubHash()) === hello.stub
    ? ok("stub", "of this version")
    : warning("stub", "of another version", "Run `aetherv host prepare` again.");
  yield hello.hyperv
    ? ok("Hyper-V module", "installed")
    : failed("Hyper-V module", "not installed", "Install-WindowsFeature Hyper-V -IncludeManagementTools");
  yield* checkAgent(host, remote);
}

/** Which of the first steps a fault belongs to; those before it went well. */
function* loginFailed({ code, message }: Fault): Generator<CheckStep> {
  const { help } = ERRORS[code];
  if (code === "HostKeyMismatch") {
    yield failed("host key", message, help);
    return yield* skipped("login", ...AFTER_LOGIN);
  }
  if (code === "HostUnreachable") {
    yield failed("host key", message, help);
    return yield* skipped("login", ...AFTER_LOGIN);
  }
  yield ok("host key", "it is one of spec.connection.ssh.hostKeys");
  if (code === "AuthenticationFailed") {
    yield failed("login", message, help);
    return yield* skipped(...AFTER_LOGIN);
  }
  yield ok("login", "accepted");
  if (message.startsWith(OBSTACLES.stub.text)) {
    yield ok("PowerShell", "it starts");
    yield failed("stub", message, "Run `aetherv host prepare` once for the host.");
    return yield* skipped(...AFTER_LOGIN.slice(3));
  }
  yield failed("PowerShell", message, REMEDIES.find(([text]) => message.startsWith(text))?.[1] ?? help);
  yield* skipped(...AFTER_LOGIN.slice(1));
}

const REMEDIES: readonly (readonly [string, string])[] = [
  [
    OBSTACLES.policy.text,
    "Sign C:\\ProgramData\\AetherV\\stub.ps1 and trust its publisher, or set the policy to RemoteSigned; `Get-ExecutionPolicy -List` shows where it is set.",
  ],
  [
    OBSTACLES.language.text,
    "Allow C:\\ProgramData\\AetherV in the policy, so that scripts there run in FullLanguage mode.",
  ],
  [
    OBSTACLES.powershell.text,
    "Is powershell.exe on the PATH of the account, and does `powershell.exe -NoProfile -Command exit` work over ssh?",
  ],
];

/** The purge of the trash goes by the host's time, and so do its logs. */
const clock = ({ time }: StubHello): CheckStep => {
  const ahead = Math.round((Date.parse(time ?? "") - systemClock.now().getTime()) / 1000);
  if (Number.isNaN(ahead)) return warning("clock", "the stub tells no time", "Run `aetherv host prepare` again.");
  if (Math.abs(ahead) <= CLOCK_SECONDS) return ok("clock", "as here, within a minute");
  const text = `${Math.abs(ahead)} s ${ahead > 0 ? "ahead of" : "behind"} this machine's`;
  return warning(
    "clock",
    text,
    "Set both by the same time source (w32tm /query /status): trash is purged by the host's.",
  );
};

const powershell = ({ powershell: version, language }: StubHello): CheckStep => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 5 || (major === 5 && minor < 1))
    return failed("PowerShell", `version ${version}`, "Windows PowerShell 5.1 or PowerShell 7 is needed.");
  if (language !== undefined && language !== "FullLanguage")
    return failed(
      "PowerShell",
      `version ${version}, language mode ${language}`,
      "A policy (AppLocker, WDAC) restricts scripts: allow C:\\ProgramData\\AetherV.",
    );
  return ok("PowerShell", `version ${version}`);
};

const silent = (): void => undefined;
const quiet: Logger = { debug: silent, info: silent, warn: silent, error: silent };

async function* checkAgent(host: VMHost, stub: SshHost): AsyncGenerator<CheckStep> {
  const name = host.metadata.name;
  const bundle = () => bundleOf(agentFolder());
  const transport = new DeployedTransport({ host: name, stub, bundle, gate: new Gate(1), log: quiet });
  const settings = hostSettings(host);
  const connection = new Connection(
    settings,
    {
      clock: systemClock,
      random: systemRandom,
      log: quiet,
      check: new ProtocolCheck(),
      controlPlaneId: "00000000-0000-4000-8000-000000000000",
      // No fencing token: it only asks.
      epoch: () => 0,
      raiseEpoch: () => Promise.resolve(0),
      transportFor: () => transport,
    },
    { onStray: silent, onGarbage: silent, onDown: silent },
  );
  try {
    const connected = await connection.connect();
    if (connected.at !== "connected") {
      const why =
        connected.at === "failed" ? connected.fault : { code: "InternalError" as const, message: "superseded" };
      yield failed("agent", `${why.code}: ${why.message}`, ERRORS[why.code].help);
      return yield* skipped("rights", "paths", "switches");
    }
    yield ok("agent", `version ${connected.hello.version}, ${connected.hello.running.length} jobs running`);
    const { layout, networks } = settings;
    yield* checkObjects(await connection.ask("host.validate", { layout, networks: [...networks] }, 60));
  } finally {
    connection.close({ code: "HostUnreachable", message: "the check is over" });
  }
}

function* checkObjects(reply: Reply<"host.validate">): Generator<CheckStep> {
  const fault = faultOf(reply);
  if (fault || reply.at !== "answered" || !reply.checked.ok) {
    yield failed("rights", `${fault?.code}: ${fault?.message}`, ERRORS[fault?.code ?? "InternalError"].help);
    return yield* skipped("paths", "switches");
  }
  const { problems } = reply.checked.result.data;
  const isRight = ({ code }: { code: string }) => code === "PermissionDenied";
  const isSwitch = ({ field }: { field: string }) => field.startsWith("networks");
  const groups = [
    ["rights", problems.filter(isRight), "the account may do what the VMHost needs"],
    ["paths", problems.filter((one) => !isRight(one) && !isSwitch(one)), "all folders of the VMHost are there"],
    ["switches", problems.filter((one) => !isRight(one) && isSwitch(one)), "all switches of the VMHost are there"],
  ] as const;
  for (const [name, found, text] of groups) {
    if (found.length === 0) yield ok(name, text);
    for (const { field, message } of found)
      yield failed(name, `spec.${field}: ${message}`, "Correct the VMHost, or the host.");
  }
}

const faultOf = <O extends Operation>(reply: Reply<O>): Fault | undefined => {
  if (reply.at !== "answered") return reply.fault;
  return reply.checked.ok ? undefined : reply.checked.fault;
};
