// The words of agents/hyperv/stub.ps1 with the simulator as the agent: a quick remote end for tests of the transport alone.
// Called as powershell.exe is: ... -File C:\ProgramData\AetherV\stub.ps1 WORDS. RIG_ROOT is the folder of the host.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = process.env["RIG_ROOT"] ?? "";
const home = join(root, "C/ProgramData/AetherV");
const agents = join(home, "agents");
const sessions = join(home, "state/sessions");
const argv = process.argv.slice(2);
const line = process.env["SSH_ORIGINAL_COMMAND"] ?? argv.slice(argv.indexOf("-File") + 1).join(" ");

const say = (text: string): void => writeFileSync(2, `AETHERV-STUB ${text}\n`);
const refuse = (code: string, text: string): never => {
  say(`refused ${code} ${text}`);
  process.exit(1);
};
const ready = (): void => say(`ready ${process.pid}`);
/** What a test wants to go wrong: the file `faults.json` of the host, read again at each line. */
interface Faults {
  readonly uploadRefused?: string;
  readonly hang?: boolean;
  /** Lines that are no messages, before each of the agent's own. */
  readonly garbage?: readonly string[];
  /** Each result answers this correlation id. */
  readonly answers?: string;
  /** Each result is cut off in the middle, and goes on with the next line. */
  readonly cut?: boolean;
  /** Milliseconds that the host's clock is ahead. */
  readonly clockAheadMs?: number;
}
const faults = (): Faults => {
  const path = join(root, "faults.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as object) : {};
};

const stored = (sha: string): string => join(agents, sha, "bundle.txt");
const isWhole = (sha: string): boolean =>
  existsSync(stored(sha)) &&
  createHash("sha256")
    .update(readFileSync(stored(sha)))
    .digest("hex") === sha;

const upload = async (sha: string): Promise<void> => {
  const { uploadRefused } = faults();
  if (uploadRefused !== undefined) refuse(uploadRefused, "the rig was told to refuse uploads");
  ready();
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  if (createHash("sha256").update(bytes).digest("hex") !== sha) refuse("InvalidRequest", "the hash differs");
  const making = join(agents, `${sha}.${process.pid}.partial`);
  mkdirSync(making, { recursive: true });
  writeFileSync(join(making, "bundle.txt"), bytes);
  rmSync(join(agents, sha), { recursive: true, force: true });
  renameSync(making, join(agents, sha));
};

const running = (): readonly { pid: number; sha: string }[] =>
  (existsSync(sessions) ? readdirSync(sessions) : []).flatMap((name) => {
    const pid = Number.parseInt(name, 10);
    return existsSync(`/proc/${pid}`) ? [{ pid, sha: readFileSync(join(sessions, name), "utf8") }] : [];
  });

const prune = (sha: string): void => {
  const used = new Set([sha, ...running().map((one) => one.sha)]);
  for (const name of readdirSync(agents)) if (!used.has(name)) rmSync(join(agents, name), { recursive: true });
  ready();
};

const kill = (pid: number): void => {
  if (running().some((one) => one.pid === pid)) process.kill(pid, "SIGKILL");
  ready();
};

/** Stands between the agent and sshd. */
const tamper = (): void => {
  const real = Date.now.bind(Date);
  const ahead = (): number => faults().clockAheadMs ?? 0;
  globalThis.Date = class extends Date {
    constructor(...given: [] | [number | string | Date]) {
      super(given.length === 0 ? real() + ahead() : given[0]);
    }
    static override now(): number {
      return real() + ahead();
    }
  } as DateConstructor;
  const write = process.stdout.write.bind(process.stdout) as (text: string, ...rest: unknown[]) => boolean;
  process.stdout.write = ((text: string, ...rest: unknown[]): boolean => {
    const { garbage = [], answers, cut } = faults();
    const named = answers === undefined ? text : text.replaceAll(/(?<="correlation_id":")\w{26}/g, answers);
    const isResult = /"type":"result"|^\{"status"/.test(text);
    const shown = cut === true && isResult ? named.slice(0, named.length / 2) : named;
    return write(garbage.map((line) => `${line}\n`).join("") + shown, ...rest);
  }) as typeof process.stdout.write;
};

/** The simulator runs in this very process, so that the PID told is the agent's. */
const agent = async (sha: string, session: boolean): Promise<void> => {
  if (!isWhole(sha)) refuse("VersionMismatch", `version ${sha} of the agent is not on the host, or not whole`);
  mkdirSync(sessions, { recursive: true });
  writeFileSync(join(sessions, `${process.pid}.txt`), sha);
  ready();
  tamper();
  process.argv.splice(2, Infinity, "--state", join(root, "simulator"), ...(session ? ["--session"] : []));
  await import("../../../agents/simulator/main.ts");
};

const main = async (): Promise<void> => {
  const words = /(?:^|\\stub\.ps1 )(hello|(?:session|oneshot|upload|prune) [0-9a-f]{64}|kill \d+)$/.exec(line)?.[1];
  if (words === undefined) refuse("InvalidRequest", `not understood: ${line}`);
  const [word, argument = ""] = (words as string).split(" ");
  if (faults().hang) return await new Promise((never) => setTimeout(never, 600_000));
  switch (word) {
    case "hello":
      ready();
      console.log(
        JSON.stringify({ stub: "rig", powershell: "5.1.0", user: "rig", hyperv: true, agents: [], running: [] }),
      );
      return;
    case "upload":
      return await upload(argument);
    case "prune":
      return prune(argument);
    case "kill":
      return kill(Number(argument));
    default:
      return await agent(argument, word === "session");
  }
};

await main();
