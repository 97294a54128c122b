import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { missingHeader, missingValue } from "../../../src/api/missingReplicas.ts";
import type { JobRecord } from "../../../src/engine/ports.ts";

const job = (status: JobRecord["status"], epoch: number, more: Partial<JobRecord> = {}): JobRecord =>
  ({
    id: "A",
    key: { kind: "VirtualMachine", namespace: "default", name: "web" },
    operation: "vm.create",
    status,
    request: { resource_spec: epoch === 0 ? {} : { cpu: 2 }, metadata: { epoch } },
    ...(status === "running" ? { percent: 40 } : { finishedAt: "2026-01-01T00:00:02Z" }),
    ...more,
  }) as unknown as JobRecord;

/** A server of jobs: its list, who is missing from it, and its stream. */
class Served {
  list: readonly JobRecord[] = [];
  missing = missingValue([]);
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  readonly fetch = (path: string): Promise<Response> => {
    const headers = { [missingHeader]: this.missing };
    if (path.startsWith("/v1/jobs?")) return Promise.resolve(Response.json(this.list, { headers }));
    return Promise.resolve(new Response(new ReadableStream<Uint8Array>({ start: (one) => void (this.#stream = one) })));
  };

  async tell(record: JobRecord): Promise<void> {
    this.#stream?.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(record)}\n\n`));
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

/** What this test uses of it; the types of browsers are not those of tests. */
interface Page {
  readonly jobs: { readonly list: { readonly current: readonly JobRecord[] }; readonly follow: () => () => void };
}

const gone = missingValue([{ name: "b", why: "it does not answer", hosts: ["hv2"], hostCount: 1 }]);
const whole = { resource_spec: { cpu: 2 } };

describe("jobs that a page follows", () => {
  const served = new Served();
  let leave: () => void;
  let shown: () => readonly JobRecord[];

  beforeEach(async () => {
    vi.useFakeTimers();
    vi.resetModules();
    // What the compiler of the page makes of it, without what follows it.
    vi.stubGlobal("$state", { raw: <T>(value: T): T => value });
    vi.stubGlobal("document", { hidden: false });
    vi.stubGlobal("fetch", served.fetch);
    served.list = [];
    served.missing = missingValue([]);
    const { jobs } = await vi.importActual<Page>("../../../console/src/lib/jobs.ts");
    shown = () => jobs.list.current;
    leave = jobs.follow();
    await vi.advanceTimersByTimeAsync(100);
  });
  afterEach(() => {
    leave();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("stay ended when a list comes that is older", async () => {
    served.missing = gone;
    await vi.advanceTimersByTimeAsync(15_000);
    await served.tell(job("success", 3));
    served.list = [job("running", 3)];
    served.missing = missingValue([]);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(shown()).toMatchObject([{ id: "A", status: "success" }]);
  });

  it("are under way until they end", async () => {
    await served.tell(job("running", 3));
    await served.tell(job("running", 3, { percent: 80 }));
    expect(shown()).toMatchObject([{ status: "running", percent: 80 }]);
    await served.tell(job("success", 3));
    expect(shown()).toMatchObject([{ status: "success" }]);
  });

  const failed = job("error", 0, { code: "DiskFull" });
  it.each([
    { why: "the host's new replica tells the end", told: [job("running", 3), failed] },
    { why: "whoever sent it is heard later", told: [failed, job("running", 3)] },
    { why: "its sender took it for done", told: [job("success", 3, { message: "done" }), failed] },
  ])("keep their request, and have the host's end: $why", async ({ told }) => {
    for (const one of told) await served.tell(one);
    expect(shown()).toMatchObject([{ status: "error", code: "DiskFull", request: whole }]);
    expect(shown()[0]).not.toHaveProperty("percent");
    expect(shown()[0]).not.toHaveProperty("message");
  });

  it("keep all that their sender told of the same end", async () => {
    await served.tell(job("success", 3, { message: "done" }));
    await served.tell(job("success", 0));
    expect(shown()).toMatchObject([{ status: "success", message: "done", request: whole }]);
  });
});
