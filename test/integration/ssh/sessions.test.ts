import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { systemRandom } from "../../../src/app/random.ts";
import type { HostSettings, JobOutcome } from "../../../src/engine/ports.ts";
import { HostSnapshot } from "../../../src/engine/snapshot.ts";
import { HostDirectory } from "../../../src/hosts/directory.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import { until } from "../../e2e/rig.ts";
import { readHost, setFaults } from "../../rigs/hyperv/host.ts";
import { bundle, hostOf, quiet, transportOf } from "../../rigs/sshd/connect.ts";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";

const why = await whyNoSshd("powershell");
if (why !== undefined) console.warn(`skipped: ${why}`);

const layout = {
  virtualMachinePath: "D:\\VMs",
  storageClasses: [{ name: "standard", path: "D:\\VMs" }],
  imagePaths: ["D:\\Images"],
  trashRetentionSeconds: 86_400,
};
const settings: HostSettings = {
  name: "hv1",
  uid: "00000000-0000-4000-8000-0000000000aa",
  layout,
  networks: [],
  concurrency: 2,
  longConcurrency: 1,
  inventoryIntervalMs: 5_000,
  connectionHash: "a",
};
const ID = "11111111-1111-4111-8111-111111111111";
const uid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const LIMIT = { timeout: 240_000 };

/** The sessions of a host with PowerShell and the real agent, as hyperv.md wants them. */
describe.skipIf(why !== undefined)("sessions on PowerShell", () => {
  let sshd: SshdRig;
  let directory: HostDirectory;
  const outcomes: JobOutcome[] = [];
  const host = () => directory.host("hv1")!;
  const agents = async () => (await sshd.processes("stub.ps1 session")).filter(({ args }) => args.startsWith("dotnet"));
  const versions = () => readdir(join(sshd.root, "C/ProgramData/AetherV/agents"));

  beforeAll(async () => {
    sshd = await SshdRig.start({ shell: "cmd.exe", agent: "powershell" });
    await mkdir(join(sshd.root, "C/ProgramData/AetherV/agents", "1".repeat(64)));
    const transport = transportOf(hostOf(sshd, { killAfterMs: 500 }));
    let epoch = 1;
    directory = new HostDirectory({
      clock: systemClock,
      random: systemRandom,
      log: quiet,
      journal: { put: () => undefined, log: () => undefined },
      check: new ProtocolCheck(),
      controlPlaneId: ID,
      epoch: () => epoch,
      raiseEpoch: async (min) => (epoch = Math.max(epoch, min)),
      transportFor: () => transport,
      newSnapshot: () => new HostSnapshot(ID),
      onChange: () => undefined,
    });
    directory.apply([settings]);
    await until("the host is up", async () => host().reach.at === "up", 120_000);
  }, 180_000);
  afterAll(async () => {
    await directory.stop({ graceMs: 0 });
    await sshd[Symbol.asyncDispose]();
  });

  const create = (n: number, deadlineSeconds = 120): void => {
    const owner = { kind: "VirtualMachine", namespace: "default", name: `vm${n}`, uid: uid(n) } as const;
    const config = { cpu: { count: 1 }, memory: { startupBytes: 2 ** 30 } };
    directory.submit(
      {
        key: { kind: "VirtualMachine", namespace: "default", name: `vm${n}` },
        uid: uid(n),
        host: "hv1",
        step: { operation: "vm.create", spec: { owner, layout, generation: 2, config } },
        locks: [uid(n)],
        deadlineSeconds,
      },
      (outcome) => void outcomes.push(outcome),
    );
  };
  const ended = (count: number) => until(`${count} jobs have ended`, async () => outcomes.length === count, 120_000);
  const machines = async () => ((await readHost(sshd.root)).vms ?? []).map((vm) => vm["name"]).sort();

  it(
    "one for questions, and one for each job that runs, as many as `concurrency` says; used again",
    LIMIT,
    async () => {
      expect(await agents()).toHaveLength(1);
      await setFaults(sshd.root, [{ on: "New-VM", do: "delay", ms: 3_000 }]);
      for (const n of [1, 2, 3]) create(n);
      await until("both jobs run", async () => (await sshd.runs()).length === 2, 60_000);
      expect(await agents()).toHaveLength(3);
      await ended(3);
      expect(outcomes.map(({ fault }) => fault)).toEqual([undefined, undefined, undefined]);
      expect(await agents()).toHaveLength(3);
      await setFaults(sshd.root, []);
    },
  );

  it(
    "a job that outlives its deadline: its agent is ended by PID, its object is looked at, then it can be done",
    LIMIT,
    async () => {
      await setFaults(sshd.root, [{ on: "New-VM", do: "hang", times: 1 }]);
      create(4, 2);
      await until("the job runs", async () => (await sshd.runs()).length === 1, 60_000);
      const [run] = await sshd.runs();
      await ended(4);
      expect(outcomes.at(-1)?.fault?.code).toBe("Timeout");
      expect(host().uncertain(uid(4))?.code).toBe("Timeout");
      await until("its process is gone", async () => (await agents()).every(({ pid }) => pid !== run!.pid), 60_000);
      await until("its object is certain again", async () => host().uncertain(uid(4)) === undefined, 60_000);
      create(4);
      await ended(5);
      expect(await machines()).toEqual(["vm1", "vm2", "vm3", "vm4"]);
    },
  );

  it("an agent that is silent for three heartbeats: ended by PID, another takes its place", LIMIT, async () => {
    const before = (await agents()).map(({ pid }) => pid);
    for (const pid of before) process.kill(pid, "SIGSTOP");
    await until(
      "another agent runs, and those are gone",
      async () => {
        const now = (await agents()).map(({ pid }) => pid);
        return now.length > 0 && before.every((pid) => !now.includes(pid));
      },
      120_000,
    );
    await until("the host is up", async () => host().reach.at === "up", 60_000);
  });

  it("tells its memory in each heartbeat, below what it would be replaced at", LIMIT, async () => {
    const channel = await transportOf(hostOf(sshd)).session(AbortSignal.timeout(120_000));
    const line = await new Promise<string>((resolve) =>
      channel.onLine((text) => {
        if (text.includes("heartbeat")) resolve(text);
      }),
    );
    channel.close();
    const { memory } = JSON.parse(line) as { memory: number };
    expect(memory).toBeGreaterThan(20 * 2 ** 20);
    expect(memory).toBeLessThan(300 * 2 ** 20);
  });

  it(
    "an agent edited underneath is put there anew before the next session; other versions are removed",
    LIMIT,
    async () => {
      const { sha256 } = await bundle();
      await until("the old version is removed", async () => (await versions()).join() === sha256, 60_000);
      await writeFile(join(sshd.root, "C/ProgramData/AetherV/agents", sha256, "agent.ps1"), "exit 7");
      const before = (await agents()).map(({ pid }) => pid);
      for (const pid of before) process.kill(pid, "SIGKILL");
      await until("another agent runs", async () => (await agents()).some(({ pid }) => !before.includes(pid)), 120_000);
      // A killed agent's session may not have ended here yet: a job given to one is lost, and is sent again as a controller does,
      // once the host is up.
      let jobs = 5;
      do {
        await until("the host is up", async () => host().reach.at === "up", 120_000);
        create(5);
        await ended((jobs += 1));
      } while (outcomes.at(-1)?.fault?.code === "HostUnreachable" && jobs <= 5 + before.length);
      expect(outcomes.at(-1)?.fault).toBeUndefined();
      expect(await machines()).toContain("vm5");
      await until("only whole versions are left", async () => (await versions()).join() === sha256, 60_000);
    },
  );
});
