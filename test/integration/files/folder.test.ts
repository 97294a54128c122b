import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { diskKey, diskYaml, FolderRig } from "./rig.ts";

/** A started rig with two disks in two files, both held by their finalizer. */
const twoDisks = async (): Promise<FolderRig> => {
  const rig = await FolderRig.make();
  await rig.write("a.yaml", diskYaml("a"));
  await rig.write("b.yaml", diskYaml("b"));
  await rig.start();
  await rig.hold("a");
  await rig.hold("b");
  return rig;
};

/** What must be the same if nothing is touched: who they are, and that nobody deletes them. */
const identity = (rig: FolderRig): unknown =>
  ["a", "b"].map((name) => {
    const { uid, generation, deletionTimestamp } = rig.object(name)?.metadata ?? {};
    return { name, uid, generation, deletionTimestamp };
  });

describe("nothing is touched", () => {
  const cases: { why: string; act: (rig: FolderRig) => Promise<void> }[] = [
    { why: "a file is renamed", act: (rig) => rig.rename("a.yaml", "z.yaml") },
    {
      why: "a file is moved into a new folder",
      act: async (rig) => {
        await mkdir(rig.path("deep/er"), { recursive: true });
        await rig.rename("a.yaml", "deep/er/a.yaml");
      },
    },
    {
      why: "a document is moved to another file",
      act: async (rig) => {
        await rig.remove("a.yaml");
        await rig.write("b.yaml", `${diskYaml("b")}---\n${diskYaml("a")}`);
      },
    },
    {
      why: "a document is copied first and removed from its old place much later",
      act: async (rig) => {
        await rig.write("b.yaml", `${diskYaml("b")}---\n${diskYaml("a")}`);
        await rig.pass();
        await rig.remove("a.yaml");
      },
    },
    {
      why: "an editor unlinks and writes",
      act: async (rig) => {
        await rig.remove("a.yaml");
        await rig.store.sweep();
        rig.clock.advance(2000);
        await rig.store.sweep();
        await rig.write("a.yaml", diskYaml("a"));
      },
    },
    {
      why: "an editor writes a copy and renames it over the file",
      act: async (rig) => {
        await rig.write(".a.yaml.swp", "half");
        await rig.write("a.yaml.tmp", diskYaml("a"));
        await rig.store.sweep();
        await rig.rename("a.yaml.tmp", "a.yaml");
      },
    },
    {
      why: "a slow checkout takes the files away and brings them back in 25 s, one after the other",
      act: async (rig) => {
        await rig.remove("a.yaml");
        await rig.store.sweep();
        await rig.remove("b.yaml");
        for (let second = 0; second < 25; second++) {
          rig.clock.advance(1000);
          await rig.store.sweep();
        }
        await rig.write("b.yaml", diskYaml("b"));
        await rig.store.sweep();
        await rig.write("a.yaml", diskYaml("a"));
      },
    },
    {
      why: "the folder is emptied and stays so for an hour",
      act: async (rig) => {
        await rig.remove("a.yaml");
        await rig.remove("b.yaml");
        await rig.pass(3_600_000);
      },
    },
    {
      why: "the folder vanishes for an hour",
      act: async (rig) => {
        await rename(rig.folder, `${rig.folder}.away`);
        await rig.pass(3_600_000);
      },
    },
    {
      why: "the folder vanishes and comes back empty, as a mount that is gone",
      act: async (rig) => {
        await rename(rig.folder, `${rig.folder}.away`);
        await rig.pass();
        await mkdir(rig.folder);
        await rig.pass(3_600_000);
      },
    },
    { why: "a file is half-written", act: (rig) => rig.write("a.yaml", diskYaml("a").slice(0, 60)) },
    {
      why: "a file is truncated to nothing and b keeps a problem",
      act: async (rig) => {
        await rig.write("b.yaml", "kind: [");
        await rig.write("a.yaml", "");
      },
    },
    {
      why: "the document is removed while another file is broken",
      act: async (rig) => {
        await rig.write("c.yaml", "a: [");
        await rig.remove("a.yaml");
      },
    },
    {
      why: "the files were only touched",
      act: async (rig) => {
        await rig.write("a.yaml", diskYaml("a"));
        await rig.write("b.yaml", `# a comment\n${diskYaml("b")}`);
      },
    },
  ];

  it.each(cases)("when $why", async ({ act }) => {
    const rig = await twoDisks();
    const before = identity(rig);
    const writes = rig.store.counters.objects;
    await act(rig);
    await rig.pass();
    await rig.pass();
    expect(identity(rig)).toEqual(before);
    expect(rig.store.counters.objects).toBe(writes);
    await rig.start();
    await rig.pass();
    expect(identity(rig)).toEqual(before);
  });
});

describe("a removed document", () => {
  it("is Missing first, and its object is deleted after the delay and two sweeps", async () => {
    const rig = await twoDisks();
    await rig.remove("a.yaml");
    await rig.store.sweep();
    expect(rig.missing()).toEqual(["a"]);
    expect(rig.store.missing()[0]).toMatchObject({
      place: { file: rig.path("a.yaml"), line: 1 },
      deletionAt: new Date(rig.clock.now().getTime() + 30_000),
    });
    rig.clock.advance(29_999);
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    rig.clock.advance(1);
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBe("2026-01-01T00:00:30Z");
    expect(rig.missing()).toEqual([]);
    expect(rig.object("b")?.metadata.deletionTimestamp).toBeUndefined();
    await rig.release("a");
    expect(rig.object("a")).toBeUndefined();
  });

  it("needs two sweeps even when the time is over", async () => {
    const rig = await twoDisks();
    await rig.remove("a.yaml");
    rig.clock.advance(60_000);
    await rig.store.sweep();
    rig.clock.advance(60_000);
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeDefined();
  });

  it("starts its time anew after a restart", async () => {
    const rig = await twoDisks();
    await rig.remove("a.yaml");
    await rig.store.sweep();
    rig.clock.advance(29_000);
    await rig.start();
    rig.clock.advance(29_000);
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    rig.clock.advance(1000);
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeDefined();
  });

  it("starts its time anew after a sweep in which a file was broken", async () => {
    const rig = await twoDisks();
    await rig.remove("a.yaml");
    await rig.store.sweep();
    rig.clock.advance(29_000);
    await rig.write("c.yaml", "a: [");
    await rig.store.sweep();
    expect(rig.store.missing()[0]?.deletionAt).toBeUndefined();
    await rig.remove("c.yaml");
    await rig.store.sweep();
    rig.clock.advance(29_000);
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
  });

  it("that comes back while the old object is deleted makes a new one afterwards", async () => {
    const rig = await twoDisks();
    const old = rig.uid("a");
    await rig.remove("a.yaml");
    await rig.pass();
    await rig.write("a.yaml", diskYaml("a", "2Gi"));
    await rig.store.sweep();
    expect(rig.object("a")).toMatchObject({
      metadata: { uid: old, deletionTimestamp: expect.any(String) },
      spec: { size: "1Gi" },
    });
    await rig.release("a");
    expect(rig.object("a")).toBeUndefined();
    await rig.store.sweep();
    expect(rig.uid("a")).not.toBe(old);
    expect(rig.object("a")).toMatchObject({ metadata: { generation: 1 }, spec: { size: "2Gi" } });
  });

  it.each([
    { reason: "MassDeleteGuard", why: "too many deletions at once" },
    { reason: "InUse", why: "a disk that a machine has would wait for ever: its attachment could not be edited away" },
    { reason: "DiskHasChildren", why: "likewise a parent" },
    { reason: "DeletionProtected", why: "its owner forbade it" },
  ])("that comes back while its deletion is held by $reason ends it: $why", async ({ reason }) => {
    const rig = await twoDisks();
    const old = rig.uid("a");
    await rig.remove("a.yaml");
    await rig.pass();
    const held = rig.object("a");
    if (!held) throw new Error("a is under deletion and gone");
    const stalled = { type: "Stalled", status: "True", reason, message: "", lastTransitionTime: "" };
    await rig.store.putStatus({ ...held, status: { deletionBatch: "00000000", conditions: [stalled] } });
    await rig.write("a.yaml", diskYaml("a", "2Gi"));
    await rig.store.sweep();
    expect(rig.object("a")).toMatchObject({ metadata: { uid: old }, spec: { size: "2Gi" } });
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    expect(rig.object("a")?.metadata.finalizers).toHaveLength(1);
    const before = rig.object("a");
    await rig.pass();
    expect(rig.object("a")).toEqual(before);
  });

  it("whose object has deletionProtection deletes nothing and is reported", async () => {
    const rig = await FolderRig.make();
    await rig.write("a.yaml", diskYaml("a", "1Gi", "  deletionProtection: true\n"));
    await rig.write("b.yaml", diskYaml("b"));
    await rig.start();
    await rig.write("a.yaml", "");
    await rig.pass();
    await rig.pass();
    expect(rig.object("a")).toBeDefined();
    expect(rig.problems()).toEqual([
      expect.stringMatching(/^a\.yaml:1:1: .*deletionProtection is true: the object stays/),
    ]);
    expect(rig.store.missing()[0]?.deletionAt).toBeUndefined();
    await expect(rig.store.delete(diskKey("a"), rig.uid("a") ?? "")).rejects.toThrow("deletionProtection is true");
    await rig.write("a.yaml", diskYaml("a", "1Gi", "  deletionProtection: false\n"));
    await rig.store.sweep();
    await rig.remove("a.yaml");
    await rig.pass();
    expect(rig.object("a")).toBeUndefined();
  });

  it("in a folder that is emptied goes once that is confirmed, the others stay", async () => {
    const rig = await twoDisks();
    await rig.remove("a.yaml");
    await rig.remove("b.yaml");
    await rig.pass();
    expect(rig.problems()).toEqual([expect.stringContaining("aetherv confirm-delete KIND/NAME --batch emptied")]);
    await rig.start();
    await rig.pass();
    expect(rig.missing()).toEqual(["a", "b"]);
    await rig.store.setAnnotation(diskKey("a"), "aetherv.io/confirm-delete", "another");
    await rig.pass();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    await rig.store.setAnnotation(diskKey("a"), "aetherv.io/confirm-delete", "emptied");
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    await rig.pass();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeDefined();
    expect(rig.object("b")?.metadata.deletionTimestamp).toBeUndefined();
  });

  it("that comes back makes its confirmation void", async () => {
    const rig = await twoDisks();
    const empty = async (): Promise<void> => {
      await rig.remove("a.yaml");
      await rig.remove("b.yaml");
      await rig.store.sweep();
    };
    await empty();
    await rig.store.setAnnotation(diskKey("a"), "aetherv.io/confirm-delete", "emptied");
    await rig.write("a.yaml", diskYaml("a"));
    await rig.write("b.yaml", diskYaml("b"));
    await rig.store.sweep();
    expect(rig.object("a")?.metadata.annotations).toBeUndefined();
    await empty();
    await rig.pass(3_600_000);
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
  });

  it("in a folder that is no longer watched deletes nothing", async () => {
    const rig = await twoDisks();
    const other = `${rig.folder}-other`;
    await mkdir(other);
    await writeFile(join(other, "c.yaml"), diskYaml("c"));
    await rig.start({ folders: [other] });
    await rig.pass();
    await rig.pass();
    expect(rig.uid("a")).toBeDefined();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    expect(rig.problems()).toEqual([expect.stringContaining("or is no longer watched")]);
  });

  it("in an unreadable folder within deletes nothing", async () => {
    const rig = await twoDisks();
    await mkdir(rig.path("sub"));
    await rig.rename("a.yaml", "sub/a.yaml");
    await rig.store.sweep();
    await rm(rig.path("sub"), { recursive: true });
    // A link in a circle is unreadable for root, too.
    await symlink(rig.path("sub"), rig.path("sub"));
    await rig.pass();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    expect(rig.problems()).toEqual([expect.stringContaining("symbolic link to itself")]);
  });
});

describe("a moved folder", () => {
  it("is the same folder however it is spelled", async () => {
    const rig = await twoDisks();
    await rig.remove("b.yaml");
    await rig.start({ folders: [`${rig.folder}/`, `${rig.folder}/../manifests`] });
    expect(rig.problems()).toEqual([]);
    await rig.pass();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeUndefined();
    expect(rig.object("b")?.metadata.deletionTimestamp).toBeDefined();
  });

  it("leaves no suspicion behind when all its documents are elsewhere", async () => {
    const rig = await twoDisks();
    const moved = `${rig.folder}-moved`;
    await rename(rig.folder, moved);
    await rig.start({ folders: [moved] });
    expect(rig.problems()).toEqual([]);
    await rm(join(moved, "a.yaml"));
    await rig.pass();
    expect(rig.object("a")?.metadata.deletionTimestamp).toBeDefined();
  });
});
