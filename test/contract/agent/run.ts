import { expect } from "vitest";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import type { JobResult, Operation } from "../../../src/protocol/generated/types.ts";
import { fixtures, type Case, type Expectation, type Step } from "./cases.ts";
import { mismatch } from "./match.ts";

/** An agent on a fresh host: the simulator in this process, the real process, later the PowerShell agent. */
export interface AgentUnderTest {
  /** Undefined when the agent ended without an answer; the next call starts it again. */
  send(request: object): Promise<JobResult | undefined>;
  /** What a careless admin does: the words of `aetherv simulator`, without the host. */
  admin(words: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export type StartAgent = () => Promise<AgentUnderTest>;
type Send = Extract<Step, { send: string }>;

const check = new ProtocolCheck();
const MAX_EFFECTS = 20;

/** One run of a case's steps on one host. */
class Run {
  readonly #agent: AgentUnderTest;
  readonly #results: Record<string, unknown> = {};
  #count = 0;
  /** Set for a step's cut: the effect after which the agent is ended the first time. */
  readonly #cutAfter: number | undefined;
  cutStruck = false;

  constructor(agent: AgentUnderTest, cutAfter?: number) {
    this.#agent = agent;
    this.#cutAfter = cutAfter;
  }

  /** Correlation ids are counted, so that runs are alike. */
  #id(): string {
    this.#count += 1;
    return String(this.#count).padStart(26, "0");
  }

  /** Values by {"$": name}, and results of earlier steps by ${name.field}. */
  #filled(value: unknown): unknown {
    if (typeof value === "string")
      return value.replaceAll(/\$\{([^}]+)\}/g, (_, path: string) => String(this.#lookUp(path)));
    if (Array.isArray(value)) return value.map((item) => this.#filled(item));
    if (typeof value !== "object" || value === null) return value;
    const name = (value as { $?: unknown }).$;
    if (typeof name === "string") return this.#filled(fixtures.values[name]);
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.#filled(member)]));
  }

  #lookUp(path: string): unknown {
    return path
      .split(".")
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], this.#results);
  }

  #request(step: Omit<Send, "expect">, id: string): object {
    return {
      operation: step.send,
      resource_spec: this.#filled(step.spec),
      correlation_id: id,
      metadata: {
        timestamp: "2026-01-01T00:00:00Z",
        host: "host-1",
        control_plane: step.controlPlane ?? "plane-1",
        epoch: step.epoch ?? 5,
        deadline_seconds: 30,
        debug: false,
        dry_run: step.dryRun ?? false,
        locks: step.locks ?? [],
      },
    };
  }

  async steps(steps: readonly Step[], cut?: Send): Promise<void> {
    for (const step of steps) {
      if ("setup" in step) await this.steps(setup(step.setup));
      else if ("admin" in step) await this.#agent.admin(step.admin.map((word) => String(this.#filled(word))));
      else if ("see" in step) this.#fits(this.#filled(step.see), (await this.world()).observed);
      else await this.#send(step, step === cut);
    }
  }

  #fits(expected: unknown, actual: unknown): void {
    expect(mismatch(expected, actual)).toBeUndefined();
  }

  /** All that the host shows. */
  async world(): Promise<{ observed: unknown }> {
    const id = this.#id();
    const result = await this.#agent.send(
      this.#request({ send: "host.inventory", spec: { layout: { $: "layout" } } }, id),
    );
    expect(result?.status).toBe("success");
    return { observed: result?.data["observed"] };
  }

  async #send(step: Send, cut: boolean): Promise<void> {
    if (cut && this.#cutAfter !== undefined) await this.#cut(step, this.#cutAfter);
    const before = step.dryRun ? await this.world() : undefined;
    const id = this.#id();
    const result = await this.#agent.send(this.#request(step, id));
    this.#verify(step, id, result);
    if (step.as !== undefined) this.#results[step.as] = result?.data;
    if (before) expect(await this.world()).toEqual(before);
    if (step.repeat) await this.#repeat(step, id, result);
  }

  /** Sends the step once with the agent ending after its n-th effect; whether it came so far tells whether there are more. */
  async #cut(step: Send, after: number): Promise<void> {
    await this.#agent.admin(["fault", "add", `crash=#${after}`, `operation=${step.send}`, "count=1"]);
    const result = await this.#agent.send(this.#request(step, this.#id()));
    this.cutStruck = result === undefined;
    await this.#agent.admin(["fault", "clear"]);
    if (this.cutStruck && step.afterCut !== undefined)
      this.#fits(this.#filled(step.afterCut), (await this.world()).observed);
  }

  #verify(step: Send, id: string, result: JobResult | undefined): void {
    const wanted: Expectation = step.expect ?? {};
    const status = wanted.status ?? (wanted.code === undefined ? "success" : "error");
    expect({ status: result?.status }, `${result?.code}: ${result?.message}`).toMatchObject({ status });
    if (wanted.code !== undefined)
      expect(`${result?.code}: ${result?.message}`).toMatch(new RegExp(`^${wanted.code}: `));
    if (wanted.message !== undefined) this.#fits({ $matches: wanted.message }, result?.message);
    if (wanted.data !== undefined) this.#fits(this.#filled(wanted.data), result?.data);
    const checked = check.result(step.send as Operation, id, result);
    if (status === "success") expect(checked).toMatchObject({ ok: true });
    else expect(checked).toMatchObject({ ok: false, fault: { code: wanted.code } });
  }

  async #repeat(step: Send, id: string, first: JobResult | undefined): Promise<void> {
    const before = await this.world();
    const same = await this.#agent.send(this.#request(step, id));
    expect({ ...same, logs: [] }).toEqual({ ...first, logs: [] });
    const again = await this.#agent.send(this.#request(step, this.#id()));
    expect({ status: again?.status, message: again?.message }).toMatchObject({ status: "success" });
    expect(await this.world()).toEqual(before);
  }
}

const setup = (name: string): readonly Step[] => {
  const steps = fixtures.setups[name];
  if (!steps) throw new Error(`no setup "${name}"`);
  return steps;
};

const guid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

const textOf = (value: unknown): string => JSON.stringify(value) ?? "";

/** What an inventory lists is a set: where its order hangs on ids, it is another in each run. */
const inOrder = (key: string, value: unknown): unknown =>
  key === "upsert" && Array.isArray(value)
    ? value
        .map((item: unknown) => ({ item, rank: textOf(item).replaceAll(guid, "") }))
        .toSorted((a, b) => (a.rank < b.rank ? -1 : 1))
        .map(({ item }) => item)
    : value;

/** Ids, addresses and times differ from run to run; the first seen is 1, and so on. */
const normalised = (world: unknown): string => {
  const names = new Map<string, string>();
  const name = (text: string): string => {
    const known = names.get(text.toLowerCase()) ?? `<${names.size + 1}>`;
    names.set(text.toLowerCase(), known);
    return known;
  };
  return (JSON.stringify(world, inOrder) ?? "")
    .replaceAll(guid, name)
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/[0-9A-Z]{26}/g, "<job>");
};

const withAgent = async <T>(start: StartAgent, work: (agent: AgentUnderTest) => Promise<T>): Promise<T> => {
  const agent = await start();
  try {
    return await work(agent);
  } finally {
    await agent.close();
  }
};

const runOnce = (
  start: StartAgent,
  one: Case,
  cut?: Send,
  after?: number,
): Promise<{ world: string; struck: boolean }> =>
  withAgent(start, async (agent) => {
    const run = new Run(agent, after);
    await run.steps(setup(one.given ?? "nothing"));
    await run.steps(one.steps, cut);
    return { world: normalised(await run.world()), struck: run.cutStruck };
  });

/** Runs a case; where a step says so, again and again with the agent ended after each effect of that step. */
export const runCase = async (start: StartAgent, one: Case): Promise<void> => {
  const whole = await runOnce(start, one);
  for (const step of one.steps) {
    if (!("send" in step) || !step.cut) continue;
    let effects = 0;
    for (let after = 1; after <= MAX_EFFECTS; after++) {
      const cut = await runOnce(start, one, step, after);
      if (!cut.struck) break;
      effects = after;
      expect(cut.world, `${step.send} cut after effect ${after}`).toBe(whole.world);
    }
    expect(effects, `${step.send} has effects to cut`).toBeGreaterThan(0);
  }
};
