import { describe, test } from "vitest";
import { caseFiles, type Case, type Step } from "./cases.ts";
import { startOneShot, startSession } from "./realProcess.ts";
import { runCase } from "./run.ts";

const TIMEOUT = 60_000;

/** Without the cuts, whose every point needs a process of its own; those run in this process. */
const withoutCuts = (one: Case): Case => ({
  ...one,
  steps: one.steps.map((step): Step => ("send" in step ? { ...step, cut: false } : step)),
});

const chosen = caseFiles().flatMap(({ name, cases }) =>
  cases.filter((one) => one.process).map((one) => ({ name: `${name}: ${one.why}`, one })),
);

describe("session", () => {
  test.each(chosen)("$name", ({ one }) => runCase(startSession, withoutCuts(one)), TIMEOUT);

  const create = chosen.find(({ name }) => name.startsWith("vm.create"));
  test(
    "a create cut by the process's end after each effect",
    () => runCase(startSession, create?.one ?? fail()),
    TIMEOUT,
  );
});

const fail = (): never => {
  throw new Error("no case for vm.create");
};

// Every step is a process here: a few cases show that the form works, the operations are the same.
describe("one-shot", () => {
  const few = chosen.filter(({ name }) => /^(vm\.create|disk\.clone|host): /.test(name)).slice(0, 4);
  test.each(few)("$name", ({ one }) => runCase(startOneShot, withoutCuts(one)), TIMEOUT);
});
