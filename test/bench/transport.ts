// npm run bench:transport -- [--agent powershell|simulator] [--hosts 20] [--machines 200] [--rounds 100] [--json FILE]
// A session's job against a bare SSH command and against a one-shot agent; deployment to many hosts; an unchanged inventory.
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import ssh2 from "ssh2";
import type { AgentChannel } from "../../src/engine/ports.ts";
import { Gate } from "../../src/hosts/deploy/gate.ts";
import { ask, hostOf, request, transportOf } from "../rigs/sshd/connect.ts";
import { USER, type SshdOptions } from "../rigs/sshd/options.ts";
import { SshdRig, whyNoSshd } from "../rigs/sshd/sshd.ts";

const { values } = parseArgs({
  options: {
    agent: { type: "string", default: "powershell" },
    hosts: { type: "string", default: "20" },
    machines: { type: "string", default: "200" },
    rounds: { type: "string", default: "100" },
    json: { type: "string" },
  },
});
const agent = values.agent as SshdOptions["agent"];
const [hosts, machines, rounds] = [values.hosts, values.machines, values.rounds].map(Number) as [
  number,
  number,
  number,
];
const patience = () => AbortSignal.timeout(300_000);

interface Times {
  readonly median: number;
  readonly p95: number;
}

/** Milliseconds of each run, one after the other; the first is not counted. */
const measure = async (count: number, work: () => Promise<unknown>): Promise<Times> => {
  await work();
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
const bareExec = async (rig: SshdRig): Promise<Times> => {
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

const roundTrips = async (rig: SshdRig) => {
  const host = hostOf(rig);
  const transport = transportOf(host);
  const channel = await transport.session(patience());
  const session = await measure(rounds, () => ask(channel, short()));
  const oneShot = await measure(5, () => transport.oneShot(short().line, () => undefined, patience()));
  channel.close();
  host.close();
  const bare = await bareExec(rig);
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
const deployment = async () => {
  const rigs: SshdRig[] = [];
  for (let n = 0; n < hosts; n += 1) rigs.push(await SshdRig.start({ shell: "cmd.exe", agent }));
  const gate = new Gate(5);
  const began = performance.now();
  const channels = await Promise.all(
    rigs.map((rig, n) => transportOf(hostOf(rig, { timeoutMs: 120_000 }), gate, `hv-${n}`).session(patience())),
  );
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  for (const channel of channels) channel.close();
  for (const rig of rigs) await rig[Symbol.asyncDispose]();
  return { hosts, seconds };
};

const layout = {
  virtualMachinePath: "D:\\VMs",
  storageClasses: [{ name: "standard", path: "D:\\VMs" }],
  imagePaths: ["D:\\Images"],
  trashRetentionSeconds: 86_400,
};

const seed = `
Import-Module -Name Hyper-V
foreach ($n in 1..${machines}) { $null = Hyper-V\\New-VM -Name "vm$n" -Generation 2 -MemoryStartupBytes 1GB -NoVHD }
`;

/** One look at many machines of which none has changed since the look before. */
const inventory = async (rig: SshdRig) => {
  const host = hostOf(rig);
  const seeding: string[] = [];
  const code = await host.runScript(seed, (text) => void seeding.push(text), patience());
  if (code !== 0) return { skipped: `the machines could not be made: ${seeding.join("").slice(0, 300)}` };
  const channel = await transportOf(host).session(patience());
  const look = async (since?: string) => {
    const calls = join(rig.root, "hyperv/calls.log");
    await rm(calls, { force: true });
    const asked = request("host.inventory", { layout, ...(since === undefined ? {} : { since }) });
    const began = performance.now();
    const bytes = await answerBytes(channel, asked);
    const ms = Math.round(performance.now() - began);
    const made = (await readFile(calls, "utf8").catch(() => "")).trim().split("\n").length;
    return { bytes: bytes.size, calls: made, ms, result: bytes.result };
  };
  const first = await look();
  const again = await look((first.result.data as { digest?: string }).digest);
  channel.close();
  host.close();
  if (first.result.status !== "success") return { skipped: `host.inventory: ${first.result.message}` };
  const told = ({ result: _, ...rest }: typeof first) => rest;
  return { machines, whole: told(first), unchanged: told(again) };
};

const answerBytes = async (channel: AgentChannel, asked: ReturnType<typeof request>) => {
  const result = await ask(channel, asked);
  return { result, size: Buffer.byteLength(JSON.stringify(result)) + asked.line.length };
};

const why = await whyNoSshd(agent);
if (why !== undefined) {
  console.error(`skipped: ${why}`);
  process.exit(1);
}
const rig = await SshdRig.start({ shell: "cmd.exe", agent });
const trips = await roundTrips(rig);
const looked = agent === "powershell" ? await inventory(rig) : { skipped: "counts calls of the emulated Hyper-V only" };
await rig[Symbol.asyncDispose]();
const report = { agent, cores: cpus().length, ...trips, deployment: await deployment(), inventory: looked };
console.log(JSON.stringify(report, null, 2));
console.log(`session job / bare SSH command: ${trips.sessionToBare} (goal <= 1.5)`);
console.log(`one-shot / session job: ${trips.oneShotToSession} (goal >= 15)`);
if (values.json !== undefined) await writeFile(values.json, JSON.stringify(report, null, 2));
process.exit(0);
