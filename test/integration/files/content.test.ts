import { chmod, mkdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { diskKey, diskYaml, FolderRig } from "./rig.ts";

const twoDocuments = (a: string, b: string): string => `${a}---\n${b}`;

describe("a file with an error", () => {
  it("changes nothing, not even by its good documents, and is reported with its place until it is right", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", twoDocuments(diskYaml("a"), diskYaml("b")));
    await rig.start();
    await rig.write("a.yaml", twoDocuments(diskYaml("a", "2Gi"), diskYaml("b", "4G")));
    await rig.pass();
    expect(rig.object("a")?.spec).toMatchObject({ size: "1Gi" });
    expect(rig.problems()).toEqual([expect.stringMatching(/^a\.yaml:17:3: spec\.size: Invalid value: "4G"/)]);
    expect(rig.missing()).toEqual([]);
    await rig.write("a.yaml", twoDocuments(diskYaml("a", "2Gi"), diskYaml("b", "4Gi")));
    await rig.store.sweep();
    expect(rig.problems()).toEqual([]);
    expect(rig.object("a")?.spec).toMatchObject({ size: "2Gi" });
    expect(rig.object("b")?.spec).toMatchObject({ size: "4Gi" });
  });

  it("keeps its objects over a restart with their last good spec", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    const before = rig.object("a");
    await rig.write("a.yaml", "apiVersion: aetherv.io/v1alpha1\nkind: VirtualDisk\nmeta");
    await rig.start();
    await rig.pass(3_600_000);
    expect(rig.object("a")).toEqual(before);
    expect(rig.problems()).toHaveLength(1);
  });

  it("whose YAML cannot be read at all still stands for what it declared: nothing is missing", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    await rig.write("a.yaml", "{");
    await rig.pass();
    expect(rig.missing()).toEqual([]);
    await rig.remove("a.yaml");
    await rig.store.sweep();
    expect(rig.missing()).toEqual(["a"]);
  });

  it("is logged once, and again when it changes", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", "a: [");
    await rig.start();
    await rig.store.sweep();
    expect(rig.log.lines.map(({ level }) => level)).toEqual(["warn"]);
    await rig.write("a.yaml", "b:\n  - [");
    await rig.store.sweep();
    expect(rig.log.lines).toHaveLength(2);
  });

  it("does not keep the others from being taken up", async () => {
    const rig = await FolderRig.make();
    await rig.write("bad.yaml", "a: [");
    await rig.write("good.yaml", diskYaml("good"));
    await rig.start();
    expect(rig.uid("good")).toBeDefined();
  });
});

describe("an edit that the model refuses", () => {
  it("keeps the last good spec and names the field's place", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a", "2Gi"));
    await rig.start();
    await rig.write("a.yaml", diskYaml("a", "1Gi", "  notes: x\n").replace("  notes: x\n", ""));
    await rig.store.sweep();
    expect(rig.object("a")).toMatchObject({ spec: { size: "2Gi" }, metadata: { generation: 1 } });
    expect(rig.problems()).toEqual([expect.stringMatching(/^a\.yaml:8:3: spec\.size: /)]);
    expect(rig.store.problems()[0]?.key).toBe("VirtualDisk/default/a");
  });
});

describe("two documents of one key", () => {
  it("are an error naming both places, and neither makes an object", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", twoDocuments(diskYaml("a"), diskYaml("a", "2Gi")));
    await rig.start();
    expect(rig.problems()).toEqual([
      expect.stringMatching(/^a\.yaml:1:1: VirtualDisk\/default\/a is declared here and at a\.yaml:10:1; none/),
      expect.stringMatching(/^a\.yaml:10:1: VirtualDisk\/default\/a is declared here and at a\.yaml:1:1; none/),
    ]);
    expect(rig.object("a")).toBeUndefined();
  });

  it("leave an object that exists as it was", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    const before = rig.object("a");
    await rig.write("b.yaml", diskYaml("a", "2Gi"));
    await rig.write("a.yaml", diskYaml("a", "3Gi"));
    await rig.pass();
    expect(rig.object("a")).toEqual(before);
    await rig.remove("b.yaml");
    await rig.store.sweep();
    expect(rig.object("a")?.spec).toMatchObject({ size: "3Gi" });
  });

  it("of which one is in a broken file are an error, too", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a", "bad"));
    await rig.write("b.yaml", diskYaml("a"));
    await rig.start();
    expect(rig.problems()).toHaveLength(3);
    expect(rig.object("a")).toBeUndefined();
  });

  it("one of them without a namespace, the other in default, are the same", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.write("b.yaml", diskYaml("a").replace("name: a", "name: a\n  namespace: default"));
    await rig.start();
    expect(rig.problems()).toHaveLength(2);
  });
});

describe("objects of controllers", () => {
  const draft = {
    kind: "VirtualDisk",
    metadata: {
      name: "made",
      namespace: "default",
      ownerReferences: [
        { apiVersion: "aetherv.io/v1alpha1", kind: "ManagedDeployment", name: "web", uid: "u", controller: true },
      ],
    },
    spec: { source: { type: "Blank" }, size: "1Gi" },
  };

  it("live without a file, also after a restart", async () => {
    const rig = await FolderRig.make();
    await rig.start();
    const made = await rig.store.create(draft);
    await rig.start();
    await rig.pass();
    expect(rig.object("made")).toEqual(made);
    expect(rig.missing()).toEqual([]);
  });

  it("get their defaults, and are refused if they are not valid", async () => {
    const rig = await FolderRig.make();
    await rig.start();
    expect((await rig.store.create(draft)).spec).toMatchObject({ managementPolicy: "Manage" });
    const bad = { ...draft, metadata: { name: "bad" }, spec: { source: { type: "Blank" }, size: "4G" } };
    await expect(rig.store.create(bad)).rejects.toThrow(/VirtualDisk\/default\/bad is not valid: spec\.size: /);
  });

  it("keep a document of the same key out, naming both", async () => {
    const rig = await FolderRig.make();
    await rig.start();
    const made = await rig.store.create(draft);
    await rig.write("a.yaml", diskYaml("made", "2Gi"));
    await rig.store.sweep();
    expect(rig.problems()).toEqual([
      expect.stringMatching(/^a\.yaml:1:1: VirtualDisk\/default\/made exists already, made by ManagedDeployment web/),
    ]);
    expect(rig.object("made")).toEqual(made);
  });
});

describe("annotations of the store", () => {
  it("are set and removed, and outlive a restart", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    await rig.store.setAnnotation(diskKey("a"), "aetherv.io/paused", "true");
    await rig.start();
    expect(rig.object("a")?.metadata.annotations).toEqual({ "aetherv.io/paused": "true" });
    await rig.store.setAnnotation(diskKey("a"), "aetherv.io/paused", null);
    expect(rig.object("a")?.metadata.annotations).toBeUndefined();
  });

  it("are refused where the file sets them", async () => {
    const rig = await FolderRig.make();
    const annotated = diskYaml("a").replace("name: a", 'name: a\n  annotations: {aetherv.io/paused: "true"}');
    await rig.write("a.yaml", annotated);
    await rig.start();
    await expect(rig.store.setAnnotation(diskKey("a"), "aetherv.io/paused", null)).rejects.toThrow(
      `aetherv.io/paused of VirtualDisk/default/a is set by ${rig.path("a.yaml")}:1:1: change it there`,
    );
  });

  it("are refused for what is not there", async () => {
    const rig = await FolderRig.make();
    await rig.start();
    await expect(rig.store.setAnnotation(diskKey("x"), "a", "b")).rejects.toThrow(
      "VirtualDisk/default/x does not exist",
    );
  });

  it("are set even while others write", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
    await Promise.all(names.map((name) => rig.store.setAnnotation(diskKey("a"), name, "x")));
    expect(Object.keys(rig.object("a")?.metadata.annotations ?? {}).sort()).toEqual(names.sort());
  });
});

describe("identity", () => {
  it("outlives a restart with all that controllers wrote", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    await rig.hold("a");
    const object = rig.object("a");
    if (object) await rig.store.putStatus({ ...object, status: { fileSize: 7 } });
    const before = rig.object("a");
    await rig.start();
    expect(rig.object("a")).toEqual(before);
    expect(rig.store.counters).toEqual({ objects: 0, batches: 0 });
  });

  it("is taken from a host's stamp when the store was lost, but not from the stamp of what was just deleted", async () => {
    const stamped = "11111111-1111-4111-8111-111111111111";
    const rig = await FolderRig.make({ adoptUid: ({ name }) => (name === "a" ? stamped : undefined) });
    await rig.write("a.yaml", diskYaml("a"));
    await rig.write("b.yaml", diskYaml("b"));
    await rig.start();
    expect(rig.uid("a")).toBe(stamped);
    expect(rig.uid("b")).not.toBe(stamped);
    await rig.hold("a");
    await rig.remove("a.yaml");
    await rig.pass();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.release("a");
    await rig.store.sweep();
    expect(rig.uid("a")).toBeDefined();
    expect(rig.uid("a")).not.toBe(stamped);
  });

  it("never gives a resourceVersion twice, even when the newest object is gone", async () => {
    const rig = await FolderRig.make();
    await rig.write("b.yaml", diskYaml("b"));
    await rig.start();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.store.sweep();
    const version = rig.object("a")?.metadata.resourceVersion;
    await rig.remove("a.yaml");
    await rig.pass();
    await rig.start();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.store.sweep();
    expect(Number(rig.object("a")?.metadata.resourceVersion)).toBeGreaterThan(Number(version));
  });
});

describe("reading", () => {
  it("follows a ConfigMap's swap of its link", async () => {
    const rig = await FolderRig.make();
    await mkdir(rig.path("..2026_1"));
    await writeFile(rig.path("..2026_1/a.yaml"), diskYaml("a"));
    await symlink("..2026_1", rig.path("..data"));
    await symlink("..data/a.yaml", rig.path("a.yaml"));
    await rig.start();
    const uid = rig.uid("a");
    expect(uid).toBeDefined();
    await mkdir(rig.path("..2026_2"));
    await writeFile(rig.path("..2026_2/a.yaml"), diskYaml("a", "2Gi"));
    await symlink("..2026_2", rig.path("..data_tmp"));
    await rename(rig.path("..data_tmp"), rig.path("..data"));
    await rm(rig.path("..2026_1"), { recursive: true });
    await rig.store.sweep();
    expect(rig.object("a")).toMatchObject({ spec: { size: "2Gi" }, metadata: { uid } });
    expect(rig.problems()).toEqual([]);
  });

  it("skips dotfiles, other endings and links in a circle", async () => {
    const rig = await FolderRig.make();
    await rig.write(".hidden.yaml", "a: [");
    await rig.write("README.md", "a: [");
    await rig.write("a.yaml~", "a: [");
    await mkdir(rig.path(".git"));
    await rig.write(".git/x.yaml", "a: [");
    await symlink(rig.folder, rig.path("circle"));
    await rig.write("a.yml", diskYaml("a"));
    await rig.write("b.json", JSON.stringify({ apiVersion: "v1", kind: "List", items: [] }));
    await rig.start();
    expect(rig.problems()).toEqual([]);
    expect(rig.uid("a")).toBeDefined();
  });

  it("parses a file again only when size, time or inode changed", async () => {
    const rig = await FolderRig.make();
    const time = new Date("2026-01-01");
    await rig.write("a.yaml", diskYaml("a"));
    await utimes(rig.path("a.yaml"), time, time);
    await rig.start();
    await writeFile(rig.path("a.yaml"), diskYaml("a", "2Gi"));
    await utimes(rig.path("a.yaml"), time, time);
    await rig.store.sweep();
    expect(rig.object("a")?.spec).toMatchObject({ size: "1Gi" });
    await utimes(rig.path("a.yaml"), time, new Date());
    await rig.store.sweep();
    expect(rig.object("a")?.spec).toMatchObject({ size: "2Gi" });
  });

  it("takes what `get -o yaml` prints: what the store gives is left out", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    await rig.hold("a");
    const printed = JSON.stringify({ ...rig.object("a"), status: { fileSize: "nonsense" } });
    const before = rig.object("a");
    await rig.remove("a.yaml");
    await rig.write("a.json", printed);
    await rig.store.sweep();
    expect(rig.problems()).toEqual([]);
    expect(rig.object("a")).toEqual(before);
  });

  it("reads a List, with the places of its items", async () => {
    const rig = await FolderRig.make();
    const indented = (text: string): string => text.trimEnd().replaceAll("\n", "\n    ");
    const list = `apiVersion: v1\nkind: List\nitems:\n  - ${indented(diskYaml("a"))}\n  - ${indented(diskYaml("b", "4G"))}\n`;
    await rig.write("list.yaml", list);
    await rig.start();
    expect(rig.problems()).toEqual([expect.stringMatching(/^list\.yaml:19:7: spec\.size: /)]);
    await rig.write("list.yaml", list.replace("4G", "4Gi"));
    await rig.store.sweep();
    expect(rig.uid("a")).toBeDefined();
    expect(rig.uid("b")).toBeDefined();
  });

  it("says when a folder does not exist, and takes it up when it does", async () => {
    const rig = await FolderRig.make();
    await rm(rig.folder, { recursive: true });
    await rig.start();
    expect(rig.store.problems()).toMatchObject([
      { file: rig.folder, message: expect.stringContaining("does not exist") },
    ]);
    await mkdir(rig.folder);
    await rig.write("a.yaml", diskYaml("a"));
    await rig.store.sweep();
    expect(rig.uid("a")).toBeDefined();
  });
});

const secretYaml = (name: string, data: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n${data}`;

describe("Secrets", () => {
  const text = (values: Readonly<Record<string, Uint8Array>> | undefined): unknown =>
    values &&
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new TextDecoder().decode(value)]));

  it("are read from their file when they are used", async () => {
    const rig = await FolderRig.make();
    await rig.write("s.yaml", secretYaml("s", "stringData:\n  username: u\ndata:\n  password: aHVudGVyMg==\n"), 0o600);
    await rig.start();
    expect(text(await rig.store.secret("default", "s"))).toEqual({ username: "u", password: "hunter2" });
    await rig.write("s.yaml", secretYaml("s", "stringData:\n  password: new\n"));
    expect(text(await rig.store.secret("default", "s"))).toEqual({ password: "new" });
    await rig.write("s.yaml", "");
    expect(await rig.store.secret("default", "s")).toBeUndefined();
    expect(await rig.store.secret("default", "other")).toBeUndefined();
  });

  it("are in no list and in no data", async () => {
    const rig = await FolderRig.make();
    await rig.write("s.yaml", secretYaml("s", "stringData:\n  password: hunter2\n"), 0o400);
    await rig.start();
    expect(rig.store.cache.list("Secret")).toEqual([]);
    for await (const [key, value] of rig.data.entries("")) expect(key + value).not.toContain("hunter2");
  });

  it("must be in a file that only its owner reads, from the first moment and later", async () => {
    const rig = await FolderRig.make();
    await rig.write("s.yaml", secretYaml("s", "stringData:\n  password: hunter2\n"), 0o640);
    await rig.start();
    expect(rig.problems()).toEqual([
      "s.yaml:1:1: a file with a Secret must be readable by its owner alone: its mode is 0640, allowed are 0600 and 0400",
    ]);
    await expect(rig.store.secret("default", "s")).rejects.toThrow("its mode is 0640");
    await chmod(rig.path("s.yaml"), 0o600);
    await rig.store.sweep();
    expect(rig.problems()).toEqual([]);
    await chmod(rig.path("s.yaml"), 0o604);
    await expect(rig.store.secret("default", "s")).rejects.toThrow("its mode is 0604");
  });

  it("declared twice are refused, naming both places", async () => {
    const rig = await FolderRig.make();
    await rig.write("s.yaml", secretYaml("s", ""), 0o600);
    await rig.write("t.yaml", secretYaml("s", ""), 0o600);
    await rig.start();
    expect(rig.problems()).toHaveLength(2);
    await expect(rig.store.secret("default", "s")).rejects.toThrow(/s\.yaml:1:1 and .*t\.yaml:1:1: keep one/);
  });

  it.each([
    { why: "broken YAML", data: 'stringData:\n  password: "hunter2\n' },
    { why: "a value that reads as a number", data: "stringData:\n  password: 48150623\n" },
    { why: "no base64", data: "data:\n  password: hunter2!\n" },
    { why: "a value where a map is expected", data: "stringData: hunter2\n" },
    { why: "a control character", data: 'stringData:\n  password: "hunter2\\u0007"\n' },
    { why: "an unknown alias", data: "stringData:\n  password: *hunter2\n" },
    { why: "an unquoted start", data: "stringData:\n  password: @hunter2\n" },
    { why: "a bad escape", data: 'stringData:\n  password: "hunter2\\q"\n' },
    { why: "a key twice", data: "stringData:\n  hunter2: a\n  hunter2: a\n" },
    { why: "nested maps", data: "stringData:\n  password: hunter2: x\n" },
  ])("never show a value in an error: $why", async ({ data }) => {
    const rig = await FolderRig.make();
    await rig.write("s.yaml", secretYaml("s", data), 0o600);
    await rig.start();
    expect(rig.problems()).not.toEqual([]);
    const shown = JSON.stringify([rig.store.problems(), rig.log.lines]);
    expect(shown).not.toContain("hunter2");
    expect(shown).not.toContain("48150623");
  });
});
