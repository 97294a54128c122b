import { afterAll, describe, expect, it } from "vitest";
import { whyNoSshd } from "../rigs/sshd/sshd.ts";
import { startKubeApi } from "../support/kubeApi.ts";
import { clusterBench, fileBench } from "./bench.ts";
import { crashAt, type CrashCampaign, type Tally } from "./campaign.ts";
import { stride } from "./points.ts";
import { crashPowerShell } from "./powershell.ts";

/** Where the stride begins: TEST_SEED=n tries other points than every day's. `npm run crash` tries all. */
const seed = Number(process.env["TEST_SEED"] ?? 0);
const TIMEOUT = 900_000;

const crashed = async (count: number, benches: CrashCampaign["benches"]): Promise<Tally> => {
  const tally = await crashAt({ benches, choose: (points) => stride(points, count, seed) });
  console.log(
    `${tally.points.length} points, of which ${tally.tried} tried (TEST_SEED=${seed}), ${tally.struck} struck`,
  );
  return tally;
};

describe("SIGKILL at enumerated points: the end is that of a run without one", { timeout: TIMEOUT }, () => {
  it("over files, with simulated hosts", async () => {
    const { points, tried, struck, failures } = await crashed(12, [fileBench, fileBench, fileBench]);
    expect(failures).toEqual([]);
    expect(points.length).toBeGreaterThan(300);
    // A point of one run is nearly always there in the next: writes that fell together are what may differ.
    expect(struck).toBeGreaterThanOrEqual(Math.ceil(tried / 2));
  });
});

const api = await startKubeApi();

describe("SIGKILL at enumerated points over an API server", { timeout: TIMEOUT }, () => {
  if ("skipped" in api) {
    it("converges", ({ skip }) => skip(api.skipped));
    return;
  }
  afterAll(() => api.stop());

  it("the next process waits for the Lease, and comes to the same end", async () => {
    const { points, tried, struck, failures } = await crashed(3, [() => clusterBench(api)]);
    expect(failures).toEqual([]);
    expect(points.length).toBeGreaterThan(300);
    expect(struck).toBeGreaterThanOrEqual(Math.ceil(tried / 2));
  });
});

const why = await whyNoSshd("powershell");

describe("SIGKILL of the PowerShell agent at calls that change its host", { timeout: TIMEOUT }, () => {
  it("every life leaves what an undisturbed one leaves", async ({ skip }) => {
    if (why !== undefined) skip(why);
    const { points, tried, struck, failures } = await crashPowerShell({ choose: (all) => stride(all, 3, seed) });
    console.log(`${points.length} points, of which ${tried} tried (TEST_SEED=${seed}), ${struck} struck`);
    expect(failures).toEqual([]);
    expect(points.length).toBeGreaterThan(30);
    expect(struck).toBe(tried);
  });
});
