// npm run bench:transport: what a job over SSH costs; see `usage` below and docs/performance.md.
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import ssh2 from "ssh2";
import type { AgentChannel } from "../../src/engine/ports.ts";
import { Gate } from "../../src/hosts/deploy/gate.ts";
import { ask, hostOf, request, transportOf } from "../rigs/sshd/connect.ts";
import { USER, type SshdOptions } from "../rigs/sshd/options.ts";
import { SshdRig, whyNoSshd } from "../rigs/sshd/sshd.ts";
import { tell, type Line } from "./report.ts";

const usage = `Usage: npm run bench:transport -- [options]

A job in a session against a bare SSH command and against a one-shot agent; deployment of the agent to many hosts; a look at
many machines of which none has changed. Every host is an sshd on loopback with the agent behind it.

Options:
  --agent powershell|simulator  the remote program (default powershell: the real agent on the emulated Hyper-V)
  --hosts N                     hosts to deploy to, 1 to 100 (default 20)
  --machines N                  machines of the host that is looked at, 1 to 1000 (default 200)
  --rounds N                    round trips measured, 5 to 10000 (default 100)
  --json FILE                   also write all numbers to a file
  -h, --help                    show this text

Exit code: 0 the goals hold, 1 one does not hold or the bench could not run, 2 wrong options.`;

interface Options {
  readonly agent: SshdOptions["agent"];
  readonly hosts: number;
  readonly machines: number;
  readonly rounds: number;
  readonly json?: string;
}

class UsageError extends Error {}

/** Throws a UsageError that names the option and what it may be. */
const optionsOf = (args: readonly string[]): Options | "help" => {
  const { values } = parsed(args);
  if (values.help) return "help";
  const whole = (name: "hosts" | "machines" | "rounds", least: number, most: number): number => {
    const text = values[name];
    if (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
    throw new UsageError(`--${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  };
  const { agent, json } = values;
  if (agent !== "powershell" && agent !== "simulator")
    throw new UsageError(`--agent must be powershell or simulator, not "${agent}"`);
  return {
    agent,
    hosts: whole("hosts", 1, 100),
    machines: whole("machines", 1, 1000),
    rounds: whole("rounds", 5, 10_000),
    ...(json === undefined ? {} : { json }),
  };
};

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        agent: { type: "string", default: "powershell" },
        hosts: { type: "string", default: "20" },
        machines: { type: "string", default: "200" },
        rounds: { type: "string", default: "100" },
        json: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
};

const progress = (text: string): void => void process.stderr.write(`${text}\n`);
const patience = () => AbortSignal.timeout(300_000);

interface Times {
  readonly median: number;
  readonly p95: number;
}

/** Milliseconds of each run, one after the other, after as many that are not counted: the engines compile what runs often. */
const measure = async (count: number, work: () => Promise<unknown>): Promise<Times> => {
  for (let run = 0; run < count; run += 1) await work();
  const took: number[] = [];
  for (let run = 0; run < count; run += 1) {
    const began = performance.now();
    await work();
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  const at = (part: number) => Math.round((took[Math.floor(part * (took.length - 1))] ?? 0) * 100) / 100;
  return { median: at(0.5), p95: at(0.95) };
};

/** The least that a command over SSH costs: a channel on an open connection, and a program that does nothing. */
const bareExec = async (rig: SshdRig, rounds: number): Promise<Times> => {
  const program = join(rig.root, "bin/hostname.exe");
  await writeFile(program, "#!/bin/sh\n");
  await chmod(program, 0o755);
  const client = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve).once("error", reject);
    client.connect({ host: "127.0.0.1", port: rig.port, username: USER, privateKey: rig.key });
  });
  client.setNoDelay(true);
  const run = () =>
    new Promise<void>((resolve, reject) =>
      client.exec("hostname.exe", (error, channel) => {
        if (error) return reject(error);
        channel.on("close", () => resolve()).resume();
        channel.end();
      }),
    );
  const times = await measure(rounds, run);
  client.end();
  return times;
};

const short = () => request("job.get", { correlation_id: "01JDB3Q4V5W6X7Y8Z9ABCDEFGH" });

const roundTrips = async (rig: SshdRig, rounds: number) => {
  const host = hostOf(rig);
  const transport = transportOf(host);
  const channel = await transport.session(patience());
  const session = await measure(rounds, () => ask(channel, short()));
  const oneShot = await measure(5, () => transport.oneShot(short().line, () => undefined, patience()));
  channel.close();
  host.close();
  const bare = await bareExec(rig, rounds);
  return {
    bareExecMs: bare,
    sessionJobMs: session,
    oneShotMs: oneShot,
    sessionToBare: ratio(session.median, bare.median),
    oneShotToSession: ratio(oneShot.median, session.median),
  };
};

const ratio = (a: number, b: number): number => Math.round((a / b) * 100) / 100;

/** From nothing on any host to an agent that greets on each. */
const deployment = async ({ agent, hosts }: Options) => {
  const rigs: SshdRig[] = [];
  for (let n = 0; n < hosts; n += 1) rigs.push(await SshdRig.start({ shell: "cmd.exe", agent }));
  const gate = new Gate(5);
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 100) / 10;
  let ready = 0;
  const deploy = async (rig: SshdRig, n: number): Promise<AgentChannel> => {
    const host = hostOf(rig, { timeoutMs: 120_000 });
    const channel = await transportOf(host, gate, `hv-${n}`).session(patience());
    ready += 1;
    progress(`  agent ready on ${ready} of ${hosts} hosts after ${seconds()} s`);
    return channel;
  };
  try {
    const channels = await Promise.all(rigs.map(deploy));
    const took = seconds();
    for (const channel of channels) channel.close();
    return { hosts, seconds: took };
  } finally {
    for (const rig of rigs) await rig[Symbol.asyncDispose]();
  }
};

const layout = {
  virtualMachinePath: "D:\\VMs",
  storageClasses: [{ name: "standard", path: "D:\\VMs" }],
  imagePaths: ["D:\\Images"],
  trashRetentionSeconds: 86_400,
};

const seed = (machines: number): string => `
Import-Module -Name Hyper-V
foreach ($n in 1..${machines}) { $null = Hyper-V\\New-VM -Name "vm$n" -Generation 2 -MemoryStartupBytes 1GB -NoVHD }
`;

/** One look at many machines of which none has changed since the look before. */
const inventory = async (rig: SshdRig, machines: number) => {
  const host = hostOf(rig);
  const seeding: string[] = [];
  const code = await host.runScript(seed(machines), (text) => void seeding.push(text), patience());
  if (code !== 0) throw new Error(`the machines could not be made: ${seeding.join("").slice(0, 300)}`);
  const channel = await transportOf(host).session(patience());
  const look = async (since?: string) => {
    const calls = join(rig.root, "hyperv/calls.log");
    await rm(calls, { force: true });
    const asked = request("host.inventory", { layout, ...(since === undefined ? {} : { since }) });
    const began = performance.now();
    const result = await ask(channel, asked);
    const ms = Math.round(performance.now() - began);
    if (result.status !== "success") throw new Error(`host.inventory: ${result.message}`);
    const made = (await readFile(calls, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
    const cimQueries = made.filter((line) => line.startsWith("CIM:")).length;
    const bytes = Buffer.byteLength(JSON.stringify(result)) + asked.line.length;
    const { digest } = result.data as { digest?: string };
    return { digest, told: { bytes, cimQueries, cmdletCalls: made.length - cimQueries, ms } };
  };
  const first = await look();
  const again = await look(first.digest);
  channel.close();
  host.close();
  return { machines, whole: first.told, unchanged: again.told };
};

interface Result extends Awaited<ReturnType<typeof roundTrips>> {
  readonly agent: SshdOptions["agent"];
  readonly deployment: Awaited<ReturnType<typeof deployment>>;
  readonly inventory: Awaited<ReturnType<typeof inventory>> | undefined;
}

const timesText = ({ median, p95 }: Times): string => `${median}, ${p95}`;

const lookText = (which: "whole" | "unchanged", { inventory: looked }: Result): string => {
  if (looked === undefined) return "not measured";
  const { bytes, cimQueries, cmdletCalls, ms } = looked[which];
  return `${bytes} bytes, ${cimQueries} CIM queries, ${cmdletCalls} cmdlet calls, ${ms} ms`;
};

const linesOf = ({ hosts, machines }: Options): readonly Line<Result>[] => [
  { title: "bare SSH command, ms (median, p95)", of: (one) => timesText(one.bareExecMs) },
  { title: "job in a session, ms", of: (one) => timesText(one.sessionJobMs) },
  { title: "one-shot agent, ms", of: (one) => timesText(one.oneShotMs) },
  { title: "session job / bare SSH command", of: (one) => one.sessionToBare, most: 1.5 },
  { title: "one-shot / session job", of: (one) => one.oneShotToSession, least: 15 },
  { title: `deployment to ${hosts} hosts, s`, of: (one) => one.deployment.seconds },
  { title: `inventory of ${machines} machines, whole`, of: (one) => lookText("whole", one) },
  { title: `inventory of ${machines} machines, unchanged`, of: (one) => lookText("unchanged", one) },
];

const bench = async (options: Options): Promise<boolean> => {
  const { agent, machines, rounds, json } = options;
  progress(`round trips: ${rounds} of each kind, ${agent}`);
  const rig = await SshdRig.start({ shell: "cmd.exe", agent });
  let trips: Awaited<ReturnType<typeof roundTrips>>;
  let looked: Result["inventory"];
  try {
    trips = await roundTrips(rig, rounds);
    if (agent === "powershell") progress(`inventory: ${machines} machines`);
    // Only the emulated Hyper-V counts its calls.
    looked = agent === "powershell" ? await inventory(rig, machines) : undefined;
  } finally {
    await rig[Symbol.asyncDispose]();
  }
  progress(`deployment: ${options.hosts} hosts`);
  const result: Result = { agent, ...trips, deployment: await deployment(options), inventory: looked };
  return tell({ lines: linesOf(options), results: [result], head: () => agent, json });
};

const main = async (): Promise<number> => {
  const options = optionsOf(process.argv.slice(2));
  if (options === "help") {
    console.log(usage);
    return 0;
  }
  const why = await whyNoSshd(options.agent);
  if (why === undefined) return (await bench(options)) ? 0 : 1;
  console.error(`the bench can't run here: ${why}`);
  return 1;
};

try {
  process.exit(await main());
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(error instanceof UsageError ? `${message}\n\n${usage}` : `the bench failed: ${message}`);
  process.exit(error instanceof UsageError ? 2 : 1);
}
