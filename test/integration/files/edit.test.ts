import { readdir, readFile, rename, utimes, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { ManifestEditor, type Wanted } from "../../../src/stores/files/edit/editor.ts";
import { nodeFileSystem, type FileSystem } from "../../../src/stores/files/filesystem.ts";
import { keyText } from "../../../src/api/resource.ts";
import { diskKey, diskYaml, FolderRig } from "./rig.ts";

/** Somebody else who writes a file in the moment in which it is read, once. */
class Meddler {
  next: (() => Promise<void>) | undefined;
  readonly fs: FileSystem = {
    ...nodeFileSystem,
    read: async (path) => {
      const bytes = await nodeFileSystem.read(path);
      const meddle = this.next;
      this.next = undefined;
      await meddle?.();
      return bytes;
    },
  };
}

/** A disk with the defaults of one that is there. */
const sized = (like: unknown, size: string): Wanted => {
  const spec = { ...(like as object), size };
  return { labels: {}, annotations: {}, sent: spec, spec };
};

it("an edit that is lost against another one does not take that one back", async () => {
  const meddler = new Meddler();
  const rig = await FolderRig.make({ fs: meddler.fs });
  const path = rig.path("a.yaml");
  await writeFile(path, diskYaml("a"));
  const store = await rig.start();
  const editor = new ManifestEditor(store, () => "one");
  const theirs = `${diskYaml("a", "3Gi")}# theirs\n`;
  const key = diskKey("a");
  await editor.exclusive(async () => {
    const opened = await editor.look(key);
    const row = store.row(keyText(key));
    if (!opened || !row) throw new Error("not there");
    meddler.next = async () => {
      await writeFile(`${path}.theirs`, theirs);
      await rename(`${path}.theirs`, path);
    };
    await expect(editor.replace(opened, row, sized(row.object.spec, "2Gi"))).rejects.toMatchObject({
      reason: "changed",
    });
  });
  expect(await readFile(path, "utf8")).toBe(theirs);
});

it("a document that was made and changed by somebody else at once stays", async () => {
  const meddler = new Meddler();
  const rig = await FolderRig.make({ fs: meddler.fs });
  await writeFile(rig.path("a.yaml"), diskYaml("a"));
  const store = await rig.start();
  const editor = new ManifestEditor(store, () => "one");
  const path = rig.path("virtualdisk-b.yaml");
  const theirs = `${diskYaml("b", "3Gi")}# theirs\n`;
  meddler.next = () => writeFile(path, theirs);
  const made = editor.create(diskKey("b"), sized(rig.object("a")?.spec, "2Gi"));
  await expect(made).rejects.toMatchObject({ reason: "changed" });
  expect(await readFile(path, "utf8")).toBe(theirs);
});

it("a file whose bytes became no text after it was taken up is left alone", async () => {
  const rig = await FolderRig.make();
  const path = rig.path("virtualdisk-b.yaml");
  await writeFile(path, diskYaml("a"));
  const store = await rig.start();
  const editor = new ManifestEditor(store, () => "one");
  const latin = Buffer.from(`# gr\u00fcn\n${diskYaml("a")}`, "latin1");
  await writeFile(path, latin);
  const made = editor.create(diskKey("b"), sized(rig.object("a")?.spec, "2Gi"));
  await expect(made).rejects.toMatchObject({ reason: "changed" });
  expect(await readFile(path)).toEqual(latin);
});

it("what a killed process left half-written goes with the next edit; what may be under way, or is not ours, stays", async () => {
  const rig = await FolderRig.make();
  await writeFile(rig.path("a.yaml"), diskYaml("a"));
  const store = await rig.start();
  const id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  const [old, fresh, foreign] = [`.a.yaml.${id}.tmp`, `.b.yaml.${id}.tmp`, ".notes.tmp"];
  for (const name of [old, fresh, foreign]) await writeFile(rig.path(name), "left");
  const longAgo = new Date("2020-01-01T00:00:00Z");
  for (const name of [old, foreign]) await utimes(rig.path(name), longAgo, longAgo);
  const editor = new ManifestEditor(store, () => "one");
  const opened = await editor.look(diskKey("a"));
  const row = store.row(keyText(diskKey("a")));
  if (!opened || !row) throw new Error("not there");
  await editor.replace(opened, row, sized(row.object.spec, "2Gi"));
  expect((await readdir(rig.folder)).sort()).toEqual([fresh, foreign, "a.yaml"].sort());
  expect(await readFile(rig.path("a.yaml"), "utf8")).toContain("size: 2Gi");
});
