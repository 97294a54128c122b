import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { Rig, small, until } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.make({ manifests: small("web"), hosts: ["hv1"] });
  await rig.start();
  await rig.ready(4);
}, 60_000);

afterAll(() => rig.dispose());

const web = async (): Promise<VmState | undefined> =>
  (await rig.inventory("hv1")).vms.find(({ name }) => name === "web");

/** inventoryInterval of the host, and the second that the issue allows beyond it. */
const least = 5000 + 1000;

const careless = [
  {
    why: "power is enforced",
    words: ["power", "hv1", "web", "Off"],
    repaired: (vm?: VmState) => vm?.state === "Running",
  },
  {
    why: "a VLAN is put back in place",
    words: ["set-vlan", "hv1", "web", "99"],
    repaired: (vm?: VmState) => vm?.adapters[0]?.vlan.mode === "Untagged",
  },
  {
    why: "a disk is attached again while the machine runs",
    words: ["detach-disk", "hv1", "web", "web-system"],
    repaired: (vm?: VmState) => vm?.disks.length === 1,
  },
  {
    why: "an adapter is connected again",
    words: ["connect", "hv1", "web", "-"],
    repaired: (vm?: VmState) => vm?.adapters[0]?.switchName === "External",
  },
  {
    why: "a renamed machine gets its name back",
    words: ["rename-vm", "hv1", "web", "web2"],
    repaired: (vm?: VmState) => vm?.name === "web",
  },
  {
    why: "a deleted machine is rebuilt from its disk",
    words: ["delete-vm", "hv1", "web"],
    repaired: (vm?: VmState) => vm?.state === "Running" && vm.disks.length === 1,
  },
];

describe("a careless admin", () => {
  it.each(careless)("$why", { timeout: 60_000 }, async ({ words, repaired }) => {
    const disks = (await rig.inventory("hv1")).disks.map(({ path }) => path);
    const before = (await rig.jobs()).length;
    await rig.admin(...words);
    const changedAt = Date.now();
    await until("the first repairing job is sent", async () => (await rig.jobs()).length > before, 25_000);
    await until("it is repaired", async () => repaired(await web()));
    const first = (await rig.jobs())[before];
    const sent = Date.parse(first?.startedAt ?? first?.queuedAt ?? "") - changedAt;
    expect(sent).toBeLessThan(least);
    await rig.ready(4);
    expect((await rig.inventory("hv1")).disks.map(({ path }) => path)).toEqual(disks);
  });

  it("a change that needs a restart is reported, and waits", { timeout: 40_000 }, async () => {
    const before = (await rig.jobs()).length;
    await rig.admin("power", "hv1", "web", "Off");
    await rig.admin("set-cpu", "hv1", "web", "8");
    await until("it is repaired or reported", async () => {
      const status = (await rig.object("VirtualMachine", "web"))?.status as {
        pendingChanges?: readonly { path: string }[];
      };
      const reported = status.pendingChanges?.some(({ path }) => path === "spec.cpu.count") ?? false;
      return reported || ((await rig.jobs()).length > before && (await web())?.cpu.count === 2);
    });
  });

  it("a foreign machine is left alone", { timeout: 40_000 }, async () => {
    await rig.ready(4);
    const before = (await rig.jobs()).length;
    await rig.admin("add-vm", "hv1", "foreign");
    await until("it is seen", async () => (await rig.inventory("hv1")).vms.some(({ name }) => name === "foreign"));
    expect((await rig.jobs()).length).toBe(before);
    const { out } = await rig.cli("import", "hv1/foreign");
    expect(out).toMatch(/kind: VirtualMachine[^]*adopt:\n {4}type: ID/);
    const file = rig.path("../foreign.yaml");
    await writeFile(file, out);
    expect(await rig.cli("validate", file)).toMatchObject({ code: 0, err: "" });
  });

  it("a host that is cut off is reported, and nothing is made anew", { timeout: 60_000 }, async () => {
    const { vms } = await rig.inventory("hv1");
    await rig.admin("offline", "hv1");
    await until("the host is down", async () => (await rig.client.hosts())[0]?.reach === "down");
    await rig.admin("online", "hv1");
    await rig.ready(4);
    expect((await rig.inventory("hv1")).vms.map(({ id }) => id)).toEqual(vms.map(({ id }) => id));
  });
});
