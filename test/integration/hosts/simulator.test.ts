import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { systemRandom } from "../../../src/app/random.ts";
import { HostSnapshot } from "../../../src/engine/snapshot.ts";
import type { HostSettings, JobOrder, JobOutcome, Logger } from "../../../src/engine/ports.ts";
import { HostDirectory } from "../../../src/hosts/directory.ts";
import { JobJournal } from "../../../src/journal/journal.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import type { Operation, OperationSpecs } from "../../../src/protocol/generated/types.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { LocalTransport, type AgentProgram } from "../../../src/transports/local/process.ts";
import { agentProgram, simulatorProgramOf } from "./processes.ts";

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const check = new ProtocolCheck();
const layout = {
  virtualMachinePath: "D:\\VMs",
  storageClasses: [{ name: "fast", path: "D:\\Disks" }],
  imagePaths: ["D:\\Images"],
  trashRetentionSeconds: 3600,
};
const settings: HostSettings = {
  name: "hv1",
  uid: "00000000-0000-4000-8000-0000000000aa",
  layout,
  networks: [{ name: "lan", switchName: "External" }],
  concurrency: 4,
  longConcurrency: 2,
  inventoryIntervalMs: 1_000,
  connectionHash: "a",
};

let folder: string;
let directories: HostDirectory[] = [];
let epoch = 1;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "aetherv-hosts-"));
  epoch = 1;
});

afterEach(async () => {
  await Promise.all(directories.splice(0).map((directory) => directory.stop({ graceMs: 0 })));
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

const start = async (program: AgentProgram = simulatorProgramOf(join(folder, "hv1"), "hv1")) => {
  const journal = await JobJournal.open({ data: new MemoryKeyValue(), clock: systemClock, log: quiet });
  const directory = new HostDirectory({
    clock: systemClock,
    random: systemRandom,
    log: quiet,
    journal,
    check,
    controlPlaneId: "cp-1",
    epoch: () => epoch,
    raiseEpoch: async (min) => (epoch = Math.max(epoch, min)),
    transportFor: () => new LocalTransport(program),
    newSnapshot: () => new HostSnapshot("cp-1"),
    onChange: () => {},
  });
  directories.push(directory);
  directory.apply([settings]);
  await until(() => directory.host("hv1")?.snapshot !== undefined);
  return { directory, journal };
};

const until = async (done: () => boolean): Promise<void> => {
  for (let waited = 0; !done(); waited += 20) {
    if (waited > 15_000) throw new Error("nothing happened for 15 s");
    await systemClock.sleep(20);
  }
};

const owner = (n: number) =>
  ({
    kind: "VirtualMachine",
    namespace: "default",
    name: `vm${n}`,
    uid: `00000000-0000-4000-8000-00000000000${n}`,
  }) as const;

interface Wanted<O extends Operation> {
  readonly operation: O;
  readonly spec: OperationSpecs[O];
  readonly deadlineSeconds?: number;
}

const run = <O extends Operation>(directory: HostDirectory, n: number, wanted: Wanted<O>): Promise<JobOutcome> => {
  const { kind, namespace, name, uid } = owner(n);
  const { operation, spec, deadlineSeconds = 30 } = wanted;
  const key = { kind, namespace, name };
  const order: JobOrder = { key, uid, host: "hv1", step: { operation, spec }, locks: [uid], deadlineSeconds };
  return new Promise((resolve) => directory.submit(order, resolve));
};

const create = (directory: HostDirectory, n: number, deadlineSeconds = 30) => {
  const spec = { owner: owner(n), layout, generation: 2, config: { name: `vm${n}` } } as const;
  return run(directory, n, { operation: "vm.create", spec, deadlineSeconds });
};

const get = (directory: HostDirectory) => run(directory, 1, { operation: "vm.get", spec: { owner: owner(1) } });

describe("hosts with the simulator's process", () => {
  it("see the host, make machines side by side and know them without another look", async () => {
    const { directory, journal } = await start();
    const host = directory.host("hv1")!;
    expect(host.agent).toMatchObject({ agent: "simulator" });
    expect(host.snapshot).toMatchObject({ complete: true });
    const outcomes = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => create(directory, n)));
    expect(outcomes.map(({ fault }) => fault)).toEqual(Array(6).fill(undefined));
    expect([...host.snapshot!.vms.values()].map(({ name }) => name).sort()).toEqual([
      "vm1",
      "vm2",
      "vm3",
      "vm4",
      "vm5",
      "vm6",
    ]);
    expect(host.snapshot!.vmsOf(owner(3).uid)).toMatchObject([{ name: "vm3" }]);
    expect(await journal.list()).toHaveLength(6);
    expect((await journal.list())[0]).toMatchObject({
      status: "success",
      operation: "vm.create",
      request: { metadata: { epoch: 1 } },
    });
  });

  it("see the same with a new process, which comes above the epoch of the one before", async () => {
    const first = await start();
    await create(first.directory, 1);
    await first.directory.stop({ graceMs: 1000 });
    const second = await start();
    expect([...second.directory.host("hv1")!.snapshot!.vms.values()].map(({ name }) => name)).toEqual(["vm1"]);
    expect(epoch).toBe(2);
    expect((await create(second.directory, 2)).fault).toBeUndefined();
  });

  it("survive the agent's death in the middle of everything", async () => {
    const { directory } = await start();
    const jobs = [1, 2, 3].map((n) => create(directory, n));
    process.kill(directory.host("hv1")!.agent!.pid, "SIGKILL");
    const outcomes = await Promise.all(jobs);
    await until(() => [1, 2, 3].every((n) => directory.host("hv1")!.uncertain(owner(n).uid) === undefined));
    const again = await Promise.all([1, 2, 3].map((n) => create(directory, n)));
    expect(
      again.map(({ fault }) => fault),
      JSON.stringify(outcomes),
    ).toEqual([undefined, undefined, undefined]);
    expect([...directory.host("hv1")!.snapshot!.vms.values()].map(({ name }) => name).sort()).toEqual([
      "vm1",
      "vm2",
      "vm3",
    ]);
    expect(directory.host("hv1")!.reach.at).toBe("up");
  });

  it("go down and up with the host", async () => {
    const { directory } = await start();
    const behaviour = join(folder, "hv1", "behaviour.json");
    await writeFile(behaviour, JSON.stringify({ offline: true }));
    await until(() => directory.host("hv1")!.reach.at === "down");
    expect((directory.host("hv1")!.reach as { fault: { message: string } }).fault.message).toContain("offline");
    expect((await create(directory, 1)).fault).toMatchObject({ code: "HostUnreachable" });
    await writeFile(behaviour, JSON.stringify({ offline: false }));
    await until(() => directory.host("hv1")!.reach.at === "up");
    expect((await create(directory, 1)).fault).toBeUndefined();
  });

  it("ask one short question an interval while nothing happens", async () => {
    const { directory } = await start();
    await create(directory, 1);
    await systemClock.sleep(1500);
    const before = directory.counts().get("hv1")!;
    await systemClock.sleep(5_000);
    const after = directory.counts().get("hv1")!;
    expect(after.inventories - before.inventories).toBeGreaterThanOrEqual(4);
    expect(after.inventories - before.inventories).toBeLessThanOrEqual(6);
    expect((after.bytes - before.bytes) / (after.inventories - before.inventories)).toBeLessThan(2000);
  });

  it.each<{ fault: Record<string, unknown>; first: string }>([
    { fault: { type: "slow", ms: 300 }, first: "ok" },
    { fault: { type: "duplicate" }, first: "ok" },
    { fault: { type: "garbage" }, first: "ok" },
    { fault: { type: "cut" }, first: "any" },
    { fault: { type: "lost" }, first: "ok" },
    { fault: { type: "hang" }, first: "Timeout" },
    { fault: { type: "partial" }, first: "any" },
    { fault: { type: "error", code: "HyperVError" }, first: "HyperVError" },
  ])("end the same after a fault: $fault.type", { timeout: 60_000 }, async ({ fault, first }) => {
    const { directory } = await start();
    const host = directory.host("hv1")!;
    const faults = [{ id: "one", operation: "vm.create", count: 1, fault }];
    await writeFile(join(folder, "hv1", "behaviour.json"), JSON.stringify({ faults }));
    const outcome = await create(directory, 1, 2);
    if (first !== "any") expect(outcome.fault?.code ?? "ok", outcome.fault?.message).toBe(first);
    await until(() => host.reach.at === "up" && host.uncertain(owner(1).uid) === undefined);
    const again = await create(directory, 1);
    expect(again.fault).toBeUndefined();
    expect([...host.snapshot!.vms.values()].map(({ name }) => name)).toEqual(["vm1"]);
  });

  it("work one-shot where no session is allowed", async () => {
    const { directory } = await start(agentProgram("no-session"));
    expect((await get(directory)).fault).toBeUndefined();
    expect(directory.host("hv1")!.reach.at).toBe("up");
  });

  it("find the result behind a flood", async () => {
    const { directory } = await start(agentProgram("flood"));
    expect((await get(directory)).fault).toBeUndefined();
    expect(directory.host("hv1")!.reach.at).toBe("up");
  });

  it("tell how an agent that crashes at every job ended", async () => {
    const { directory } = await start(agentProgram("crash"));
    const { fault } = await get(directory);
    expect(fault).toMatchObject({ code: "HostUnreachable", message: expect.stringContaining("exit code 7") });
  });
});
