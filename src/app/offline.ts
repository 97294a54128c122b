import { readdir, stat } from "node:fs/promises";
import { keyText, type Key, type Resource } from "../api/resource.ts";
import { kinds as kindInfos } from "../api/kinds.ts";
import { kinds } from "../../controllers/index.ts";
import type { Journal, KeyValue, Kind, Objects, World } from "../engine/ports.ts";
import type { HostDirectory } from "../hosts/directory.ts";
import { ControlError, type ControlPlane, type PlanReport, type PlanRequest } from "../server/control.ts";
import { MemoryKeyValue } from "../stores/keyvalue/memory.ts";
import { openLevel } from "../stores/keyvalue/level.ts";
import { load } from "../stores/files/records.ts";
import { LocalControl, settled, type ControlParts } from "./control.ts";
import { openRecords, type Records } from "./history.ts";
import { applyHosts, wireHosts } from "./hosts.ts";
import { readIdentity, storedEpoch } from "./identity.ts";
import type { Parts } from "./parts.ts";
import { dataPaths } from "./paths.ts";
import { entriesOf, openStore } from "./plane.ts";
import { referrersIn } from "./plan/overlay.ts";

const exists = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
};

/** Objects as a store kept them. */
class KeptObjects implements Objects {
  readonly #byKey: ReadonlyMap<string, Resource>;

  constructor(resources: readonly Resource[]) {
    this.#byKey = new Map(
      resources.map((one) => [
        keyText({ kind: one.kind, namespace: one.metadata.namespace ?? "", name: one.metadata.name }),
        one,
      ]),
    );
  }

  get(key: Key): Resource | undefined {
    return this.#byKey.get(keyText(key));
  }

  list(kind: string): readonly Resource[] {
    return [...this.#byKey.values()].filter((one) => one.kind === kind);
  }
}

interface Kept {
  readonly objects: Objects;
  readonly controlPlaneId: string;
  readonly epoch: number;
  readonly keyValue: KeyValue;
  readonly records: Records;
}

const openKept = async (data: string, parts: Parts): Promise<Kept> => {
  const kept = await exists(dataPaths(data).store);
  const keyValue = kept ? await openStore(data) : new MemoryKeyValue();
  const journal = kept ? await openLevel(dataPaths(data).journal) : new MemoryKeyValue();
  const { rows } = await load(keyValue);
  return {
    objects: new KeptObjects(rows.map(({ object }) => object)),
    controlPlaneId: (await readIdentity(data)) ?? parts.random.uuid(),
    epoch: await storedEpoch(keyValue),
    keyValue,
    records: await openRecords(journal, parts),
  };
};

const refused = (): Promise<never> =>
  Promise.reject(
    new ControlError("Unavailable", "no control plane runs: nothing can be changed", "start one with `aetherv run`"),
  );

const keptControl = (kept: Kept, parts: Parts): ControlParts => ({
  objects: kept.objects,
  hosts: undefined,
  history: kept.records.history,
  controlPlaneId: kept.controlPlaneId,
  mode: "store",
  epoch: () => kept.epoch,
  startedAt: parts.clock.now(),
  folders: [],
  now: () => parts.clock.now(),
  uuid: () => parts.random.uuid(),
  world: () => {
    throw new ControlError("Unavailable", "without hosts there is no plan");
  },
  watch: (wake) => {
    for (const { kind } of kindInfos)
      for (const { metadata } of kept.objects.list(kind))
        wake({ kind, namespace: metadata.namespace ?? "", name: metadata.name });
    return Promise.resolve();
  },
  annotate: refused,
  problems: () => ({ problems: [], missing: [] }),
  counters: () => ({}),
  entries: () => entriesOf(kept.keyValue),
  close: async () => {
    await kept.records.close();
    await kept.keyValue.close();
  },
});

/** What a stopped control plane's data folder tells. A folder that holds none is an error, not an empty answer. */
export const openStopped = async (data: string, parts: Parts): Promise<ControlPlane> => {
  if (!(await exists(dataPaths(data).store)))
    throw new ControlError(
      "Unavailable",
      `no control plane runs on ${data}, and it holds no store of one`,
      "name the folder with --data, or start one with `aetherv run --files DIR`",
    );
  return new LocalControl(keptControl(await openKept(data, parts), parts));
};

const silent: Journal = { put: () => undefined, log: () => undefined };

/**
 * A control plane that only plans: it says hello to the hosts and takes their inventory, sends no job, and no epoch
 * that could fence out another. Hosts are those of the store and of the documents to plan with.
 */
export const openForPlan = async (data: string, parts: Parts): Promise<ControlPlane> => {
  const kept = await openKept(data, parts);
  return new PlanOnly(kept, parts, data);
};

class PlanOnly extends LocalControl {
  readonly #kept: Kept;
  readonly #parts: Parts;
  readonly #data: string;
  #hosts: HostDirectory | undefined;

  constructor(kept: Kept, parts: Parts, data: string) {
    super(keptControl(kept, parts));
    this.#kept = kept;
    this.#parts = parts;
    this.#data = data;
  }

  override async plan(request: PlanRequest): Promise<PlanReport> {
    const drafts = (request.documents ?? []).map(({ object }) => object as Resource);
    const declared = drafts.filter(({ kind }) => kind === "VMHost");
    const { control } = await this.#seen(declared);
    const { live: _, ...rest } = request;
    return control.plan(rest);
  }

  override async inventory(host: string): ReturnType<ControlPlane["inventory"]> {
    return (await this.#seen([])).control.inventory(host);
  }

  override async close(): Promise<void> {
    await this.#hosts?.stop({ graceMs: 0 });
    await super.close();
  }

  /** Looks at every host of the store and of the documents once. */
  async #seen(declared: readonly Resource[]): Promise<{ control: LocalControl }> {
    const { objects, controlPlaneId } = this.#kept;
    const names = new Set(declared.map(({ metadata }) => metadata.name));
    const kept = objects.list("VMHost").filter(({ metadata }) => !names.has(metadata.name));
    const all: Objects = {
      get: (key) => (key.kind === "VMHost" ? allHosts.find((one) => one.metadata.name === key.name) : objects.get(key)),
      list: (kind) => (kind === "VMHost" ? allHosts : objects.list(kind)),
    };
    const allHosts = [...kept, ...declared];
    if (allHosts.length === 0)
      throw new ControlError(
        "Unavailable",
        `no control plane runs on ${this.#data}, and no VMHost is known: there is nothing to plan against`,
        "name the data folder with --data, or give the documents of the hosts with -f",
      );
    const hosts = wireHosts({
      objects: all,
      controlPlaneId,
      ...this.#parts,
      journal: silent,
      localHosts: "allowed",
      secret: () => Promise.reject(new Error("credentials are read by a running control plane only: start one")),
      simulated: dataPaths(this.#data).simulated,
      // 0 is no fencing token: the agents take it for questions only.
      epoch: () => 0,
      raiseEpoch: () => Promise.resolve(0),
      onChange: () => undefined,
    });
    this.#hosts = hosts;
    applyHosts(hosts, all);
    await settled(() => hosts.list().every(({ snapshot, reach }) => snapshot !== undefined || reach.at === "down"));
    const kinds = kindMap();
    const referrers = referrersIn(objects, kinds);
    const world = (_: Resource, over: Partial<World>): World => ({
      now: this.#parts.clock.now(),
      controlPlaneId,
      objects,
      referrers,
      host: (name) => hosts.host(name),
      assumedHosts: new Map(),
      ...over,
    });
    return { control: new LocalControl({ ...keptControl(this.#kept, this.#parts), hosts, world }) };
  }
}

const kindMap = (): ReadonlyMap<string, Kind> => new Map((kinds as readonly Kind[]).map((kind) => [kind.kind, kind]));

/** True for a folder that is not there or holds nothing. */
export const isVacant = async (folder: string): Promise<boolean> => {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return true;
    throw error;
  }
};
