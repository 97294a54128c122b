import { keyOf, keyText, type Key } from "../../../src/api/resource.ts";
import type { Store } from "../../../src/engine/ports.ts";
import { modelValidation } from "../../../src/app/validation.ts";
import { MemoryStore } from "../../../src/stores/memory/store.ts";
import { equalJson } from "../../../src/stores/equal.ts";
import type { Manifest } from "../../support/plane.ts";
import type { Backend, Opened } from "./backend.ts";
import type { Chance } from "./chance.ts";
import { InjectedError, type Process } from "./process.ts";
import { Records } from "./records.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Truth } from "./truth.ts";

interface Parts {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly truth: Truth;
  readonly controlPlaneId: string;
}

/** Objects in memory that outlive every process: each sees them at once, writes take time and may fail. */
export class MemoryBackend implements Backend {
  readonly replicas = 1;
  readonly exclusive = false;
  readonly #store: MemoryStore;
  readonly #parts: Parts;
  readonly #records = new Records();
  readonly #applied = new Map<string, Manifest>();
  #epoch = 0;
  #newest: Process | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { scheduler, chance, truth } = parts;
    this.#store = new MemoryStore({ clock: scheduler.clock(""), random: chance, validation: modelValidation });
    void this.#store.watch(
      (key) => truth.holds(keyText(key), this.#store.cache.get(key)),
      new AbortController().signal,
    );
  }

  async sync(documents: readonly Manifest[]): Promise<void> {
    const wanted = new Map(documents.map((one) => [keyText(keyOfManifest(one)), one]));
    this.#parts.truth.wants([...wanted.keys()]);
    for (const [key, manifest] of wanted) {
      const present = this.#parts.truth.get(key);
      if (present?.metadata.deletionTimestamp !== undefined) continue;
      if (present && isSame(this.#applied.get(key), manifest)) continue;
      await this.#store.apply(manifest);
      this.#applied.set(key, manifest);
    }
    for (const object of this.#parts.truth.list())
      if (!wanted.has(keyText(keyOf(object))) && object.metadata.deletionTimestamp === undefined)
        await this.#store.remove(keyOf(object));
  }

  async annotate(key: Key, name: string, value: string): Promise<void> {
    const object = await this.#store.get(key);
    if (!object) return;
    const annotation = this.#parts.truth.annotates(object.metadata.uid, name, value);
    const annotations = { ...object.metadata.annotations, [name]: value };
    const next = { ...object, metadata: { ...object.metadata, annotations } };
    // Somebody else was quicker: people try again, another time.
    await this.#store.putMetadata(next).then(annotation.confirm, () => undefined);
  }

  open(process: Process): Promise<Opened> {
    this.#epoch += 1;
    let epoch = this.#epoch;
    this.#newest = process;
    const opened: Opened = {
      store: this.#seenBy(process),
      controlPlaneId: this.#parts.controlPlaneId,
      epoch: () => epoch,
      raiseEpoch: (min) =>
        process.call("raises the epoch", () => {
          if (this.#newest !== process) throw new InjectedError("another process leads");
          this.#epoch = Math.max(this.#epoch, min);
          return (epoch = this.#epoch);
        }),
      journal: this.#records.journal,
      events: this.#records.events,
      run: () => Promise.resolve(),
    };
    return Promise.resolve(opened);
  }

  /** Only the newest process writes, as with a Lease; what an older one does on hosts is for the fence to stop. */
  #seenBy(process: Process): Store {
    const store = this.#store;
    const write = <T>(label: string, key: Key, work: () => Promise<T>): Promise<T> =>
      process.call(`${label} ${keyText(key)}`, () => {
        if (this.#newest !== process) throw new InjectedError("another process leads");
        return work();
      });
    return {
      cache: store.cache,
      get: (key) => process.call(`reads ${keyText(key)}`, () => store.get(key)),
      putMetadata: (next) => write("writes metadata of", keyOf(next), () => store.putMetadata(next)),
      putStatus: (next) => write("writes status of", keyOf(next), () => store.putStatus(next)),
      putDesired: (next) => write("writes", keyOf(next), () => store.putDesired(next)),
      create: (draft) => write("creates", keyOfManifest(draft), () => store.create(draft)),
      delete: (key, uid) => write("deletes", key, () => store.delete(key, uid)),
      watch: (wake, signal) => store.watch((key) => process.deliver(() => wake(key)), signal),
    };
  }

  texts(): Iterable<string> {
    return this.#records.texts;
  }

  disturb(): string {
    return "nothing";
  }

  silence(): void {}

  heal(): void {}
}

/** The same documents are asked for again and again: most are the very same. */
export const isSame = (a: Manifest | undefined, b: Manifest): boolean => a === b || equalJson(a, b);

export const keyOfManifest = ({ kind, metadata }: Pick<Manifest, "kind" | "metadata">): Key => ({
  kind,
  namespace: metadata.namespace ?? "",
  name: metadata.name,
});
