import { describe, expect, it } from "vitest";
import { jobsCommand } from "../../../src/cli/commands/jobs.ts";
import type { Tools } from "../../../src/cli/context.ts";
import type { JobRecord } from "../../../src/engine/ports.ts";
import { ControlError, type ControlPlane } from "../../../src/server/control.ts";

const first = "01JD0000000000000000000ABC";
const second = "01JD0000000000000000000XBC";
const record = (id: string): JobRecord => ({ id, status: "success" }) as unknown as JobRecord;
const unheard = new ControlError("Unavailable", "known to no replica that was heard; not heard: b");

/** A control plane with two jobs, asked for a single one. */
const shown = async (typed: string, job: () => Promise<JobRecord | undefined>): Promise<string> => {
  const control = {
    job,
    jobs: () => Promise.resolve([record(first), record(second)]),
    async *jobLog() {},
    close: () => Promise.resolve(),
  } as unknown as ControlPlane;
  let printed = "";
  const tools = {
    context: {
      terminal: { out: (text: string) => (printed += text), err: () => undefined },
      signal: new AbortController().signal,
      connect: () => Promise.resolve(control),
    },
    where: () => undefined,
    exit: () => undefined,
  } as unknown as Tools;
  await jobsCommand(tools).parseAsync([typed, "-o", "json"], { from: "user" });
  return (JSON.parse(printed) as JobRecord).id;
};

describe("a job by the end of its ID", () => {
  const none = (): Promise<undefined> => Promise.resolve(undefined);
  const silent = (): Promise<never> => Promise.reject(unheard);

  it("is found in the list", async () => {
    // What is printed is asked for once more.
    expect(await shown("abc", none)).toBe(first);
  });

  it("is found in the list also where a replica is not heard", async () => {
    let asks = 0;
    const once = (): Promise<JobRecord> => ((asks += 1) === 1 ? silent() : Promise.resolve(record(first)));
    expect(await shown("abc", once)).toBe(first);
  });

  it.each([
    { why: "nothing fits, and all are heard", typed: "zzz", job: none, code: "NotFound", message: "does not exist" },
    { why: "nothing fits", typed: "zzz", job: silent, code: "Unavailable", message: "not heard: b" },
    { why: "several fit", typed: "bc", job: silent, code: "NotFound", message: "fits 2 jobs" },
    {
      why: "it may not be read",
      typed: "abc",
      job: () => Promise.reject(new ControlError("Forbidden", "no")),
      code: "Forbidden",
      message: "no",
    },
  ])("is refused when $why", async ({ typed, job, code, message }) => {
    await expect(shown(typed, job)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as unknown,
    });
  });
});
