import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { textProblem } from "../../../agents/simulator/model/texts.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import { isErrorCode } from "../../../src/protocol/errors.ts";
import type { JobResult } from "../../../src/protocol/generated/types.ts";
import {
  AGENT_FOLDER,
  agentArguments,
  hostEnvironment,
  powershell,
  type Edition,
  type ReadyRig,
  type SessionPlace,
} from "../../contract/agent/hyperv/session.ts";
import { makeHost, readHost } from "../../rigs/hyperv/host.ts";
import type { Target } from "../fuzzer.ts";
import { requestSeeds } from "./requests.ts";

const check = new ProtocolCheck();
const ANSWER_MS = 120_000;

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** One agent that is asked one thing at a time: whatever id it answers, the next result is the answer. */
class OneByOne {
  readonly #child: ChildProcessWithoutNullStreams;
  #heard: (line: unknown) => void = () => undefined;
  errors = "";

  constructor(place: SessionPlace) {
    this.#child = spawn(powershell(place), [...agentArguments(place), "-Session"], { env: hostEnvironment(place) });
    this.#child.stdin.on("error", () => undefined);
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => (this.errors += text));
    this.#child.once("close", (code) =>
      this.#heard(new Error(`the agent ended with ${code}: ${this.errors.slice(-2000)}`)),
    );
    createInterface({ input: this.#child.stdout }).on("line", (text) => {
      const line = parse(text);
      if (!check.sessionLine(line)) this.#heard(new Error(`no line of a session: ${text.slice(0, 2000)}`));
      else if (line.type === "result") this.#heard(line.result);
    });
  }

  async ask(line: string): Promise<JobResult> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#heard = resolve;
    const timer = setTimeout(() => resolve(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
    this.#child.stdin.write(`${line}\n`);
    const heard = await promise;
    clearTimeout(timer);
    if (heard instanceof Error) throw heard;
    return heard as JobResult;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end();
    await ended;
  }
}

/** Sent one to a line; each with an id of its own, so that none gets the kept result of another. */
const asLine = (bytes: Buffer, number: number): string => {
  const text = bytes.toString("utf8").replaceAll(/[\r\n]/g, " ");
  return text.replaceAll("0".repeat(25) + "1", String(number).padStart(26, "0"));
};

/** The PowerShell agent's reader beside the schemas: what they refuse it refuses, and changes nothing; all else gets a result. */
export const powershellTarget = async (
  rig: ReadyRig,
  edition: Edition,
): Promise<{ readonly target: Target; end(): Promise<void> }> => {
  const root = await mkdtemp(join(tmpdir(), "aetherv-fuzz-"));
  await makeHost(root);
  const place = { rig, edition, root, bundle: AGENT_FOLDER };
  let session = new OneByOne(place);
  let number = 1;
  const checkOne = async (bytes: Buffer): Promise<void> => {
    const line = asLine(bytes, (number += 1));
    if (line.trim() === "") return;
    const request = parse(line);
    const problem = check.request(request) ?? textProblem(request);
    const before = problem === undefined ? undefined : await readHost(root);
    const result = await session.ask(line).catch((error: unknown) => {
      // The same input is tried again, smaller.
      session = new OneByOne(place);
      throw error;
    });
    expectSound(result, problem);
    if (before && !isDeepStrictEqual(await readHost(root), before))
      throw new Error("a refused request changed the host");
  };
  const target: Target = {
    name: "powershell",
    shape: "json",
    coverage: "none",
    // Each costs a call of a real PowerShell: one of every few.
    seeds: requestSeeds({ dryRun: true }).filter((_, index) => index % 8 === 0),
    check: async (inputs) => {
      for (const input of inputs) await checkOne(input);
    },
  };
  const end = async (): Promise<void> => {
    await session.end();
    await rm(root, { recursive: true, force: true });
  };
  return { target, end };
};

const expectSound = (result: JobResult, problem: string | undefined): void => {
  const said = `${result.code}: ${result.message}`;
  if (problem !== undefined && result.code !== "InvalidRequest")
    throw new Error(`the schema refuses it (${problem}), the agent says ${said}`);
  // An operation may refuse what the schema allows; then it names no place of the envelope.
  if (result.status !== "success" && !isErrorCode(result.code)) throw new Error(`no code of the catalog: ${said}`);
  if (result.code === "InternalError") throw new Error(`an error of its own: ${said}`);
};
