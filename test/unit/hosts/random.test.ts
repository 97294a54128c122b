import fc from "../../support/fc.ts";
import { describe, expect, it } from "vitest";
import { resultLine, resultOf, type Reaction } from "../../support/fakeAgent.ts";
import { guid } from "../../support/states.ts";
import type { JobRequest, VmState } from "../../../src/protocol/generated/types.ts";
import { Rig, vm } from "./rig.ts";

type Power = "Running" | "Off";
const trouble = [
  "none",
  "cut",
  "garbage",
  "twice",
  "lost",
  "dies before",
  "dies after",
  "fails silently",
  "slow",
  "slow reply",
  "hangs",
] as const;
type Trouble = (typeof trouble)[number];

type Move =
  | { readonly do: "job"; readonly n: number; readonly state: Power; readonly trouble: Trouble }
  | { readonly do: "outside"; readonly n: number; readonly state: Power }
  | { readonly do: "look"; readonly ms: number; readonly broken: boolean }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "kill" | "off" | "on" };

const machines = [1, 2];
const number = fc.integer({ min: 1, max: 2 });
const power = fc.constantFrom<Power>("Running", "Off");
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("job" as const),
      n: number,
      state: power,
      trouble: fc.constantFrom(...trouble),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("outside" as const), n: number, state: power }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("look" as const),
      ms: fc.integer({ min: 0, max: 9000 }),
      broken: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 12_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("kill" as const, "off" as const, "on" as const) }) },
);

/** The same machine changed by a job and by somebody else, and looked at, all at nearly the same time. */
const race: fc.Arbitrary<readonly Move[]> = fc
  .record({
    n: number,
    state: power,
    trouble: fc.constantFrom(...trouble),
    waits: fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 3, maxLength: 3 }),
    ms: fc.integer({ min: 0, max: 9000 }),
  })
  .map(({ n, state, trouble: what, waits, ms }) => [
    { do: "job", n, state, trouble: what },
    { do: "pass", ms: waits[0]! },
    { do: "outside", n, state: state === "Off" ? "Running" : "Off" },
    { do: "look", ms, broken: false },
    { do: "pass", ms: waits[1]! },
    { do: "look", ms: 0, broken: false },
    { do: "pass", ms: waits[2]! },
  ]);

const course: fc.Arbitrary<readonly Move[]> = fc
  .array(fc.oneof({ weight: 4, arbitrary: move.map((one) => [one]) }, { weight: 1, arbitrary: race }), {
    minLength: 1,
    maxLength: 25,
  })
  .map((parts) => parts.flat());

/** A host with two machines whose power jobs go wrong in every way; inventories tell changes since a revision. */
class Model {
  readonly rig = new Rig();
  readonly states = new Map<number, { state: Power; revision: number }>();
  readonly #next = new Map<string, Trouble>();
  #revision = 0;
  #look = { ms: 0, broken: false };

  constructor() {
    for (const n of machines) this.change(n, "Off");
    this.rig.script["host.inventory"] = (request) => this.#inventory(request);
    this.rig.script["vm.power"] = (request) => this.#job(request);
  }

  change(n: number, state: Power): void {
    this.#revision += 1;
    this.states.set(n, { state, revision: this.#revision });
  }

  state(n: number): VmState {
    return vm(n, { state: this.states.get(n)!.state });
  }

  async play(move: Move): Promise<void> {
    const { rig } = this;
    switch (move.do) {
      case "job":
        this.#next.set(guid(move.n), move.trouble);
        rig.submit(move.n, {
          deadlineSeconds: 20,
          spec: {
            owner: { kind: "VirtualMachine", namespace: "default", name: `vm${move.n}`, uid: `uid-${move.n}` },
            vmId: guid(move.n),
            state: move.state,
          },
        });
        return await rig.pass(1);
      case "outside":
        return this.change(move.n, move.state);
      case "look":
        this.#look = move;
        return rig.directory.refresh("hv1");
      case "pass":
        return await rig.pass(move.ms);
      case "kill":
        return rig.agent.channels.at(-1)?.die();
      case "off":
        rig.agent.reachable = false;
        return rig.agent.channels.at(-1)?.die();
      case "on":
        rig.agent.reachable = true;
        return;
      default:
        return move satisfies never;
    }
  }

  calm(): void {
    this.#next.clear();
    this.#look = { ms: 0, broken: false };
    this.rig.agent.reachable = true;
  }

  async #inventory({ resource_spec }: JobRequest): Promise<Reaction> {
    const { ms, broken } = this.#look;
    this.#look = { ms: 0, broken: false };
    const since = resource_spec["since"] as string | undefined;
    const from = since === undefined ? 0 : Number(since.slice(1));
    const upsert = [...this.states].filter(([, { revision }]) => revision > from).map(([n]) => this.state(n));
    const data = {
      digest: `r${this.#revision}`,
      full: since === undefined,
      complete: true,
      unknown: [],
      observed: { vms: { upsert } },
    };
    await this.rig.clock.sleep(ms);
    return broken ? { lines: ['{"type":"result","result":'] } : { data };
  }

  async #job(request: JobRequest): Promise<Reaction> {
    const { vmId, state } = request.resource_spec as { vmId: string; state: Power };
    const n = machines.find((one) => guid(one) === vmId)!;
    const what = this.#next.get(vmId) ?? "none";
    if (what === "dies before") return "die";
    const { jobs } = this.rig.agent;
    jobs.set(request.correlation_id, { state: "Running", percent: 10 });
    if (what === "slow") await this.rig.clock.sleep(7000);
    if (what === "hangs") await this.rig.clock.sleep(45_000);
    this.change(n, state);
    const result = resultOf(request, { data: { observed: { vms: { upsert: [this.state(n)] } } } });
    jobs.set(request.correlation_id, { state: "Finished", result });
    const line = resultLine(result);
    if (what === "slow reply") await this.rig.clock.sleep(5000);
    switch (what) {
      case "cut":
        return { lines: [line.slice(0, 70)] };
      case "garbage":
        return { lines: ["<<<"] };
      case "twice":
        return { lines: [line, line] };
      case "lost":
        return "hang";
      case "dies after":
        return "die";
      case "fails silently":
        return { code: "HyperVError" };
      default:
        return { lines: [line] };
    }
  }
}

describe("whatever goes wrong", () => {
  it("what is known of a host is true again in the end, every job has ended once, and then nothing is asked for nothing", async () => {
    await fc.assert(
      fc.asyncProperty(course, async (moves) => {
        const model = new Model();
        const { rig } = model;
        await rig.start({ concurrency: 2 });
        for (const one of moves) await model.play(one);
        model.calm();
        await rig.pass(150_000);
        expect(rig.outcomes.map(({ id }) => id).sort()).toEqual([...rig.records.keys()].sort());
        expect([...rig.records.values()].filter(({ finishedAt }) => finishedAt === undefined)).toEqual([]);
        expect(rig.host.reach.at).toBe("up");
        for (const n of machines) {
          expect(rig.host.snapshot!.vms.get(guid(n))?.state).toBe(model.states.get(n)!.state);
          expect([rig.host.job(`uid-${n}`), rig.host.uncertain(`uid-${n}`)]).toEqual([undefined, undefined]);
        }
        rig.changes.length = 0;
        const asked = rig.agent.requests.length;
        await rig.pass(90_000);
        expect(rig.agent.requests.slice(asked).map(({ operation }) => operation)).toEqual(
          Array(3).fill("host.inventory"),
        );
        expect(rig.changes).toEqual([]);
        await stopped(rig);
        expect(rig.clock.pending).toBe(0);
      }),
      { numRuns: 300, examples: [[overtaken]] },
    );
  }, 120_000);
});

// A job's reply that was overtaken by two inventories, the second of which had nothing to tell, once stayed as the truth.
const overtaken: readonly Move[] = [
  { do: "job", n: 1, state: "Running", trouble: "slow reply" },
  { do: "pass", ms: 1 },
  { do: "outside", n: 1, state: "Off" },
  { do: "look", ms: 0, broken: false },
  { do: "pass", ms: 8 },
  { do: "look", ms: 0, broken: false },
  { do: "pass", ms: 1 },
  { do: "job", n: 2, state: "Running", trouble: "none" },
  { do: "pass", ms: 88 },
  { do: "outside", n: 2, state: "Off" },
  { do: "look", ms: 4700, broken: false },
  { do: "pass", ms: 200 },
  { do: "look", ms: 0, broken: false },
  { do: "pass", ms: 1 },
];

const stopped = async (rig: Rig): Promise<void> => {
  void rig.directory.stop({ graceMs: 0 });
  await rig.pass(50);
};
