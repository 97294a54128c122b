import { isDeepStrictEqual } from "node:util";
import { SimulatedAgent } from "../../../agents/simulator/model/agent.ts";
import { NO_LATENCY } from "../../../agents/simulator/model/latency.ts";
import { seedHost } from "../../../agents/simulator/model/seed.ts";
import { HostStore, MemoryStorage } from "../../../agents/simulator/model/state.ts";
import { World } from "../../../agents/simulator/model/world.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import { isErrorCode } from "../../../src/protocol/errors.ts";
import type { JobRequest } from "../../../src/protocol/generated/types.ts";
import { SeededRandom } from "../../support/random.ts";
import type { Target } from "../fuzzer.ts";
import { requestSeeds } from "./requests.ts";

const check = new ProtocolCheck();

const makeStore = (): HostStore => {
  const store = new HostStore(new MemoryStorage("host-1"));
  store.transact((tx) => seedHost(tx, new SeededRandom(1), { name: "host-1" }));
  return store;
};

const agentOn = (store: HostStore): SimulatedAgent =>
  new SimulatedAgent({
    check,
    store,
    clock: {
      now: () => new Date("2026-01-01T00:00:00Z"),
      // Nothing takes time but a deadline, and none is reached.
      sleep: (ms, signal) => (ms < 1000 ? Promise.resolve() : never(signal)),
    },
    random: new SeededRandom(2),
    behaviour: () => ({ offline: false, latency: NO_LATENCY, faults: [] }),
    process: { id: "fuzz", pid: 1, alive: (id) => id === "fuzz" },
    version: { version: "0.0.0", sha256: "0".repeat(64), os: "fuzz" },
  });

const never = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));

const held = (store: HostStore): unknown =>
  store.read((tx) => {
    const world = new World(tx);
    return structuredClone([world.vms(), world.disks()]);
  });

/** Machines and disks pile up: a new host now and then. */
const FRESH = 300;
let store = makeStore();
let count = 0;

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const checkOne = async (bytes: Buffer): Promise<void> => {
  if ((count += 1) % FRESH === 0) store = makeStore();
  const request = parse(bytes.toString("utf8"));
  const refused = check.request(request) !== undefined;
  const before = refused ? held(store) : undefined;
  const result = await agentOn(store).handle(request);
  if (!check.sessionLine({ type: "result", result })) throw new Error(`no result: ${JSON.stringify(result)}`);
  if (refused) {
    if (result.code !== "InvalidRequest") throw new Error(`the schema refuses it, the agent answers ${result.code}`);
    if (!isDeepStrictEqual(held(store), before)) throw new Error("a refused request changed the host");
    return;
  }
  if (result.status !== "success") {
    if (!isErrorCode(result.code)) throw new Error(`no code of the catalog: ${result.code}`);
    if (result.code === "InternalError") throw new Error(`an error of its own: ${result.message}`);
    return;
  }
  const { operation, correlation_id } = request as JobRequest;
  const checked = check.result(operation, correlation_id, result);
  // The id may be one of an earlier input, whose result is given again.
  if (!checked.ok && !checked.fault.message.includes("data is malformed")) throw new Error(checked.fault.message);
};

export const simulator: Target = {
  name: "simulator",
  shape: "json",
  coverage: "guides",
  seeds: requestSeeds({ dryRun: false }),
  check: async (inputs) => {
    for (const input of inputs) await checkOne(input);
  },
};
