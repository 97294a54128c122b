import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { systemRandom } from "../../../src/app/random.ts";
import type { KubeClient } from "../../../src/stores/kubernetes/client.ts";
import { KubeError } from "../../../src/stores/kubernetes/error.ts";
import { KubeEvents } from "../../../src/stores/kubernetes/events.ts";
import { clusterIdentity, identityName } from "../../../src/stores/kubernetes/identity.ts";
import { acquireLease, type Term } from "../../../src/stores/kubernetes/lease.ts";
import { epochAnnotation, type LeaseTimes } from "../../../src/stores/kubernetes/leaseObject.ts";
import { startKubeApi } from "../../support/kubeApi.ts";
import { MemoryLog } from "../../unit/stores/fixed.ts";

const api = await startKubeApi();

const times: LeaseTimes = { durationMs: 2_000, deadlineMs: 1_200, retryMs: 150 };
const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const path = `${leases}/aetherv-test`;

interface Lease {
  readonly metadata: { readonly resourceVersion: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: { readonly holderIdentity: string };
}

describe("on a cluster", () => {
  if ("skipped" in api) {
    it("elects a leader", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client } = api;
  const ending: AbortController[] = [];
  const held: Term[] = [];

  afterEach(async () => {
    for (const end of ending.splice(0)) end.abort();
    for (const term of held.splice(0)) await term.release();
    if ((await client.find(path)) !== undefined) await client.call({ verb: "delete", path });
  });
  afterAll(() => api.stop());

  const candidate = (identity: string, over: { client?: KubeClient } = {}): Promise<Term | undefined> => {
    const end = new AbortController();
    ending.push(end);
    const options = { client, clock: systemClock, random: systemRandom, log: new MemoryLog(), namespace: "default" };
    const waiting = acquireLease({ ...options, ...over, name: "aetherv-test", identity, times }, end.signal);
    void waiting.then((term) => term && held.push(term));
    return waiting;
  };

  const acquired = async (identity: string, over: { client?: KubeClient } = {}): Promise<Term> => {
    const term = await candidate(identity, over);
    if (!term) throw new Error("the wait was ended");
    return term;
  };

  const lease = (): Promise<Lease> => client.call<Lease>({ verb: "get", path });

  /** A client that can be cut from its server. */
  const cuttable = (): { client: KubeClient; cut: () => void } => {
    let isCut = false;
    const over = Object.create(client) as KubeClient;
    over.call = (call) => (isCut ? Promise.reject(new KubeError(0, "cut")) : client.call(call));
    over.find = (at, signal) => (isCut ? Promise.reject(new KubeError(0, "cut")) : client.find(at, signal));
    return { client: over, cut: () => (isCut = true) };
  };

  it("gives the Lease to one; the next gets it as soon as it is given back, with a higher epoch", async () => {
    const first = await acquired("one");
    expect(first.epoch).toBe(1);
    const waiting = candidate("two");
    await systemClock.sleep(times.durationMs + 1_000);
    expect((await lease()).spec.holderIdentity).toBe("one");
    expect(first.lost.aborted).toBe(false);
    const before = Date.now();
    await first.release();
    expect(first.lost.aborted).toBe(true);
    expect((await waiting)?.epoch).toBe(2);
    expect(Date.now() - before).toBeLessThan(times.durationMs);
  });

  it("passes from a silent holder after the duration, not before; that one has stopped by then", async () => {
    const cut = cuttable();
    const first = await acquired("one", cut);
    const waiting = candidate("two");
    await systemClock.sleep(500);
    cut.cut();
    const cutAt = Date.now();
    const lostAt = new Promise<number>((resolve) => first.lost.addEventListener("abort", () => resolve(Date.now())));
    expect((await waiting)?.epoch).toBe(2);
    const tookOver = Date.now();
    expect(tookOver - cutAt).toBeGreaterThan(times.durationMs - 2 * times.retryMs);
    expect(tookOver - cutAt).toBeLessThan(times.durationMs + 1_500);
    expect(await lostAt).toBeLessThan(tookOver);
  });

  it("keeps a raised epoch in the Lease, for the next holder too", async () => {
    const first = await acquired("one");
    expect(await first.raise(41)).toBe(41);
    expect(await first.raise(7)).toBe(41);
    expect(first.epoch).toBe(41);
    expect((await lease()).metadata.annotations[epochAnnotation]).toBe("41");
    await first.release();
    expect((await acquired("two")).epoch).toBe(42);
  });

  it("is lost, and raises no epoch, when somebody else took the Lease", async () => {
    const first = await acquired("one");
    const present = await lease();
    const spec = { ...present.spec, holderIdentity: "thief" };
    await client.call({ verb: "patch", path, body: { spec } });
    await expect(first.raise(50)).rejects.toThrow("thief");
    expect(first.lost.aborted).toBe(true);
    expect((await lease()).spec.holderIdentity).toBe("thief");
  });

  it("stays when somebody edits the Lease without taking it", async () => {
    const first = await acquired("one");
    await client.call({ verb: "patch", path, body: { metadata: { annotations: { note: "x" } } } });
    await systemClock.sleep(3 * times.retryMs);
    expect(first.lost.aborted).toBe(false);
    expect((await lease()).metadata.annotations["note"]).toBe("x");
  });

  it("ends the wait at the signal", async () => {
    await acquired("one");
    const waiting = candidate("two");
    ending.at(-1)?.abort();
    expect(await waiting).toBeUndefined();
  });

  it("makes one identity, whoever asks first, and refuses a damaged one", async () => {
    const config = `/api/v1/namespaces/default/configmaps/${identityName}`;
    const ids = await Promise.all([1, 2, 3].map(() => clusterIdentity(client, "default", systemRandom)));
    expect(new Set(ids).size).toBe(1);
    expect(await clusterIdentity(client, "default", systemRandom)).toBe(ids[0]);
    await client.call({ verb: "patch", path: config, body: { data: { controlPlaneId: "" } } });
    await expect(clusterIdentity(client, "default", systemRandom)).rejects.toThrow("data.controlPlaneId");
    await client.call({ verb: "delete", path: config });
  });

  it("writes Events, repeated ones as a series", async () => {
    const instance = "pod_1";
    const events = new KubeEvents({ client, clock: systemClock, random: systemRandom, log: new MemoryLog(), instance });
    const key = { kind: "VirtualMachine", namespace: "default", name: "web" };
    for (const tries of [1, 2, 3])
      events.record(key, "uid-1", {
        type: "Warning",
        reason: "HostBusy",
        message: `tried ${tries} times: ${"ä".repeat(800)}`,
      });
    events.record({ kind: "VMHost", namespace: "", name: "hv1" }, "uid-2", {
      type: "Normal",
      reason: "Seen",
      message: "ok",
    });
    await events.close(5_000);
    const { items } = await client.call<{
      items: { reason: string; series?: { count: number }; note: string; regarding: object }[];
    }>({
      verb: "list",
      path: "/apis/events.k8s.io/v1/namespaces/default/events",
    });
    const found = items.toSorted((a, b) => a.reason.localeCompare(b.reason));
    expect(found).toMatchObject([
      {
        reason: "HostBusy",
        type: "Warning",
        series: { count: 3 },
        regarding: { ...key, uid: "uid-1" },
        reportingInstance: instance,
      },
      { reason: "Seen", note: "ok", regarding: { kind: "VMHost", name: "hv1", uid: "uid-2" } },
    ]);
    expect(new TextEncoder().encode(found[0]?.note).length).toBeLessThanOrEqual(1_024);
    expect(found[1]?.series).toBeUndefined();
  });
});
