import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Clock } from "../../../src/engine/ports.ts";
import { diskKey, diskYaml, FolderRig } from "./rig.ts";

const realClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined),
};

/** A rig whose store watches its folder in real time. */
const running = async (options: Parameters<typeof FolderRig.make>[0] = {}): Promise<FolderRig> => {
  const rig = await FolderRig.make({ clock: realClock, scanIntervalMs: 60_000, ...options });
  await rig.write("z.yaml", diskYaml("z"));
  await rig.start();
  const stop = new AbortController();
  const done = rig.store.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  // The watcher's first listing; it has no signal that it is ready.
  await sleep(300);
  return rig;
};

const within = { timeout: 5000, interval: 20 };

describe("a watched folder", () => {
  it("is taken up soon after a file appears, changes and is renamed over", async () => {
    const rig = await running();
    await rig.write("a.yaml", diskYaml("a"));
    await expect.poll(() => rig.uid("a"), within).toBeDefined();
    await rig.write("a.yaml", diskYaml("a", "2Gi"));
    await expect.poll(() => rig.object("a")?.spec, within).toMatchObject({ size: "2Gi" });
    await rig.write("a.tmp", diskYaml("a", "3Gi"));
    await rig.rename("a.tmp", "a.yaml");
    await expect.poll(() => rig.object("a")?.spec, within).toMatchObject({ size: "3Gi" });
  });

  it("is taken up in the end though its file has no end of line", async () => {
    const rig = await running();
    await rig.write("a.yaml", diskYaml("a").trimEnd());
    await expect.poll(() => rig.uid("a"), within).toBeDefined();
  });

  it("is taken up soon after a ConfigMap's swap", async () => {
    const rig = await running();
    await mkdir(rig.path("..1"));
    await writeFile(rig.path("..1/a.yaml"), diskYaml("a"));
    await symlink("..1", rig.path("..data"));
    await symlink("..data/a.yaml", rig.path("a.yaml"));
    await expect.poll(() => rig.uid("a"), within).toBeDefined();
    await mkdir(rig.path("..2"));
    await writeFile(rig.path("..2/a.yaml"), diskYaml("a", "2Gi"));
    await symlink("..2", rig.path("..tmp"));
    await rename(rig.path("..tmp"), rig.path("..data"));
    await expect.poll(() => rig.object("a")?.spec, within).toMatchObject({ size: "2Gi" });
  });

  it("deletes after the delay without any further event", async () => {
    const rig = await running({ deletionDelayMs: 600 });
    await rig.write("a.yaml", diskYaml("a"));
    await expect.poll(() => rig.uid("a"), within).toBeDefined();
    await rig.remove("a.yaml");
    await expect.poll(() => rig.missing(), within).toEqual(["a"]);
    await expect.poll(() => rig.uid("a"), within).toBeUndefined();
    expect(rig.uid("z")).toBeDefined();
  });

  it("makes the new object as soon as the old one of the same key is gone", async () => {
    const rig = await running({ deletionDelayMs: 200 });
    await rig.hold("z");
    await rig.write("a.yaml", diskYaml("a"));
    await rig.remove("z.yaml");
    await expect.poll(() => rig.object("z")?.metadata.deletionTimestamp, within).toBeDefined();
    const old = rig.uid("z");
    await rig.write("z.yaml", diskYaml("z"));
    await sleep(300);
    await rig.release("z");
    await expect.poll(() => rig.uid("z"), within).toBeDefined();
    expect(rig.uid("z")).not.toBe(old);
  });

  it("is seen by the timer when the watcher misses everything", async () => {
    const { nodeFileSystem } = await import("../../../src/stores/files/filesystem.ts");
    const deaf = { ...nodeFileSystem, watch: () => ({ close: () => Promise.resolve() }) };
    const rig = await running({ fs: deaf, scanIntervalMs: 200 });
    await rig.write("a.yaml", diskYaml("a"));
    await expect.poll(() => rig.uid("a"), within).toBeDefined();
  });

  it("writes nothing while nothing changes, and wakes nobody", async () => {
    const rig = await running({ scanIntervalMs: 50 });
    const keys: unknown[] = [];
    await rig.store.watch((key) => keys.push(key), new AbortController().signal);
    expect(keys).toEqual([diskKey("z")]);
    const before = { ...rig.store.counters };
    await sleep(500);
    expect(rig.store.counters).toEqual(before);
    expect(keys).toHaveLength(1);
  });

  it("is taken up when it is made after the start", async () => {
    const rig = await FolderRig.make({ clock: realClock, scanIntervalMs: 200 });
    const later = `${rig.folder}/later`;
    const store = await rig.start({ folders: [later] });
    const stop = new AbortController();
    const done = store.run(stop.signal);
    await mkdir(later);
    await writeFile(`${later}/a.yaml`, diskYaml("a"));
    await expect.poll(() => rig.uid("a"), within).toBeDefined();
    stop.abort();
    await done;
  });
});
