import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { PlanReport } from "../../src/server/control.ts";
import { Rig, sleep, small, until } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.make({ manifests: small("web", "db"), hosts: ["hv1"] });
  await rig.start();
  await rig.ready(7);
}, 60_000);

afterAll(() => rig.dispose());

const plan = async (...words: readonly string[]): Promise<PlanReport & { code: number }> => {
  const { code, out, err } = await rig.cli("plan", "-o", "json", ...words);
  if (code === 1) throw new Error(err);
  return { ...(JSON.parse(out) as PlanReport), code };
};

const changesOf = (report: PlanReport): readonly string[] =>
  report.objects.flatMap(({ key, action, changes }) => [
    `${action} ${key.kind}/${key.name}`,
    ...changes.map(({ path, from, to, effect }) => `  ${path} ${String(from)} -> ${String(to)} ${effect}`),
  ]);

const vm = async (name: string): Promise<VirtualMachine> =>
  (await rig.object("VirtualMachine", name)) as unknown as VirtualMachine;

describe("aetherv plan", () => {
  it("has nothing to say when nothing is to do", async () => {
    const { code, out } = await rig.cli("plan", "--live");
    expect({ code, out: out.split("\n")[0] }).toEqual({ code: 0, out: "No changes. The hosts are as declared." });
  });

  it(
    "lists exactly the edited fields, and the loop does exactly that once it is approved",
    { timeout: 90_000 },
    async () => {
      const draft = rig.path("../web.yaml");
      await copyFile(rig.path("web.yaml"), draft);
      const edit = async (file: string): Promise<void> => {
        await rig.edit(file, "count: 2", "count: 4");
        await rig.edit(file, "osFamily: Linux", "osFamily: Linux\n  notes: served with care");
      };
      await edit("../web.yaml");
      const wanted = [
        "update VirtualMachine/web",
        "  spec.notes  -> served with care Hot",
        "  spec.cpu.count 2 -> 4 Restart",
      ];
      const previewed = await plan("-f", draft);
      expect(previewed.code).toBe(2);
      expect(changesOf(previewed).toSorted()).toEqual(wanted.toSorted());

      const before = (await rig.jobs()).length;
      await edit("web.yaml");
      await until("the hot change is made", async () =>
        (await rig.inventory("hv1")).vms.some(({ notes }) => notes.includes("care")),
      );
      await until("the restart awaits approval", async () => (await vm("web")).status?.planHash !== undefined);
      const { objects } = await plan();
      expect(objects.map(({ planHash }) => planHash)).toEqual([(await vm("web")).status?.planHash]);
      expect((await vm("web")).status?.pendingChanges).toEqual([
        { path: "spec.cpu.count", from: "2", to: "4", effect: "Restart" },
      ]);
      await sleep(6000);
      const untilApproved = (await rig.jobs()).slice(before).map(({ operation }) => operation);
      expect(untilApproved).toEqual(["vm.update"]);

      expect((await rig.cli("approve", "vm/web")).code).toBe(0);
      await until("the processors are changed", async () =>
        (await rig.inventory("hv1")).vms.some(
          ({ name, cpu, state }) => name === "web" && cpu.count === 4 && state === "Running",
        ),
      );
      await rig.ready(7);
      const all = (await rig.jobs()).slice(before).map(({ operation }) => operation);
      expect(all).toEqual(["vm.update", "vm.power", "vm.update", "vm.power"]);
      expect((await plan()).code).toBe(0);
    },
  );

  it("lists several edits of several objects in a copy elsewhere, each with its effect", async () => {
    const draft = rig.path("../many.yaml");
    await copyFile(rig.path("db.yaml"), draft);
    const edits = [
      ["count: 2", "count: 3, limitPercent: 80"],
      ["startup: 1Gi", "startup: 2Gi, weight: 7000"],
      ["source: { type: Image, image: debian-12 }", "source: { type: Image, image: debian-12 }\n  size: 32Gi"],
      ["attachment: { virtualMachine: db }", "attachment: { virtualMachine: db, maxIOPS: 500 }"],
      [
        "network: lan }",
        "network: lan, vlan: { mode: Access, id: 7 }, dhcpGuard: true, bandwidth: { maximumMbps: 100 } }",
      ],
    ] as const;
    for (const [from, to] of edits) await rig.edit("../many.yaml", from, to);
    const jobs = (await rig.jobs()).length;
    const wanted = [
      "update VirtualMachine/db",
      "  spec.cpu.count 2 -> 3 Restart",
      "  spec.cpu.limitPercent 100 -> 80 Hot",
      "  spec.memory.startup 1Gi -> 2Gi Hot",
      "  spec.memory.weight 5000 -> 7000 Hot",
      "update VirtualDisk/db-system",
      "  spec.size 20Gi -> 32Gi Hot",
      "  spec.attachment.maxIOPS 0 -> 500 Hot",
      "update NetworkAdapter/db-lan",
      "  spec.vlan [object Object] -> [object Object] Hot",
      "  spec.dhcpGuard false -> true Hot",
      "  spec.bandwidth [object Object] -> [object Object] Hot",
    ];
    for (const words of [
      ["-f", draft],
      ["-f", draft, "--live"],
    ]) {
      const report = await plan(...words);
      expect(changesOf(report).toSorted()).toEqual(wanted.toSorted());
      expect([report.code, report.objects.length]).toEqual([2, 3]);
    }
    expect((await rig.jobs()).length).toBe(jobs);
  });

  it("tells of new and removed documents, and does neither", { timeout: 60_000 }, async () => {
    const folder = rig.path("..");
    const whole = `${folder}/whole`;
    await mkdir(whole);
    await copyFile(rig.path("hosts.yaml"), `${whole}/hosts.yaml`);
    await copyFile(rig.path("web.yaml"), `${whole}/web.yaml`);
    await writeFile(`${whole}/new.yaml`, small("extra")["extra.yaml"] ?? "");
    const jobs = (await rig.jobs()).length;
    const report = await plan("-f", whole);
    expect(report.code).toBe(2);
    expect(report.summary).toEqual({ create: 3, adopt: 0, update: 0, delete: 3 });
    const disk = report.objects.find(({ key }) => key.name === "db-system");
    expect(disk).toMatchObject({ action: "delete", note: "the disk goes to the trash, kept 24h" });
    await sleep(1000);
    expect((await rig.jobs()).length).toBe(jobs);
    expect(await rig.object("VirtualMachine", "extra")).toBeUndefined();
  });

  it("refuses an edit that the model refuses, with its place", async () => {
    const draft = rig.path("../smaller.yaml");
    await copyFile(rig.path("db.yaml"), draft);
    await rig.edit("../smaller.yaml", "osFamily: Linux", "osFamily: Linux\n  generation: 1");
    const { code, err } = await rig.cli("plan", "-f", draft);
    expect(code).toBe(1);
    expect(err).toMatch(/smaller\.yaml:2:1: error: spec\.generation: .*is immutable/);
  });

  it("reads the hosts itself when no control plane runs", { timeout: 60_000 }, async () => {
    await rig.stop();
    await rig.edit("db.yaml", "startup: 1Gi", "startup: 2Gi");
    const report = await plan("-f", rig.files);
    expect(changesOf(report)[0]).toBe("update VirtualMachine/db");
    expect(report.objects).toHaveLength(1);
    expect(report.objects[0]?.changes.map(({ path }) => path)).toEqual(["spec.memory.startup"]);
    expect(report.hosts.map(({ name, complete }) => ({ name, complete }))).toEqual([{ name: "hv1", complete: true }]);
    await rig.start();
    await rig.ready(7);
  });

  it("invents nothing when no host can be read", { timeout: 60_000 }, async () => {
    await rig.stop();
    await rig.admin("offline", "hv1");
    const { code, err } = await rig.cli("plan", "-f", rig.files);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("no host could be read: hv1") as unknown });
    await rig.admin("online", "hv1");
  });
});
