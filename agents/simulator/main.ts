import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Clock } from "../../src/engine/ports.ts";
import { fnv } from "./model/hash.ts";
import { SimulatedAgent } from "./model/agent.ts";
import type { Audit } from "./model/audit.ts";
import { ensureHost, openHost, watchedBehaviour } from "./process/host.ts";
import { isAlive, ownMark } from "./process/lock.ts";
import { seededRandom } from "./process/random.ts";
import { serveOnce, serveSession, type Streams } from "./process/serve.ts";

const OFFLINE_POLL_MS = 500;
const OFFLINE_EXIT = 69;

const clock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => sleep(Math.min(ms, 2 ** 31 - 1), undefined, signal ? { signal } : {}).catch(() => undefined),
};

const { values } = parseArgs({
  options: { state: { type: "string" }, session: { type: "boolean" }, host: { type: "string" } },
});

const streams: Streams = {
  input: process.stdin,
  output: process.stdout,
  errors: process.stderr,
  exit: (code) => process.exit(code),
};

const complain = (level: "warn" | "error", text: string): void => {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, text })}\n`);
};

/** Notes jobs in audit.jsonl of the host's folder, where somebody has made that file. */
const auditIn = (folder: string): Audit | undefined => {
  const path = join(folder, "audit.jsonl");
  return existsSync(path) ? (entry) => appendFileSync(path, `${JSON.stringify(entry)}\n`) : undefined;
};

/** package.json lies two folders up in the source, three in dist. */
const packageVersion = (): string => {
  const found = ["../../package.json", "../../../package.json"]
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url));
  return found ? (JSON.parse(readFileSync(found, "utf8")) as { version: string }).version : "0.0.0";
};

const main = async (): Promise<void> => {
  if (values.state === undefined) throw new Error("--state DIR is required: the folder of the simulated host");
  const folder = resolve(values.state);
  const behaviour = watchedBehaviour(folder, (text) => complain("warn", text));
  const refuseOffline = (): void => {
    if (!behaviour().offline) return;
    complain("error", "the simulated host is offline");
    process.exit(OFFLINE_EXIT);
  };
  refuseOffline();
  const name = values.host ?? basename(folder);
  ensureHost(folder, { name });
  const version = packageVersion();
  const audit = auditIn(folder);
  const agent = new SimulatedAgent({
    store: openHost(folder),
    clock,
    random: seededRandom(fnv(name) ^ process.pid),
    behaviour,
    process: { id: ownMark, pid: process.pid, alive: isAlive },
    version: {
      version,
      sha256: createHash("sha256").update(`simulator ${version}`).digest("hex"),
      os: process.platform,
    },
    ...(audit ? { audit } : {}),
  });
  if (!values.session) return serveOnce(agent, streams);
  setInterval(refuseOffline, OFFLINE_POLL_MS).unref();
  return serveSession(agent, streams);
};

process.stdout.on("error", () => process.exit(1));
main().catch((error: unknown) => {
  complain("error", error instanceof Error ? error.message : String(error));
  process.exit(1);
});
