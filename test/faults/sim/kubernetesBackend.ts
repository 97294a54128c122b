import { apiVersion } from "../../../src/api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../../src/api/resource.ts";
import type { Logger } from "../../../src/engine/ports.ts";
import { KubeClient } from "../../../src/stores/kubernetes/client.ts";
import { patientIdentity } from "../../../src/stores/kubernetes/identity.ts";
import { acquireLease, type Term } from "../../../src/stores/kubernetes/lease.ts";
import { collectionPath, objectPath } from "../../../src/stores/kubernetes/paths.ts";
import { defaultTimes } from "../../../src/stores/kubernetes/reflector.ts";
import { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import type { Manifest } from "../../support/plane.ts";
import type { Backend, Opened } from "./backend.ts";
import type { BackendParts } from "./backends.ts";
import { ApiModel, type Asked, type Change } from "./kube/apiModel.ts";
import { placeOf } from "./kube/places.ts";
import { KubeWires } from "./kube/wire.ts";
import { isSame, keyOfManifest } from "./memoryBackend.ts";
import type { Process } from "./process.ts";
import { Records } from "./records.ts";

/** A cluster's API server and two replicas of the control plane, of which the holder of the Lease works. */
export class KubernetesBackend implements Backend {
  readonly replicas = 2;
  readonly exclusive = false;
  readonly #parts: BackendParts;
  readonly model: ApiModel;
  readonly wires: KubeWires;
  readonly #records = new Records();
  readonly #applied = new Map<string, Manifest>();
  readonly #written: string[] = [];
  readonly #pageSize: number;

  constructor(parts: BackendParts) {
    this.#parts = parts;
    const { chance, scheduler } = parts;
    const changed = (change: Change): void => this.#changed(change);
    this.model = new ApiModel({ random: chance, now: () => new Date(scheduler.ms), changed });
    this.wires = new KubeWires(this.model);
    this.#pageSize = chance.is(0.3) ? 2 : defaultTimes.pageSize;
  }

  #changed(change: Change): void {
    const { type, object, collection } = change;
    if (collection.generations) {
      const resource = object as Resource;
      this.#written.push(JSON.stringify([resource.metadata.annotations, resource.status]));
      this.#parts.truth.holds(keyText(keyOf(resource)), type === "DELETED" ? undefined : resource);
    }
    this.wires.changed(change);
  }

  sync(documents: readonly Manifest[]): Promise<void> {
    const { truth } = this.#parts;
    const wanted = new Map(documents.map((one) => [keyText(keyOfManifest(one)), one]));
    truth.wants([...wanted.keys()]);
    for (const [key, manifest] of wanted) this.#apply(key, manifest);
    for (const object of truth.list()) {
      if (wanted.has(keyText(keyOf(object))) || object.metadata.deletionTimestamp !== undefined) continue;
      this.#ask({ method: "DELETE", path: objectPath(keyOf(object)), query: {} });
    }
    return Promise.resolve();
  }

  #apply(key: string, manifest: Manifest): void {
    const present = this.#parts.truth.get(key);
    if (present?.metadata.deletionTimestamp !== undefined) return;
    if (present && isSame(this.#applied.get(key), manifest)) return;
    const { kind, metadata, spec } = manifest;
    const path = collectionPath(kind, metadata.namespace);
    const body = { apiVersion, kind, metadata, spec };
    if (!present) this.#ask({ method: "POST", path, query: {}, body });
    else this.#ask({ method: "PUT", path: objectPath(keyOf(present)), query: {}, body: { ...present, spec } });
    this.#applied.set(key, manifest);
  }

  /** The user's own requests meet no trouble. What the server refuses would be a defect of the simulation. */
  #ask(asked: Asked): void {
    const { code, body } = this.model.answer(asked);
    if (code >= 300) throw new Error(`${asked.method} ${asked.path}: ${JSON.stringify(body)}`);
  }

  annotate(key: Key, name: string, value: string): Promise<void> {
    const object = this.#parts.truth.get(keyText(key));
    if (!object) return Promise.resolve();
    this.#parts.truth.annotates(object.metadata.uid, name, value).confirm();
    const body = { metadata: { annotations: { [name]: value } } };
    this.#ask({ method: "PATCH", path: objectPath(key), query: {}, body });
    return Promise.resolve();
  }

  async open(process: Process, log: Logger, ending: AbortSignal): Promise<Opened | undefined> {
    const { clock, chance: random } = process;
    const client = new KubeClient(this.wires.of(process), clock);
    const times = { ...defaultTimes, pageSize: this.#pageSize };
    const store = new KubernetesStore({ client, namespaces: "all", clock, random, log, times });
    const following = new AbortController();
    process.atBurial(() => following.abort());
    const running = store.run(following.signal);
    const lease = { client, clock, random, log, namespace: client.namespace, name: "aetherv", identity: process.name };
    const term = await acquireLease(lease, ending);
    if (!term) {
      following.abort();
      return undefined;
    }
    store.writesDuring(term);
    const over = AbortSignal.any([term.lost, ending]);
    try {
      const controlPlaneId = await patientIdentity({ client, namespace: client.namespace, random, clock, log }, over);
      await Promise.race([store.refreshed(), lossOf(term)]);
      const { journal, events } = this.#records;
      const run = async (signal: AbortSignal): Promise<void> => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        await term.release();
        following.abort();
        await running;
      };
      const raiseEpoch = (min: number): Promise<number> => term.raise(min);
      return { store, controlPlaneId, epoch: () => term.epoch, raiseEpoch, journal, events, run, lost: term.lost };
    } catch {
      // Lost before it led: the next process tries.
      void term.release();
      following.abort();
      return undefined;
    }
  }

  /** What watches of a collection were told since the last compaction. */
  changes(path: string): readonly Change[] {
    const place = placeOf(path);
    return (place && this.model.since(place, 1)) ?? [];
  }

  *texts(): Iterable<string> {
    yield* this.#records.texts;
    yield* this.#written;
  }

  disturb(): string {
    const { chance, trouble } = this.#parts;
    const { weather } = this.wires;
    const ms = chance.wide(50, 90_000);
    const what = chance.pick(["down", "storm", "frozen", "cut", "gap"] as const);
    switch (what) {
      case "down":
      case "storm":
        weather.state = what;
        trouble(ms, "the API server answers again", () => (weather.state = "fine"));
        break;
      case "frozen":
        this.silence(ms);
        break;
      case "gap":
        this.wires.cutWatches(chance);
        this.model.compact();
        break;
      case "cut":
        this.wires.cutWatches(chance);
        break;
      default:
        what satisfies never;
    }
    return `the API server: ${what}`;
  }

  silence(ms: number): void {
    this.wires.weather.frozen = true;
    this.#parts.scheduler.at(ms, "watches tell again", () => this.wires.thaw());
  }

  heal(): void {
    this.wires.weather.state = "fine";
    this.wires.thaw();
  }
}

const lossOf = (term: Term): Promise<never> =>
  new Promise((_, reject) => {
    const lose = (): void => reject(new Error("the leadership was lost"));
    if (term.lost.aborted) lose();
    term.lost.addEventListener("abort", lose, { once: true });
  });
