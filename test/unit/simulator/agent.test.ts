import { describe, expect, test } from "vitest";
import { CrashError } from "../../../agents/simulator/model/job.ts";
import type { JobResult } from "../../../src/protocol/generated/types.ts";
import { Bench, layout, owner } from "./support.ts";

const web = owner("VirtualMachine", "web");
const os = owner("VirtualDisk", "os");
const cloneSpec = { owner: os, layout, storageClass: "fast", source: { image: "debian-12" } };
const createSpec = { owner: web, layout, generation: 2, osFamily: "Linux", config: { name: "web" } };

describe("jobs of an agent", () => {
  test("a repeated id gets the kept result, also from another process", async () => {
    const bench = new Bench();
    const request = bench.request("vm.create", createSpec);
    const first = await bench.send(bench.agent(), request);
    const again = await bench.send(bench.agent("p2"), request);
    expect(again.data).toEqual(first.data);
    expect(bench.world((world) => world.vms())).toHaveLength(1);
  });

  test("the same id while it runs is the same job", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const request = bench.request("disk.clone", cloneSpec);
    const [one, two] = await Promise.all([bench.send(agent, request), bench.send(agent, request)]);
    expect(two).toBe(one);
  });

  test("the last 200 results are kept, no more", async () => {
    const bench = new Bench();
    bench.behaviour = { latency: { factor: 0 } };
    const agent = bench.agent();
    for (let index = 0; index < 210; index++)
      await bench.send(agent, bench.request("vm.delete", { owner: web, vmId: "eeeeeeee-0000-4000-8000-000000000001" }));
    expect(agent.hello().results).toHaveLength(200);
  });

  test.each([
    { why: "the same uid in one process", other: "p1", locks: [], code: "Busy" },
    { why: "the same uid across processes", other: "p2", locks: [], code: "Busy" },
    { why: "a lock that both name", other: "p2", locks: ["shared"], code: "Busy", uid: "another" },
    { why: "nothing shared", other: "p2", locks: [], code: undefined, uid: "another" },
  ])("locks: $why", async ({ other, locks, code, uid }) => {
    const bench = new Bench();
    const agent = bench.agent();
    const second = other === "p1" ? agent : bench.agent(other);
    const running = agent.handle(bench.request("disk.clone", cloneSpec, { locks: ["shared"] }));
    await bench.clock.advance(100);
    const spec = { ...cloneSpec, owner: uid === undefined ? os : owner("VirtualDisk", uid) };
    const result = await bench.send(second, bench.request("disk.clone", spec, { locks: [...locks] }));
    expect(result.code).toBe(code);
    if (code) expect(result.message).toContain("disk.clone 00000000000000000000000001");
    await bench.finish(running);
  });

  test("a dead process's job holds no lock, and its repeat finishes the work", async () => {
    const bench = new Bench();
    bench.behaviour = { faults: [{ id: "f", count: 1, fault: { type: "crash", point: "copying" } }] };
    await expect(bench.send(bench.agent("p1"), bench.request("disk.clone", cloneSpec))).rejects.toThrow(CrashError);
    bench.alive.delete("p1");
    const result = await bench.send(bench.agent("p2"), bench.request("disk.clone", cloneSpec));
    expect(result.status).toBe("success");
    expect(bench.world((world) => world.disks().filter((file) => file.path.includes("partial")))).toEqual([]);
  });

  test("a busy answer is not kept: the same id can be sent again", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const running = agent.handle(bench.request("disk.clone", cloneSpec));
    await bench.clock.advance(100);
    const request = bench.request("disk.clone", cloneSpec);
    expect((await bench.send(agent, request)).code).toBe("Busy");
    await bench.finish(running);
    expect((await bench.send(agent, request)).status).toBe("success");
  });

  test("a newer leader stops a running job before its next effect", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const running = agent.handle(bench.request("disk.clone", cloneSpec, { epoch: 3 }));
    await bench.clock.advance(500);
    await bench.finish(agent.handle(bench.request("vm.create", createSpec, { epoch: 4 })));
    const result = await bench.finish(running);
    expect(result).toMatchObject({ status: "partial", code: "StaleController" });
    expect(agent.hello().epochs).toEqual({ cp: 4 });
  });

  test("epoch 0 changes nothing", async () => {
    const bench = new Bench();
    const result = await bench.send(bench.agent(), bench.request("vm.create", createSpec, { epoch: 0 }));
    expect(result.code).toBe("StaleController");
  });

  test("the deadline ends a job with Timeout and frees its lock", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const result = await bench.send(agent, bench.request("disk.clone", cloneSpec, { deadline_seconds: 1 }));
    expect(result).toMatchObject({ status: "partial", code: "Timeout" });
    expect((await bench.send(agent, bench.request("disk.clone", cloneSpec))).status).toBe("success");
  });

  test("progress is streamed and told by hello and job.get; cancel ends the job", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const request = bench.request("disk.clone", cloneSpec);
    const running = agent.handle(request, (line) => bench.lines.push(line));
    await bench.clock.advance(1500);
    expect(bench.lines.filter((line) => line.type === "progress").length).toBeGreaterThan(3);
    const [told] = bench.agent("p2").hello().running;
    expect(told).toMatchObject({ correlation_id: request.correlation_id, operation: "disk.clone" });
    expect(told?.percent).toBeGreaterThan(20);
    const spec = { correlation_id: request.correlation_id };
    expect((await agent.handle(bench.request("job.get", spec))).data).toMatchObject({ state: "Running" });
    expect((await agent.handle(bench.request("job.cancel", spec))).data).toEqual({ state: "Cancelling" });
    expect((await bench.finish(running)).code).toBe("Timeout");
    expect((await agent.handle(bench.request("job.get", spec))).data).toMatchObject({ state: "Finished" });
  });

  test("a session's end ends its jobs", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const running = agent.handle(bench.request("disk.clone", cloneSpec));
    await bench.clock.advance(500);
    agent.close();
    expect((await bench.finish(running)).code).toBe("Timeout");
  });

  test.each([
    { why: "no object", request: "text", id: "0".repeat(26) },
    { why: "nothing", request: undefined, id: "0".repeat(26) },
    { why: "an unknown operation", request: { operation: "vm.explode" }, id: "0".repeat(26) },
    {
      why: "a bad spec with a good id",
      request: { correlation_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
      id: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    },
  ])("InvalidRequest: $why", async ({ request, id }) => {
    const result = await new Bench().agent().handle(request);
    expect(result).toMatchObject({ status: "error", code: "InvalidRequest", correlation_id: id });
  });

  test.each(["hang", "slow"] as const)("fault %s delays the answer", async (type) => {
    const bench = new Bench();
    const fault = type === "slow" ? { type, ms: 60_000 } : { type };
    bench.behaviour = { faults: [{ id: "f", operation: "vm.create", count: 1, fault }] };
    const agent = bench.agent();
    let result: JobResult | undefined;
    void agent.handle(bench.request("vm.create", createSpec)).then((one) => (result = one));
    await bench.clock.advance(59_000);
    expect(result).toBeUndefined();
    await bench.clock.advance(600_000);
    expect(result?.code).toBe(type === "slow" ? undefined : "Timeout");
    expect((await bench.send(agent, bench.request("vm.create", createSpec))).status).toBe("success");
  });

  test("a rule strikes its operation, target and count only", async () => {
    const bench = new Bench();
    bench.behaviour = {
      latency: { factor: 0 },
      faults: [
        { id: "f", operation: "vm.get", target: web.uid, count: 2, fault: { type: "error", code: "HyperVError" } },
      ],
    };
    const agent = bench.agent();
    const ask = async (uid: string): Promise<string | undefined> =>
      (await bench.send(agent, bench.request("vm.get", { owner: { ...web, uid } }))).code;
    expect([await ask("other"), await ask(web.uid), await ask(web.uid), await ask(web.uid)]).toEqual([
      undefined,
      "HyperVError",
      "HyperVError",
      undefined,
    ]);
  });

  test("two machines with a valid stamp of one uid are ambiguous for every operation", async () => {
    const bench = new Bench();
    bench.behaviour = { latency: { factor: 0 } };
    const agent = bench.agent();
    const vmId = String((await bench.send(agent, bench.request("vm.create", createSpec))).data["vmId"]);
    const twin = "eeeeeeee-0000-4000-8000-000000000001";
    bench.change((world) => {
      const vm = world.knownVm(vmId);
      world.putVm({ ...vm, id: twin, name: "twin", notes: vm.notes.replaceAll(vmId, twin) });
    });
    const jobs = [
      bench.request("vm.create", createSpec),
      bench.request("vm.update", { owner: web, vmId, set: { notes: "x" } }),
      bench.request("vm.power", { owner: web, vmId, state: "Running" }),
      bench.request("vm.delete", { owner: web, vmId }),
    ];
    for (const job of jobs) expect((await bench.send(agent, job)).code).toBe("OwnershipAmbiguous");
  });

  test.each(["replica", "clustered"] as const)("a %s machine is left alone", async (mark) => {
    const bench = new Bench();
    bench.behaviour = { latency: { factor: 0 } };
    const agent = bench.agent();
    const vmId = String((await bench.send(agent, bench.request("vm.create", createSpec))).data["vmId"]);
    bench.change((world) => world.changeVm(vmId, () => ({ [mark]: true })));
    const job = bench.request("vm.update", { owner: web, vmId, set: { notes: "x" } });
    expect((await bench.send(agent, job)).code).toBe("OwnedByOther");
  });
});
