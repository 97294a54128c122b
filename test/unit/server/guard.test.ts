import { describe, expect, it } from "vitest";
import type { JobRecord, Logger } from "../../../src/engine/ports.ts";
import type { ControlPlane } from "../../../src/server/control.ts";
import { GuardedControl } from "../../../src/server/guard.ts";
import { controlApp } from "../../../src/server/server.ts";

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const record = (namespace: string): JobRecord =>
  ({ id: "A", key: { kind: "VirtualMachine", namespace, name: "web" } }) as unknown as JobRecord;

const read: string[] = [];

/** Has the log of any job, even of one that it does not know: it came just after. */
const knowing = (known: JobRecord | undefined): ControlPlane =>
  ({
    job: () => Promise.resolve(known),
    async *jobLog(id: string) {
      read.push(id);
      yield await Promise.resolve({ time: "", level: "info", text: "secret" });
    },
  }) as unknown as ControlPlane;

const guarded = (known: JobRecord | undefined): ControlPlane =>
  new GuardedControl(knowing(known), { name: "dev", may: ({ namespace }) => Promise.resolve(namespace === "dev") });

describe("a job's log", () => {
  it.each([
    { why: "of an object that the caller may read", known: record("dev"), is: 200, code: undefined },
    { why: "of another", known: record("prod"), is: 403, code: "Forbidden" },
    { why: "of a job that is not known", known: undefined, is: 404, code: "NotFound" },
  ])("$why: $is", async ({ known, is, code }) => {
    read.length = 0;
    const lines = async (): Promise<readonly string[]> => {
      const texts: string[] = [];
      for await (const { text } of guarded(known).jobLog("A", { follow: false }, new AbortController().signal))
        texts.push(text);
      return texts;
    };
    if (code === undefined) expect(await lines()).toEqual(["secret"]);
    else await expect(lines()).rejects.toMatchObject({ code });
    const app = controlApp(() => guarded(known), quiet);
    const answer = await app.inject("/v1/jobs/A/log");
    await app.close();
    expect(answer.statusCode).toBe(is);
    expect(read).toEqual(is === 200 ? ["A", "A"] : []);
  });

  it("of a job that is not known is none on the socket either", async () => {
    const app = controlApp(() => knowing(undefined), quiet);
    const answer = await app.inject("/v1/jobs/A/log");
    await app.close();
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ error: { code: "NotFound", message: "job A does not exist" } });
  });
});
