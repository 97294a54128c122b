import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedAgent } from "../../../agents/simulator/model/agent.ts";
import { CrashError } from "../../../agents/simulator/model/job.ts";
import { ensureHost, openHost, watchedBehaviour, writeBehaviour } from "../../../agents/simulator/process/host.ts";
import { seededRandom } from "../../../agents/simulator/process/random.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import { runAdmin } from "./admin.ts";
import type { AgentUnderTest } from "./run.ts";

/** A folder with a new host on which nothing takes time. */
export const newHostFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "aetherv-agent-"));
  ensureHost(folder, { name: "host-1" });
  writeBehaviour(folder, { latency: { factor: 0 } });
  return folder;
};

const check = new ProtocolCheck();

const newAgent = (folder: string, id: string): SimulatedAgent =>
  new SimulatedAgent({
    check,
    store: openHost(folder),
    clock: { now: () => new Date(), sleep: (ms, signal) => sleep(ms, signal) },
    random: seededRandom(1),
    behaviour: watchedBehaviour(folder, (text) => {
      throw new Error(text);
    }),
    process: { id, pid: process.pid, alive: () => false },
    version: { version: "0.0.0", sha256: "0".repeat(64), os: "test" },
  });

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** The simulator in this process, on a real folder. A crash makes a new agent on the same folder. */
export const startInProcess = async (): Promise<AgentUnderTest> => {
  const folder = newHostFolder();
  let generation = 1;
  let agent = newAgent(folder, "process-1");
  return {
    send: async (request) => {
      try {
        return await agent.handle(request);
      } catch (error) {
        if (!(error instanceof CrashError)) throw error;
        generation += 1;
        agent = newAgent(folder, `process-${generation}`);
        return undefined;
      }
    },
    admin: (words) => runAdmin(folder, words),
    close: async () => rmSync(folder, { recursive: true }),
  };
};
