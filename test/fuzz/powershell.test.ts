import { afterAll, test } from "vitest";
import { ensurePowerShell } from "../../scripts/rigs/powershell.mjs";
import { fuzzTest } from "./suite.ts";
import { powershellTarget } from "./targets/powershell.ts";

const rig = await ensurePowerShell();

if (rig.kind === "skipped") test("the PowerShell agent's reader", ({ skip }) => skip(rig.why));
else {
  // Edition 7 reads JSON by .NET's own means; `npm run fuzz` has both.
  const { target, end } = await powershellTarget(rig, "5.1");
  afterAll(end, 60_000);
  fuzzTest(() => target);
}
