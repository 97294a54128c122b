import { beforeEach, describe, expect, it } from "vitest";
import type { Resource } from "../../../src/api/resource.ts";
import type { HostView, JobRecord } from "../../../src/engine/ports.ts";
import { collectFrom } from "../../../src/telemetry/collect.ts";
import { fieldLabel } from "../../../src/telemetry/fields.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { watchedJournal } from "../../../src/telemetry/observer.ts";

const vm = { kind: "VirtualMachine", namespace: "default", name: "web" };
let now = 0;
let metrics: Metrics;

beforeEach(() => {
  now = 1000;
  metrics = new Metrics({ version: "1.2.3", node: "24.0.0", now: () => now });
});

/** Samples of AetherV's own metrics by name and labels; those of a histogram's buckets left out. */
const samples = async (): Promise<Readonly<Record<string, number>>> => {
  const lines = (await metrics.registry.metrics()).split("\n");
  const own = lines.filter((line) => line.startsWith("aetherv_") && !line.includes("_bucket"));
  return Object.fromEntries(own.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
};

const record = (more: Partial<JobRecord>): JobRecord => ({
  id: "job-1",
  key: vm,
  uid: "u1",
  host: "hv1",
  operation: "vm.create",
  request: {} as JobRecord["request"],
  attempt: 1,
  queuedAt: "2026-01-01T00:00:00.000Z",
  status: "queued",
  ...more,
});

describe("what happens is counted", () => {
  it("reconciles by kind and outcome, with their times", async () => {
    metrics.reconcileBegan(vm, 500);
    now += 2000;
    expect(metrics.oldestReconcileMs()).toBe(2000);
    metrics.reconcileEnded(vm, "conflict");
    expect(metrics.oldestReconcileMs()).toBe(0);
    expect(await samples()).toMatchObject({
      'aetherv_reconciles_total{kind="VirtualMachine",outcome="conflict"}': 1,
      'aetherv_reconcile_duration_seconds_sum{kind="VirtualMachine"}': 2,
      aetherv_queue_wait_seconds_sum: 0.5,
    });
  });

  it("jobs: waiting, at work, ended; each counts once however often it tells of its progress", async () => {
    const put: JobRecord[] = [];
    const journal = watchedJournal({ put: (one) => put.push(one), log: () => undefined }, metrics);
    const startedAt = "2026-01-01T00:00:02.000Z";
    journal.put(record({}));
    expect(await samples()).toMatchObject({ 'aetherv_host_jobs{host="hv1",state="queued"}': 1 });
    journal.put(record({ status: "running", startedAt }));
    journal.put(record({ status: "running", startedAt, percent: 50 }));
    const running = await samples();
    expect(running).toMatchObject({
      'aetherv_host_jobs{host="hv1",state="running"}': 1,
      aetherv_job_wait_seconds_count: 1,
    });
    expect(running).not.toHaveProperty('aetherv_host_jobs{host="hv1",state="queued"}');
    journal.put(record({ status: "success", startedAt, finishedAt: startedAt, durationMs: 3000 }));
    const ended = await samples();
    expect(ended).toMatchObject({ 'aetherv_job_duration_seconds_sum{operation="vm.create",code="Success"}': 3 });
    expect(Object.keys(ended).filter((name) => name.startsWith("aetherv_host_jobs"))).toEqual([]);
    expect(put).toHaveLength(4);
  });

  it("a job that was never sent has no duration", async () => {
    metrics.job(record({}));
    metrics.job(record({ status: "error", code: "HostUnreachable", durationMs: 9 }));
    const all = await samples();
    expect(all).toMatchObject({ 'aetherv_jobs_unsent_total{operation="vm.create",code="HostUnreachable"}': 1 });
    expect(Object.keys(all).filter((name) => name.startsWith("aetherv_job_duration"))).toEqual([]);
  });

  it("drift by field, never by what hangs on the field", async () => {
    metrics.driftFound(vm, ["spec.cpu.count", "existence", "spec.invented"]);
    metrics.driftRepaired(vm, ["spec.cpu.count"]);
    expect(await samples()).toMatchObject({
      'aetherv_drift_found_total{kind="VirtualMachine",field="cpu.count"}': 1,
      'aetherv_drift_found_total{kind="VirtualMachine",field="existence"}': 1,
      'aetherv_drift_found_total{kind="VirtualMachine",field="other"}': 1,
      'aetherv_drift_repaired_total{kind="VirtualMachine",field="cpu.count"}': 1,
    });
  });

  it("leader and build", async () => {
    expect(await samples()).toMatchObject({
      aetherv_leader: 0,
      'aetherv_build_info{version="1.2.3",node="24.0.0"}': 1,
    });
    metrics.leads = () => true;
    expect(await samples()).toMatchObject({ aetherv_leader: 1 });
  });
});

describe("labels of fields", () => {
  it.each([
    { why: "a field", kind: "VirtualMachine", path: "spec.cpu.count", is: "cpu.count" },
    { why: "an element of a list", kind: "VirtualMachine", path: "spec.boot.order[3].name", is: "boot.order" },
    { why: "no field of the spec", kind: "VirtualMachine", path: "metadata.labels[app]", is: "other" },
    { why: "no such field", kind: "VirtualMachine", path: "spec.cpu.colour", is: "cpu" },
    { why: "no such kind", kind: "Toaster", path: "spec.cpu", is: "other" },
  ])("$why: $path", ({ kind, path, is }) => expect(fieldLabel(kind, path)).toBe(is));
});

describe("what is, is looked up at each scrape", () => {
  const host = (name: string, more: Partial<HostView>): HostView => ({
    name,
    reach: { at: "up", since: new Date(0) },
    job: () => undefined,
    uncertain: () => undefined,
    ...more,
  });
  const snapshot = {
    observedAt: new Date(10_000),
    host: { storage: [{ path: "D:\\VMs", volume: "D", totalBytes: 100, freeBytes: 25, provisionedBytes: 0 }] },
    trash: new Map([["a", { fileSize: 7 }]]),
  } as unknown as NonNullable<HostView["snapshot"]>;
  const object = (conditions: readonly { type: string; status: string; reason: string }[]): Resource =>
    ({ metadata: {}, status: { conditions } }) as unknown as Resource;

  it("and what is gone is gone", async () => {
    let hosts = [
      host("hv1", { snapshot }),
      host("hv2", {
        reach: {
          at: "down",
          since: new Date(0),
          fault: { code: "AuthenticationFailed", message: "" },
          missed: 1,
        } as HostView["reach"],
      }),
    ];
    let machines = [
      object([{ type: "Ready", status: "True", reason: "Converged" }]),
      object([
        { type: "Ready", status: "False", reason: "InUse" },
        { type: "Stalled", status: "True", reason: "InUse" },
      ]),
      object([]),
    ];
    collectFrom(metrics.registry, {
      objects: { get: () => undefined, list: (kind) => (kind === "VirtualMachine" ? machines : []) },
      hosts: () => hosts,
      settings: () => [],
      inventories: () => new Map([["hv1", { inventories: 4 }]]),
      queue: () => ({ depth: 3, delayed: 2, working: 1, oldestMs: 1500 }),
      epoch: () => 7,
      problems: () => 0,
      now: () => new Date(15_000),
    });
    expect(await samples()).toMatchObject({
      'aetherv_host_reachable{host="hv1"}': 1,
      'aetherv_host_reachable{host="hv2"}': 0,
      'aetherv_host_fault{host="hv2",code="AuthenticationFailed"}': 1,
      'aetherv_host_snapshot_age_seconds{host="hv1"}': 5,
      'aetherv_host_volume_free_bytes{host="hv1",volume="D"}': 25,
      'aetherv_host_trash_bytes{host="hv1"}': 7,
      'aetherv_host_inventories_total{host="hv1"}': 4,
      'aetherv_objects{kind="VirtualMachine",ready="True"}': 1,
      'aetherv_objects{kind="VirtualMachine",ready="False"}': 1,
      'aetherv_objects{kind="VirtualMachine",ready="Unknown"}': 1,
      'aetherv_objects_stalled{kind="VirtualMachine",reason="InUse"}': 1,
      aetherv_queue_depth: 3,
      aetherv_queue_oldest_seconds: 1.5,
      aetherv_epoch: 7,
    });
    [hosts, machines] = [[], []];
    const names = Object.keys(await samples());
    expect(names.filter((name) => name.includes("host="))).toEqual(['aetherv_host_inventories_total{host="hv1"}']);
    expect(names.filter((name) => name.includes("reason="))).toEqual([]);
  });
});
