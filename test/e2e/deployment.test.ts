import { rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ManagedDeployment } from "../../src/api/generated/types.ts";
import { names, Rig, small, until } from "./rig.ts";

const web = `
apiVersion: aetherv.io/v1alpha1
kind: ManagedDeployment
metadata: { name: web }
spec:
  virtualMachine:
    osFamily: Linux
    cpu: { count: 1 }
    memory: { startup: 1Gi }
    boot: { order: [{ type: Disk, name: system }] }
    shutdown: { mode: TurnOff }
    guest: { hostname: web }
  disks:
    - { name: system, spec: { source: { type: Image, image: debian-12 } } }
    - { name: data, spec: { source: { type: Blank }, size: 10Gi } }
  networkAdapters:
    - { name: lan, spec: { network: lan, ipv4: { method: Static, address: 192.168.10.40, prefixLength: 24 } } }
`;

const all = [
  "ManagedDeployment/default/web",
  "NetworkAdapter/default/web-lan",
  "VMHost//hv1",
  "VirtualDisk/default/web-data",
  "VirtualDisk/default/web-system",
  "VirtualMachine/default/web",
];

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.make({ manifests: small(), hosts: ["hv1"] });
  await rig.start();
}, 60_000);

afterAll(() => rig.dispose());

const deployment = async (): Promise<ManagedDeployment> =>
  (await rig.object("ManagedDeployment", "web")) as ManagedDeployment;

describe("a deployment in file mode", { timeout: 180_000 }, () => {
  it("is planned whole before it is there, and becomes a configured machine though the control plane is killed meanwhile", async () => {
    await writeFile(`${rig.folder}/web.yaml`, web);
    const plan = await rig.cli("plan", "-f", `${rig.folder}/web.yaml`);
    expect(plan).toMatchObject({ code: 2 });
    for (const name of all.slice(3)) expect(plan.out).toContain(`+ create ${name.replace("/default", " default")}`);
    await writeFile(rig.path("web.yaml"), web);
    await until("the first child is there", async () => (await rig.objects()).length > 2);
    await rig.stop("SIGKILL");
    await rig.start();
    await rig.ready(all.length, 90_000);
    expect(names(await rig.objects())).toEqual(all);
    const { status } = await deployment();
    expect(status).toMatchObject({ phase: "Ready", host: "hv1" });
    expect(status?.steps?.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "Objects Done",
      "Disks Done",
      "NetworkAdapters Done",
      "VirtualMachine Done",
      "Guest Done",
    ]);
    const { vms } = await rig.inventory("hv1");
    expect(vms.filter(({ name }) => name === "web")).toHaveLength(1);
  });

  it("passes an edit on", async () => {
    await rig.edit("web.yaml", "size: 10Gi", "size: 12Gi");
    await until("the disk has grown", async () => {
      const disk = await rig.object("VirtualDisk", "web-data");
      return (disk?.status as { size?: number } | undefined)?.size === 12 * 2 ** 30;
    });
    await rig.ready(all.length);
  });

  it("refuses a document of a child, naming both places", async () => {
    const file = rig.path("child.yaml");
    await writeFile(
      file,
      "apiVersion: aetherv.io/v1alpha1\nkind: VirtualDisk\nmetadata: { name: web-data }\nspec: { source: { type: Blank }, size: 1Gi }\n",
    );
    await until("the problem is told", async () => (await rig.client.problems()).problems.length > 0);
    const [problem] = (await rig.client.problems()).problems;
    expect(problem?.file).toBe(file);
    expect(problem?.message).toContain(`made by ManagedDeployment web (${rig.path("web.yaml")}:2:1)`);
    await rm(file);
    await until("the problem is gone", async () => (await rig.client.problems()).problems.length === 0);
  });

  it("lets its objects be taken over by documents, with what is on the host", async () => {
    const expanded = await rig.cli("expand", rig.path("web.yaml"));
    expect(expanded).toMatchObject({ code: 0, err: "" });
    await rig.edit("web.yaml", "spec:\n", "spec:\n  deletionPolicy: Orphan\n");
    await until("the policy is passed on", async () => {
      const vm = await rig.object("VirtualMachine", "web");
      return (vm?.spec as { deletionPolicy?: string } | undefined)?.deletionPolicy === "Orphan";
    });
    const before = (await rig.inventory("hv1")).vms.find(({ name }) => name === "web")?.id;
    await rm(rig.path("web.yaml"));
    await until("the deployment is gone", async () => (await rig.object("ManagedDeployment", "web")) === undefined);
    await writeFile(rig.path("objects.yaml"), expanded.out);
    await until("the documents are taken up", async () => {
      const vm = await rig.object("VirtualMachine", "web");
      return (vm?.spec as { deletionPolicy?: string } | undefined)?.deletionPolicy === undefined;
    });
    await rig.ready(all.length - 1, 90_000);
    expect((await rig.client.problems()).problems).toEqual([]);
    expect((await rig.inventory("hv1")).vms.find(({ name }) => name === "web")?.id).toBe(before);
  });
});

describe("a deployment that fails", { timeout: 180_000 }, () => {
  it("takes back what it made, and tells why", async () => {
    const lan =
      "{ name: lan, spec: { network: lan, ipv4: { method: Static, address: 192.168.10.40, prefixLength: 24 } } }";
    const [one, two] = ["a", "b"].map(
      (name) => `{ name: ${name}, spec: { network: lan, macAddress: '02:00:00:00:00:01' } }`,
    );
    const broken = web.replace("name: web }", "name: late }").replace(lan, `${one}\n    - ${two}`);
    await writeFile(rig.path("late.yaml"), broken);
    await until("objects are made", async () => (await rig.object("VirtualDisk", "late-system")) !== undefined);
    const late = async (): Promise<ManagedDeployment> =>
      (await rig.object("ManagedDeployment", "late")) as ManagedDeployment;
    await until("it is rolled back", async () => (await late()).status?.phase === "RolledBack", 150_000);
    expect(await rig.object("VirtualMachine", "late")).toBeUndefined();
    expect((await late()).status).toMatchObject({ children: [] });
    const rolledBack = (await late()).status?.conditions?.find(({ type }) => type === "RolledBack");
    expect(rolledBack).toMatchObject({ status: "True", reason: "DuplicateMacAddress" });
    const { vms, disks } = await rig.inventory("hv1");
    expect(vms.filter(({ name }) => name === "late")).toEqual([]);
    expect(disks.filter(({ path }) => path.includes("late"))).toEqual([]);
  });
});
