import { describe, test } from "vitest";
import { caseFiles } from "./cases.ts";
import { startInProcess } from "./inProcess.ts";
import { runCase } from "./run.ts";

for (const { name, cases } of caseFiles())
  describe(name, () => {
    for (const one of cases) test(one.why, () => runCase(startInProcess, one));
  });
