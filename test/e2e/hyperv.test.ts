import { readFile, rm, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { readDisk, readHost } from "../rigs/hyperv/host.ts";
import { whyNoSshd } from "../rigs/sshd/sshd.ts";
import { addForeign, breaks, FOREIGN_DISKS, FOREIGN_ID, hostWith } from "./hyperv/admin.ts";
import { makeChain, type Chain } from "./hyperv/chain.ts";
import { Chaos } from "./hyperv/chaos.ts";
import { settled, tell, type Besides } from "./hyperv/compare.ts";
import { machinesOf, type StoredVm } from "./hyperv/store.ts";
import { until } from "./rig.ts";

const why = await whyNoSshd("powershell");
if (why !== undefined) console.warn(`skipped: ${why}`);

const GIB = 2 ** 30;
const TIMEOUT = 300_000;

// One story in order: each step goes on from what the one before left on the hosts.
describe.skipIf(why !== undefined)("the samples on Hyper-V hosts, over SSH and PowerShell", () => {
  const seed = Number(process.env["TEST_SEED"] ?? Date.now() % 100_000);
  const trash: Record<string, string[]> = {};
  const besides: Besides = { trash, foreign: ["web", ...FOREIGN_DISKS] };
  let chain: Chain;
  let chaos: Chaos;

  beforeAll(async () => {
    console.log(`seed ${seed} (TEST_SEED=${seed} repeats its kills)`);
    chain = await makeChain();
    chaos = new Chaos(chain, seed);
    await chain.plane.start();
  }, 120_000);
  afterEach(({ task }) => {
    if (task.result?.state === "fail") return tell(chain);
  });
  afterAll(async () => {
    console.log(`killed: ${chaos.done.join(", ")}`);
    await chain[Symbol.asyncDispose]();
  });

  const machines = async (): Promise<readonly StoredVm[]> => {
    const hosts = await Promise.all(Object.values(chain.hosts).map(({ root }) => readHost(root)));
    return hosts.flatMap(machinesOf).filter(({ id }) => id !== FOREIGN_ID);
  };
  const addresses = (vms: readonly StoredVm[]): readonly string[] =>
    vms.flatMap(({ name, adapters }) => adapters.map(({ mac }) => `${name} ${mac}`)).toSorted();
  /** The file that the object's disk has, and the host that it lies on. */
  const diskOf = async (name: string): Promise<{ host: string; file: string }> => {
    const { status } = (await chain.plane.object("VirtualDisk", name)) ?? {};
    const { host, path } = status as { host: string; path: string };
    return { host, file: path.split("\\").at(-1) ?? "" };
  };
  const expectTrash = async (...disks: readonly string[]): Promise<void> => {
    for (const { host, file } of await Promise.all(disks.map(diskOf)))
      trash[host] = [...(trash[host] ?? []), file].toSorted();
  };

  it("converge, through kills", { timeout: TIMEOUT }, async () => {
    await chaos.rage(3);
    const stores = await settled(chain);
    expect(Object.values(stores).flatMap(({ vms }) => vms)).toHaveLength(7);
    expect(stores["hv1"]?.vms.map(({ name }) => name)).toEqual(expect.arrayContaining(["db", "files"]));
    const all = await machines();
    expect(new Set(all.flatMap(({ adapters }) => adapters.map(({ mac }) => mac))).size).toBe(6);
    // A second key protector would make what the guest sealed undecryptable.
    expect(all.map(({ tpm, keyProtectorsSet }) => [tpm, keyProtectorsSet]).filter(([tpm]) => tpm)).toEqual([[true, 1]]);
  });

  it("follow edits; what needs a restart waits for its approval", { timeout: TIMEOUT }, async () => {
    const { plane } = chain;
    const before = (await machines()).map(({ id }) => id).toSorted();
    await plane.edit("web.yaml", "size: 100Gi", "size: 120Gi");
    await plane.edit("web.yaml", "  network: lan\n", "  network: dmz\n  macSpoofing: true\n");
    await plane.edit("database.yaml", "relativeWeight: 200", "relativeWeight: 300");
    await plane.edit("database.yaml", "maxIOPS: 5000", "maxIOPS: 6000");
    await plane.edit("windows.yaml", "maximum: 16Gi", "maximum: 24Gi");
    await plane.edit("build.yaml", "powerState: Stopped", "powerState: Running");
    await plane.edit("web.yaml", "count: 2", "count: 4");
    const rage = chaos.rage(2);
    await until("the change of web's processors awaits approval", () => pending("spec.cpu.count"), 60_000);
    expect((await machines()).find(({ name }) => name === "web")).toMatchObject({ processor: { count: 2 } });
    await rage;
    await until("it is approved", async () => (await plane.cli("approve", "vm/web")).code === 0, 60_000);
    await settled(chain);
    expect(await pending("spec.cpu.count")).toBe(false);
    expect((await machines()).map(({ id }) => id).toSorted()).toEqual(before);
  });

  const pending = async (path: string): Promise<boolean> => {
    const { status } = ((await chain.plane.object("VirtualMachine", "web")) ?? {}) as VirtualMachine;
    return status?.pendingChanges?.some((change) => change.path === path) ?? false;
  };

  it("come back after a careless admin; what nobody declared stays", { timeout: TIMEOUT }, async () => {
    const before = await machines();
    const home = await hostWith(chain, "web");
    await addForeign(home, "web");
    const foreign = async () => ({
      vm: machinesOf(await readHost(home)).find(({ id }) => id === FOREIGN_ID),
      disks: await Promise.all(FOREIGN_DISKS.map((path) => readDisk(home, path))),
    });
    const untouched = await foreign();
    await breaks.setMemory(chain, "desktop-1", GIB);
    await breaks.detach(chain, "db", "db-data");
    await breaks.setVlan(chain, "legacy", 99);
    const rage = chaos.rage(2);
    await breaks.rename(chain, "desktop-2", "desktop-2 (old)");
    await breaks.deleteVm(chain, "build");
    await rage;
    await settled(chain, besides);
    const after = await machines();
    const kept = (vms: readonly StoredVm[]) => vms.filter(({ name }) => name !== "build").map(({ id }) => id);
    expect(kept(after).toSorted()).toEqual(kept(before).toSorted());
    expect(addresses(after)).toEqual(addresses(before));
    expect(await foreign()).toMatchObject(untouched);
  });

  it("go as the deletion policies say", { timeout: TIMEOUT }, async () => {
    const { plane } = chain;
    const orphan = await diskOf("build-system");
    await plane.edit("build.yaml", "diskType: Dynamic", "diskType: Dynamic\n  deletionPolicy: Orphan");
    await expectTrash("legacy-system", "desktop-1", "desktop-2");
    await until("the policy is known", async () => {
      const disk = await plane.object("VirtualDisk", "build-system");
      return (disk?.spec as { deletionPolicy?: string } | undefined)?.deletionPolicy === "Orphan";
    });
    for (const name of ["legacy", "build"]) await rm(plane.path(`${name}.yaml`));
    // The base stays: what lies in the trash may be brought back, and would miss its parent.
    const [base = ""] = (await readFile(plane.path("desktops.yaml"), "utf8")).split(/^---$/m);
    await writeFile(plane.path("desktops.yaml"), base);
    const rage = chaos.rage(2);
    const held = async (): Promise<boolean> =>
      (await plane.objects()).some(({ status }) => JSON.stringify(status).includes('"MassDeleteGuard"'));
    await until("so many deletions are held", held, 60_000);
    expect((await machines()).map(({ name }) => name)).toEqual(expect.arrayContaining(["desktop-1", "desktop-2"]));
    const gone = async (): Promise<boolean> => {
      if (await held()) await plane.cli("confirm-delete", "vm/desktop-1");
      return (await plane.objects()).length === 14;
    };
    await until("they are confirmed and gone", gone, 120_000);
    await rage;
    const left = `D:\\VMs\\default\\${orphan.file}`;
    const stores = await settled(chain, { ...besides, foreign: [...(besides.foreign ?? []), left] });
    expect(
      Object.values(stores)
        .flatMap(({ vms }) => vms.map(({ name }) => name))
        .toSorted(),
    ).toEqual(["db", "files", "web"]);
    const root = chain.hosts[orphan.host]?.root ?? "";
    expect(await readDisk(root, left)).toMatchObject({ size: 20 * GIB });
  });

  it("are at rest: another start finds nothing to do", { timeout: TIMEOUT }, async () => {
    const { plane } = chain;
    await plane.stop();
    plane.launch("--exit-when-ready", "--deadline", "60s");
    expect(await plane.exited()).toBe(0);
    expect(plane.said).toContain("Nothing was to do");
  });
});
