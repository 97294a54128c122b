import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Rig, until } from "../../e2e/rig.ts";
import { clearCalls, editHost, readCalls, readDisk, readHost, setFaults } from "../../rigs/hyperv/host.ts";
import { NO_HYPERV } from "../../rigs/sshd/files.ts";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";
import { BrokenHost } from "./brokenHost.ts";
import { writeSecret } from "./manifests.ts";

const why = await whyNoSshd("powershell");
if (why !== undefined) console.warn(`skipped: ${why}`);

const CONVERGED = { Ready: "True Converged", Reachable: "True Reachable", AgentReady: "True AgentReady" };
const LIMIT = { timeout: 240_000 };

/** One control plane that is never restarted, over one host that breaks in many ways: PowerShell, and the real agent on it. */
describe.skipIf(why !== undefined)("a host that is broken, and mended", () => {
  let sshd: SshdRig;
  let host: BrokenHost;
  const home = () => join(sshd.root, "C/ProgramData/AetherV");
  const disksOf = async (name: string): Promise<readonly string[]> =>
    (await readdir(join(sshd.root, "D"), { recursive: true })).filter(
      (path) => path.includes(`${name}-system`) && /vhdx$/i.test(path),
    );
  const machines = async () => ((await readHost(sshd.root)).vms ?? []).map((vm) => vm["name"]);

  beforeAll(async () => {
    sshd = await SshdRig.start({ shell: "powershell.exe", agent: "powershell", forced: true });
    await sshd.inside(`mount -t tmpfs -o size=64k none ${home()}/agents`);
    await writeFile(join(sshd.root, NO_HYPERV), "");
    host = await BrokenHost.start(sshd, { "ssh-privatekey": sshd.key });
  }, 120_000);
  afterAll(async () => {
    await host.plane.dispose();
    await sshd[Symbol.asyncDispose]();
  });

  it("full disk at deployment: InsufficientStorage", LIMIT, async () => {
    await host.declare("a");
    const out = await host.shows({ AgentReady: "False InsufficientStorage", Reachable: "True Reachable" });
    expect(out).toContain("the agent could not be put on hv1");
    await sshd.inside(`mount -o remount,size=20m ${home()}/agents`);
  });

  it("no Hyper-V module: HostNotPrepared, and no job is sent", LIMIT, async () => {
    const out = await host.shows({ Stalled: "True HostNotPrepared", AgentReady: "False HostNotPrepared" });
    expect(out).toContain("no Hyper-V module");
    expect(await host.changes()).toEqual([]);
    await rm(join(sshd.root, NO_HYPERV));
    await host.shows(CONVERGED);
    await host.plane.ready(4, 120_000);
    expect(await machines()).toEqual(["a"]);
  });

  it("silent empty answers to CIM, as without rights: nothing counts as gone, no job is sent", LIMIT, async () => {
    const before = await host.changes();
    await setFaults(sshd.root, [{ on: "CIM:Msvm_*", do: "empty" }]);
    await host.shows({ Ready: "False Retrying" });
    await sleep(6_000);
    expect(await host.changes()).toEqual(before);
    await setFaults(sshd.root, []);
    await host.shows(CONVERGED);
    await host.plane.ready(4);
    expect(await host.changes()).toEqual(before);
  });

  it("full volume at a clone: the disk waits with InsufficientStorage", LIMIT, async () => {
    const fill = (otherBytes: number) =>
      editHost(sshd.root, ({ volumes = [] }) => volumes.forEach((one) => (one.otherBytes = otherBytes)));
    await fill(4096 * 2 ** 30 - 2 ** 29);
    await host.shows({ CapacityAvailable: "False Exhausted" });
    await host.declare("b");
    await until("the disk tells it", async () =>
      (await host.plane.cli("describe", "disk", "b-system")).out.includes("InsufficientStorage"),
    );
    expect(await disksOf("b")).toEqual([]);
    await fill(2 ** 30);
    await host.shows({ ...CONVERGED, CapacityAvailable: "True Available" });
    await host.plane.ready(7, 120_000);
  });

  it("agent killed in mid-job: looked at, then done again", LIMIT, async () => {
    await setFaults(sshd.root, [{ on: "Set-VHD", do: "hang", times: 1 }]);
    await clearCalls(sshd.root);
    await host.declare("c");
    await cloneReaches("Set-VHD");
    const clones = (await sshd.runs()).filter(({ operation }) => operation === "disk.clone");
    expect(clones).toHaveLength(1);
    process.kill(clones[0]!.pid, "SIGKILL");
    await host.plane.ready(10, 120_000);
    await expectOneDisk("c");
    expect((await host.changes()).filter((job) => job.startsWith("disk.clone c-system"))).toEqual([
      "disk.clone c-system error",
      "disk.clone c-system success",
    ]);
    await host.shows(CONVERGED);
  });

  it(
    "sshd killed in mid-clone: the clone goes on, one writer at any time, one valid disk in the end",
    LIMIT,
    async () => {
      await setFaults(sshd.root, [{ on: "Set-VHD", do: "delay", ms: 8_000, times: 1 }]);
      await clearCalls(sshd.root);
      await host.declare("d");
      await cloneReaches("Set-VHD");
      await sshd.cut();
      let ready = false;
      const done = host.plane.ready(13, 120_000).finally(() => (ready = true));
      while (!ready) {
        const writers = (await sshd.runs()).flatMap(({ locks }) => locks);
        expect(new Set(writers).size, "no lock is held twice").toBe(writers.length);
        expect((await partials()).length).toBeLessThanOrEqual(1);
        await sleep(100);
      }
      await done;
      await expectOneDisk("d");
      await host.shows(CONVERGED);
    },
  );

  it("hung cmdlet: the agent is ended by its PID, the host is told as not answering", LIMIT, async () => {
    await setFaults(sshd.root, [{ on: "CIM:Msvm_ComputerSystem", do: "hang" }]);
    const before = await host.changes();
    const out = await host.shows({ Reachable: "False Timeout", Ready: "Unknown HostUnreachable" });
    expect(out).toContain("no answer to host.inventory within 30 s");
    expect(await host.changes()).toEqual(before);
    await setFaults(sshd.root, []);
    await host.shows(CONVERGED);
    const agents = (await sshd.processes("stub.ps1 session")).filter(({ args }) => args.startsWith("dotnet"));
    expect(agents.length, "none that hangs is left").toBeLessThanOrEqual(1);
  });

  it("a second control plane of the same id: StaleController, no job is sent until a take-over", LIMIT, async () => {
    const manifests = { "hosts.yaml": await readFile(host.plane.path("hosts.yaml"), "utf8") };
    const other = await Rig.make({ manifests, hosts: [] });
    try {
      await writeSecret(other.files, { "ssh-privatekey": sshd.key });
      await mkdir(other.data);
      await copyFile(join(host.plane.data, "identity.json"), join(other.data, "identity.json"));
      await other.start();
      const isServed = async () => (await other.client.hosts()).some(({ observedAt }) => observedAt !== undefined);
      await until("the other one is served", isServed, 120_000);
      await host.declare("e");
      const out = await host.shows({ Reachable: "False StaleController" });
      expect(out).toMatch(/epoch/);
      const refused = await host.changes();
      await sleep(6_000);
      expect(await host.changes()).toEqual(refused);
      expect(await machines()).not.toContain("e");
    } finally {
      await other.dispose();
    }
    const { code, err } = await host.plane.cli("host", "take-over", "hv1", "-f", host.plane.files);
    expect([code, err]).toEqual([0, ""]);
    await until("the machine is made", async () => (await machines()).includes("e"), 120_000);
    await host.plane.ready(undefined, 120_000);
    await host.shows(CONVERGED);
  });

  /** The file is copied and not yet finished; a moment later the fault of that call has begun. */
  const cloneReaches = async (call: string): Promise<void> => {
    await until(`the clone reaches ${call}`, async () => (await readCalls(sshd.root)).includes(call), 120_000);
    await sleep(500);
    expect(await partials()).toHaveLength(1);
  };

  const partials = async (): Promise<readonly string[]> =>
    (await readdir(join(sshd.root, "D"), { recursive: true })).filter((path) => /\.partial\.vhdx$/i.test(path));

  /** One valid disk of the machine, and nothing that is half done. */
  const expectOneDisk = async (name: string): Promise<void> => {
    const found = await disksOf(name);
    expect(found).toHaveLength(1);
    expect(found[0]).not.toContain("partial");
    expect(await readDisk(sshd.root, `D:\\${found[0]?.replaceAll("/", "\\")}`)).toBeDefined();
  };
});
