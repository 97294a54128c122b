import { afterAll, describe, test } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { caseFiles, type Case, type Step } from "./cases.ts";
import { hypervAgents } from "./hyperv/start.ts";
import { runCase } from "./run.ts";

const TIMEOUT = 600_000;
const rig = await ensurePowerShell();

/** Cutting after each effect starts the agent anew each time; AETHERV_CUTS=1 does it for every case. */
const cuts = process.env["AETHERV_CUTS"] === "1";
const withoutCuts = (one: Case): Case => ({
  ...one,
  steps: one.steps.map((step): Step => ("send" in step ? { ...step, cut: false } : step)),
});

if (rig.kind === "skipped") {
  test.skip(`the PowerShell agent: ${rig.why}`, () => undefined);
} else {
  const agents = hypervAgents(rig, process.env["AETHERV_EDITION"] === "7" ? "7" : "5.1");
  afterAll(() => agents.end());
  for (const { name, cases } of caseFiles())
    describe(name, () => {
      for (const one of cases) test(one.why, () => runCase(agents.start, cuts ? one : withoutCuts(one)), TIMEOUT);
    });
}
