import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { names, Rig, sleep, small, until } from "./rig.ts";

let rig: Rig;
let machines: readonly string[];

beforeAll(async () => {
  rig = await Rig.make({ manifests: small("one", "two", "three"), hosts: ["hv1"] });
  await rig.start();
  await rig.ready(10);
  machines = await identities();
}, 60_000);

afterAll(() => rig.dispose());

/** Uids of the objects, ids of machines and files. */
const identities = async (): Promise<readonly string[]> => {
  const { vms, disks } = await rig.inventory("hv1");
  const uids = (await rig.objects()).map(({ metadata }) => metadata.uid);
  return [...uids, ...vms.map(({ id }) => id), ...disks.map(({ path }) => path)].sort();
};

/** The deletion delay is 2 s here: what is touched would be by then. */
const untouched = async (work: () => Promise<void>): Promise<void> => {
  const jobs = (await rig.jobs()).length;
  await work();
  await sleep(4500);
  expect((await rig.jobs()).length).toBe(jobs);
  expect(await identities()).toEqual(machines);
  expect(names(await rig.objects()).length).toBe(10);
};

const restored = async (): Promise<void> => {
  await until("all documents are there", async () => {
    const { missing, problems } = await rig.client.problems();
    return missing.length === 0 && problems.length === 0;
  });
};

describe("what happens to files but is no wish", () => {
  it("a renamed file", { timeout: 20_000 }, async () => {
    await untouched(() => rename(rig.path("one.yaml"), rig.path("renamed.yaml")));
    await rename(rig.path("renamed.yaml"), rig.path("one.yaml"));
  });

  it("a document moved to another file", { timeout: 20_000 }, async () => {
    await untouched(async () => {
      const [first = "", ...rest] = (await readFile(rig.path("one.yaml"), "utf8")).split("---\n");
      await writeFile(rig.path("moved.yaml"), first);
      await writeFile(rig.path("one.yaml"), rest.join("---\n"));
    });
  });

  it("an editor's unlink and write", { timeout: 20_000 }, async () => {
    await untouched(async () => {
      const text = await readFile(rig.path("two.yaml"), "utf8");
      await rm(rig.path("two.yaml"));
      await sleep(800);
      await writeFile(rig.path("two.yaml"), text);
    });
  });

  it("a slow checkout, file by file", { timeout: 20_000 }, async () => {
    await untouched(async () => {
      const files = ["one.yaml", "two.yaml", "three.yaml"];
      const texts = await Promise.all(files.map((file) => readFile(rig.path(file), "utf8")));
      for (const file of files) await rm(rig.path(file));
      for (const [at, file] of files.entries()) {
        await sleep(400);
        await writeFile(rig.path(file), texts[at] ?? "");
      }
    });
    await restored();
  });

  it("a half-written file", { timeout: 20_000 }, async () => {
    const text = await readFile(rig.path("three.yaml"), "utf8");
    await untouched(() => writeFile(rig.path("three.yaml"), text.slice(0, text.length / 2)));
    await writeFile(rig.path("three.yaml"), text);
    await restored();
  });

  it("an emptied folder, until a document is seen in it again", { timeout: 20_000 }, async () => {
    await untouched(async () => {
      await rename(rig.files, `${rig.files}-away`);
      await mkdir(rig.files);
    });
    expect((await rig.client.problems()).problems.map(({ message }) => message).join()).toContain("now has none");
    await rm(rig.files, { recursive: true });
    await rename(`${rig.files}-away`, rig.files);
    await restored();
  });

  it("a folder that is gone", { timeout: 20_000 }, async () => {
    await untouched(() => rename(rig.files, `${rig.files}-away`));
    await rename(`${rig.files}-away`, rig.files);
    await restored();
  });
});

describe("what is a wish", () => {
  it("a removed document: the machine goes, its disk to the trash", { timeout: 60_000 }, async () => {
    await rm(rig.path("two.yaml"));
    await until("the objects are gone", async () => (await rig.objects()).length === 7, 40_000);
    const { vms, disks } = await rig.inventory("hv1");
    expect(vms.map(({ name }) => name).sort()).toEqual(["one", "three"]);
    expect(disks.filter(({ path }) => path.includes("two-system"))).toEqual([]);
    expect((await rig.client.trash()).map(({ owner }) => owner.name)).toEqual(["two-system"]);
  });
});
