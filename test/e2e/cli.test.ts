import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../src/api/resource.ts";
import { Rig, small, until } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.make({ manifests: small("web"), hosts: ["hv1"] });
  await rig.start();
  await rig.ready(4);
}, 60_000);

afterAll(() => rig.dispose());

const ok = async (...words: readonly string[]): Promise<string> => {
  const { code, out, err } = await rig.cli(...words);
  if (code !== 0) throw new Error(`${words.join(" ")}: exit code ${code}: ${err}`);
  return out;
};

const json = async <T>(...words: readonly string[]): Promise<T> => JSON.parse(await ok(...words, "-o", "json")) as T;

describe("get and describe", () => {
  it("prints the CRD's columns", async () => {
    const [header = "", row = ""] = (await ok("get", "vm")).split("\n");
    expect(header.split(/ {2,}/)).toEqual(["NAME", "READY", "POWER", "HOST", "IP", "REASON", "AGE"]);
    expect(row).toMatch(/^web +True +Running +hv1 .*Converged +\d+s$/);
    expect(await ok("get", "avm", "-o", "wide")).toMatch(/CPU +MEMORY/);
  });

  it("prints one object, a list, names", async () => {
    expect(await json<Resource>("get", "vm/web")).toMatchObject({ kind: "VirtualMachine", status: { host: "hv1" } });
    expect(await json<{ items: unknown[] }>("get", "all")).toMatchObject({ kind: "List", items: { length: 4 } });
    expect((await ok("get", "disk,nic", "-o", "name")).split("\n")).toEqual([
      "virtualdisk/web-system",
      "networkadapter/web-lan",
      "",
    ]);
    const yaml = await ok("get", "vm", "web", "-o", "yaml");
    expect(yaml).toMatch(/^apiVersion: aetherv.io\/v1alpha1\nkind: VirtualMachine\n/);
    await writeFile(rig.path("../again.yaml"), yaml);
    expect(await rig.cli("validate", rig.path("../again.yaml"))).toMatchObject({ code: 0 });
  });

  it("describes with conditions and events", async () => {
    const text = await ok("describe", "vm/web");
    expect(text).toMatch(/Conditions:\n +TYPE[^]*Ready +True[^]*Events:\n[^]*VmCreate/);
    expect(text).not.toContain("\u001b[");
  });

  it("explains kinds and fields", async () => {
    expect(await ok("explain", "vm.spec.memory")).toMatch(/startup <string> -required-/);
    const { code, err } = await rig.cli("explain", "vm.spec.memry");
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('did you mean "memory"?') as unknown });
  });

  it.each([
    { words: ["get", "virtualmachin"], says: 'did you mean "VirtualMachine"?' },
    { words: ["get", "vm", "wbe"], says: 'did you mean "web"?' },
    { words: ["gte", "vm"], says: "Did you mean get?" },
    { words: ["approve", "vm/web"], says: "nothing of web awaits approval" },
    { words: ["approve", "disk/web-system"], says: "approve is for virtual machines" },
    { words: ["jobs", "NOSUCHJOB"], says: 'job "NOSUCHJOB" does not exist' },
    { words: ["jobs", "--limit", "none"], says: "expected a number of 1 or more" },
    { words: ["plan", "-f", "/no/such/file"], says: "/no/such/file cannot be read (ENOENT)" },
  ])("helps after $words", async ({ words, says }) => {
    const { code, err } = await rig.cli(...words);
    expect(code).toBe(1);
    expect(err).toContain(says);
  });

  it("helps everywhere, with examples", { timeout: 60_000 }, async () => {
    const [, listed = ""] = (await ok("--help")).split("Commands:");
    const names = [...listed.matchAll(/^ {2}([a-z][a-z-]*) /gm)].map(([, name = ""]) => name);
    names.splice(names.indexOf("help"), 1);
    expect(names.length).toBeGreaterThanOrEqual(21);
    for (const name of names)
      expect(await ok(name, "--help"), name).toMatch(name === "simulator" ? /Commands:/ : /Examples?:/);
  });
});

describe("jobs and events", () => {
  it("shows what was sent, and how it ended", async () => {
    const jobs = await json<{ id: string; operation: string; status: string }[]>("jobs");
    expect(jobs.map(({ operation }) => operation)).toContain("vm.create");
    expect(new Set(jobs.map(({ status }) => status))).toEqual(new Set(["success"]));
    const id = jobs.find(({ operation }) => operation === "vm.create")?.id ?? "";
    expect(await ok("jobs", id.slice(-8))).toMatch(/operation: vm.create[^]*Request:[^]*generation: 2[^]*Log:/);
    expect(await ok("jobs", id, "--follow")).toMatch(/vm\.create on hv1: success/);
    expect(await ok("events", "vm/web")).toMatch(/VmCreate +virtualmachine\/web/);
  });
});

describe("pause and resume", () => {
  it("hold jobs back, and let them go on", { timeout: 60_000 }, async () => {
    expect(await ok("pause", "vm/web")).toBe("virtualmachine/web paused\n");
    const before = (await rig.jobs()).length;
    await rig.admin("set-vlan", "hv1", "web", "7");
    await rig.admin("power", "hv1", "web", "Off");
    await until("the change is seen", async () => (await rig.inventory("hv1")).vms[0]?.state === "Off", 15_000);
    expect((await rig.jobs()).length).toBe(before);
    await ok("resume", "vm/web");
    await until("it is repaired", async () => (await rig.inventory("hv1")).vms[0]?.state === "Running");
    await rig.ready(4);
  });
});

describe("completion", () => {
  it.each([
    { words: ["des"], found: ["describe"] },
    { words: ["get", "vmh"], found: ["vmhost"] },
    { words: ["approve", "vm/"], found: ["vm/web"] },
    { words: ["get", "vm", ""], found: ["web"] },
    { words: ["plan", "--li"], found: ["--live"] },
    { words: ["get", "vm", "-o", "y"], found: ["yaml"] },
    { words: ["get", "vm", "-o", "wide", "w"], found: ["web"] },
    { words: ["get", "vm", "-n", "other", ""], found: [""] },
    { words: ["--data", "/nowhere", "get", "vm", "w"], found: [""] },
    { words: ["completion", "b"], found: ["bash"] },
  ])("of $words", async ({ words, found }) => {
    // "--" ends options as the shells' scripts do; --data stands before it.
    const { out } = await rig.complete(...words);
    expect(out.trim().split("\n")).toEqual(found);
  });

  it.each(["bash", "zsh", "fish"])("has a script for %s", async (shell) =>
    expect(await ok("completion", shell)).toContain("aetherv __complete"),
  );
});

describe("the trash", () => {
  it("gives a deleted disk back, whose object is taken up again", { timeout: 90_000 }, async () => {
    const [data] = [
      "apiVersion: aetherv.io/v1alpha1\nkind: VirtualDisk\nmetadata: { name: notes }\n" +
        "spec: { host: hv1, source: { type: Blank }, size: 1Gi }\n",
    ];
    await writeFile(rig.path("notes.yaml"), data);
    await rig.ready(5);
    const uid = (await rig.object("VirtualDisk", "notes"))?.metadata.uid;
    await rm(rig.path("notes.yaml"));
    await until("it lies in the trash", async () => (await rig.client.trash()).length === 1);
    expect(await ok("restore")).toMatch(/virtualdisk\/notes +hv1/);
    expect(await ok("restore", "disk/notes")).toContain(`aetherv reclaim avd/notes --uid ${uid}`);
    await writeFile(rig.path("notes.yaml"), data);
    await until("the object is there", async () => (await rig.object("VirtualDisk", "notes")) !== undefined);
    await ok("reclaim", "avd/notes", "--uid", uid ?? "");
    await rig.ready(5, 30_000);
    const files = (await rig.inventory("hv1")).disks.filter(({ path }) => path.includes("\\notes."));
    expect(files).toHaveLength(1);
    await rm(rig.path("notes.yaml"));
    await until("it is gone", async () => (await rig.objects()).length === 4);
  });
});

describe("backup, and a stopped control plane", () => {
  it("reads the store, refuses changes, and goes on from a backup", { timeout: 90_000 }, async () => {
    const uids = (await rig.objects()).map(({ metadata }) => metadata.uid).sort();
    const folder = join(rig.folder, "backup");
    await ok("backup", folder);
    expect((await stat(join(folder, "store.jsonl"))).mode & 0o777).toBe(0o600);
    expect((await rig.cli("backup", folder)).err).toContain("is not empty");
    expect(await rig.stop()).toBe(0);

    expect(await ok("get", "vm")).toMatch(/web +True/);
    expect(await ok("status")).toContain("no: the store is read");
    expect((await json<unknown[]>("jobs")).length).toBeGreaterThan(5);
    expect((await rig.cli("pause", "vm/web")).err).toContain("no control plane runs");

    await rm(join(rig.data, "store"), { recursive: true });
    await rm(join(rig.data, "identity.json"));
    const { code } = await rig.restoreInto(folder);
    expect(code).toBe(0);
    const before = (await json<unknown[]>("jobs", "--limit", "1000")).length;
    await rig.start();
    await rig.ready(4);
    expect((await rig.objects()).map(({ metadata }) => metadata.uid).sort()).toEqual(uids);
    expect((await rig.jobs()).length).toBe(before);
  });
});

describe("a lost store", () => {
  it("stalls what it does not know again, until it is taken back", { timeout: 90_000 }, async () => {
    const { vms, disks } = await rig.inventory("hv1");
    await rig.stop();
    await rm(join(rig.data, "store"), { recursive: true });
    await rig.start();
    await until("the machine is recognised", async () => (await ok("get", "vm")).includes("IdentityChanged"));
    await until("the adapter is recognised", async () => (await ok("get", "nic")).includes("IdentityChanged"));
    await until("the disk is recognised", async () => (await ok("get", "disk")).includes("IdentityChanged"));
    expect(await ok("reclaim", "all")).toMatch(/virtualmachine\/web takes back what/);
    await rig.ready(4);
    const now = await rig.inventory("hv1");
    expect(now.vms.map(({ id }) => id)).toEqual(vms.map(({ id }) => id));
    const ids = (seen: typeof vms): unknown => seen.map((vm) => vm.adapters.map(({ id }) => id));
    expect(ids(now.vms)).toEqual(ids(vms));
    expect(now.disks.map(({ diskId }) => diskId).sort()).toEqual(disks.map(({ diskId }) => diskId).sort());
  });
});
