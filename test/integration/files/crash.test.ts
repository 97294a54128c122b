import { describe, expect, it } from "vitest";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { diskYaml, FolderRig } from "./rig.ts";

/** Fails at one write, before or after it took effect, as a process does that dies there. */
class FailingKeyValue extends MemoryKeyValue {
  failAt = -1;
  effect: "lost" | "done" = "lost";
  #count = 0;

  override async write(batch: ReadonlyMap<string, string | undefined>): Promise<void> {
    this.#count += 1;
    const fails = this.#count === this.failAt;
    if (!fails || this.effect === "done") await super.write(batch);
    if (fails) throw new Error("the disk is full");
  }
}

/** A life of two objects; each step can be taken again after it failed. */
const steps: ((rig: FolderRig) => Promise<void>)[] = [
  async (rig) => {
    await rig.write("a.yaml", diskYaml("a"));
    await rig.write("b.yaml", diskYaml("b"));
    await rig.store.sweep();
  },
  (rig) => rig.hold("a"),
  (rig) => rig.hold("b"),
  async (rig) => {
    const object = rig.object("a");
    if (object) await rig.store.putStatus({ ...object, status: { fileSize: 7 } });
  },
  async (rig) => {
    await rig.write("a.yaml", diskYaml("a", "2Gi"));
    await rig.store.sweep();
  },
  async (rig) => {
    await rig.write("b.yaml", "");
    await rig.pass();
  },
  async (rig) => {
    if (rig.object("b")) await rig.release("b");
  },
  async (rig) => {
    await rig.write("b.yaml", diskYaml("b", "3Gi"));
    await rig.store.sweep();
  },
];

const state = (rig: FolderRig): unknown =>
  rig.store.cache.list("VirtualDisk").map(({ metadata, spec, status }) => {
    const { name, generation, finalizers, deletionTimestamp } = metadata;
    return { name, generation, finalizers, deletionTimestamp, spec, status };
  });

const live = async (data: FailingKeyValue): Promise<{ rig: FolderRig; failed: number }> => {
  const rig = await FolderRig.make({ data });
  let failed = 0;
  try {
    await rig.start();
  } catch {
    failed += 1;
    await rig.start();
  }
  for (const step of steps) {
    try {
      await step(rig);
    } catch {
      failed += 1;
      await rig.start();
      await step(rig);
    }
  }
  return { rig, failed };
};

describe("a file store whose process dies at a write", () => {
  it.each(["lost", "done"] as const)(
    "goes on after a restart as if nothing had been: each write once %s",
    async (effect) => {
      const whole = new FailingKeyValue();
      const calm = await live(whole);
      expect(calm.failed).toBe(0);
      expect(state(calm.rig)).toMatchObject([
        { name: "a", generation: 2, status: { fileSize: 7 }, spec: { size: "2Gi" } },
        { name: "b", generation: 1, spec: { size: "3Gi" } },
      ]);
      const { writes } = whole;
      expect(writes).toBeGreaterThanOrEqual(8);
      for (let at = 1; at <= writes; at++) {
        const data = new FailingKeyValue();
        data.failAt = at;
        data.effect = effect;
        const { rig, failed } = await live(data);
        expect(failed, `write ${at}`).toBe(1);
        expect(state(rig), `write ${at}`).toEqual(state(calm.rig));
      }
    },
  );

  it("shows nobody what was not made durable, and goes on when it can be", async () => {
    const data = new FailingKeyValue();
    const rig = await FolderRig.make({ data });
    await rig.write("a.yaml", diskYaml("a"));
    await rig.start();
    const before = rig.object("a");
    const woken: unknown[] = [];
    await rig.store.watch((key) => woken.push(key), new AbortController().signal);
    data.failAt = data.writes + 1;
    await expect(rig.hold("a")).rejects.toThrow("the disk is full");
    expect(rig.object("a")).toEqual(before);
    expect(woken).toHaveLength(1);
    await rig.hold("a");
    expect(rig.object("a")?.metadata.finalizers).toEqual(["aetherv.io/cleanup"]);
  });
});
