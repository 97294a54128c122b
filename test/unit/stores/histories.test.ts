import fc from "../../support/fc.ts";
import { expect, it } from "vitest";
import { modelValidation } from "../../../src/app/validation.ts";
import { FileStore } from "../../../src/stores/files/store.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { MemoryFileSystem } from "../../../src/stores/memory/filesystem.ts";
import { CountingRandom, HandClock, MemoryLog } from "./fixed.ts";

const names = ["a", "b", "c"] as const;
const files = ["x", "y", "z"] as const;
const delayMs = 30_000;

type Act =
  | { readonly do: "write"; readonly file: string; readonly names: readonly string[] }
  | { readonly do: "break"; readonly file: string }
  | { readonly do: "remove"; readonly file: string }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "restart" };

const file = fc.constantFrom(...files);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ do: fc.constant("write" as const), file, names: fc.subarray([...names]) }),
  fc.record({ do: fc.constant("break" as const), file }),
  fc.record({ do: fc.constant("remove" as const), file }),
  fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
  fc.record({ do: fc.constant("restart" as const) }),
);

const document = (name: string, gibi: number): string =>
  `{apiVersion: aetherv.io/v1alpha1, kind: VirtualDisk, metadata: {name: ${name}}, spec: {source: {type: Blank}, size: ${gibi}Gi}}\n`;

/** A file store over memory, and what its user wrote. */
class World {
  readonly fs = new MemoryFileSystem(["/m"]);
  readonly clock = new HandClock();
  readonly data = new MemoryKeyValue();
  readonly written = new Map<string, readonly string[]>();
  store: FileStore | undefined;
  /** Sizes only grow, so that no edit is refused. */
  gibi = 1;

  async start(data = this.data): Promise<FileStore> {
    const { fs, clock } = this;
    const random = new CountingRandom();
    const log = new MemoryLog();
    return FileStore.open({
      folders: ["/m"],
      data,
      fs,
      clock,
      random,
      validation: modelValidation,
      log,
      deletionDelayMs: delayMs,
    });
  }

  async act(next: Act): Promise<void> {
    if (next.do === "write") this.write(next.file, next.names);
    else if (next.do === "break") this.fs.write(`/m/${next.file}.yaml`, "{");
    else if (next.do === "pass") this.clock.advance(next.ms);
    else if (next.do === "restart") this.store = await this.start();
    else this.fs.remove(`/m/${next.file}.yaml`);
    if (next.do === "break" || next.do === "remove") this.written.delete(next.file);
    await this.store?.sweep();
  }

  write(to: string, which: readonly string[]): void {
    this.gibi += 1;
    this.written.set(to, which);
    this.fs.write(`/m/${to}.yaml`, which.map((name) => document(name, this.gibi)).join("---\n"));
  }

  declared(name: string): boolean {
    return [...this.written.values()].some((which) => which.includes(name));
  }

  identities(): Map<string, string> {
    const list = this.store?.cache.list("VirtualDisk") ?? [];
    return new Map(list.map(({ metadata }) => [metadata.name, metadata.uid]));
  }
}

const specs = (store: FileStore): unknown =>
  store.cache.list("VirtualDisk").map(({ metadata, spec }) => [metadata.name, spec]);

it("an object goes only after its document was gone for the whole delay, and the end is that of a fresh start", async () => {
  const property = fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
    const world = new World();
    world.store = await world.start();
    const seen = new Map<string, number>();
    let before = world.identities();
    for (const next of acts) {
      await world.act(next);
      const now = world.clock.now().getTime();
      for (const name of names) if (world.declared(name)) seen.set(name, now);
      const after = world.identities();
      for (const [name, uid] of before) {
        if (after.get(name) === uid) continue;
        expect(after.has(name), `${name} has another uid without having been away`).toBe(false);
        expect(now - (seen.get(name) ?? 0), `${name} was deleted too early`).toBeGreaterThanOrEqual(delayMs);
      }
      before = after;
    }
    world.write("x", ["a"]);
    world.write("y", ["b"]);
    world.write("z", []);
    for (const ms of [0, delayMs, 0]) await world.act({ do: "pass", ms });
    expect(world.store.problems()).toEqual([]);
    const fresh = await world.start(new MemoryKeyValue());
    expect(specs(world.store)).toEqual(specs(fresh));
    expect((await world.start()).counters.objects).toBe(0);
  });
  await fc.assert(property, { numRuns: 200 });
});
