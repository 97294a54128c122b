import { afterAll, describe, test } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { caseFiles, type Case, type Step } from "./cases.ts";
import { hypervAgents } from "./hyperv/start.ts";
import { runCase } from "./run.ts";

const TIMEOUT = 600_000;
const rig = await ensurePowerShell();

/**
 * Cutting after each effect starts the agent anew each time: AETHERV_CUTS=1 does it for every case (a quarter of an hour), else it is done for each tenth.
 * Likewise PowerShell 7: AETHERV_EDITION=7 runs every case on it, else each tenth is run on it too.
 */
const allCuts = process.env["AETHERV_CUTS"] === "1";
const edition = process.env["AETHERV_EDITION"] === "7" ? "7" : "5.1";
const SAMPLE = 10;
const withoutCuts = (one: Case): Case => ({
  ...one,
  steps: one.steps.map((step): Step => ("send" in step ? { ...step, cut: false } : step)),
});

if (rig.kind === "skipped") {
  test.skip(`the PowerShell agent: ${rig.why}`, () => undefined);
} else {
  const agents = hypervAgents(rig, edition);
  afterAll(() => agents.end());
  const files = caseFiles();
  for (const { name, cases } of files)
    describe(name, () => {
      for (const [index, one] of cases.entries())
        test(one.why, () => runCase(agents.start, allCuts || index % SAMPLE === 0 ? one : withoutCuts(one)), TIMEOUT);
    });
  const sample = files.flatMap(({ cases }) => cases.filter((_, index) => index % SAMPLE === SAMPLE / 2));
  if (edition === "5.1")
    describe("a sample on PowerShell 7", () => {
      const seven = hypervAgents(rig, "7");
      afterAll(() => seven.end());
      for (const one of sample) test(one.why, () => runCase(seven.start, withoutCuts(one)), TIMEOUT);
    });
}
