import { version } from "./version.ts";
import { keyOf, keyText, type Key, type Resource } from "../api/resource.ts";
import { kinds as kindInfos } from "../api/kinds.ts";
import { kinds } from "../../controllers/index.ts";
import type { JobOutcome, JobRecord, Kind, Objects, World } from "../engine/ports.ts";
import type { LogLine, TrashItem } from "../protocol/generated/types.ts";
import type { HostDirectory } from "../hosts/directory.ts";
import { ControlError, type ControlPlane } from "../server/control.ts";
import type * as Api from "../server/control.ts";
import { planObjects } from "./plan/planner.ts";
import { watchObjects } from "./watch.ts";

/** What a LocalControl answers from. Parts that a stopped control plane lacks are undefined. */
export interface ControlParts {
  readonly objects: Objects;
  readonly hosts: HostDirectory | undefined;
  readonly history: History;
  readonly controlPlaneId: string;
  readonly mode: "running" | "store";
  readonly epoch: () => number;
  readonly startedAt: Date;
  readonly folders: readonly string[];
  readonly now: () => Date;
  readonly uuid: () => string;
  /** The world for one object; over parts of it as a preview has them. */
  readonly world: (resource: Resource, over: Partial<World>) => World;
  readonly watch: (wake: (key: Key) => void, signal: AbortSignal) => Promise<void>;
  readonly annotate: (key: Key, annotations: Readonly<Record<string, string | null>>) => Promise<Resource>;
  readonly problems: () => Api.FilesReport;
  /** True for objects that come from documents, not from controllers. */
  readonly counters: () => Readonly<Record<string, number>>;
  readonly entries: () => Promise<readonly (readonly [string, string])[]>;
  readonly close: () => Promise<void>;
  /** The replica that sends the jobs of a host, if it is another. */
  readonly ownerOf?: (host: string) => string | undefined;
}

/** The journal and the events, as far as people read them. */
export type History = Pick<ControlPlane, "jobs" | "job" | "watchJobs" | "jobLog" | "events">;

/** A control plane answered from its parts in this process. */
export class LocalControl implements ControlPlane {
  readonly #parts: ControlParts;
  #console: string | undefined;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  /** From now on its status tells where the console is. */
  consoleAt(url: string): void {
    this.#console = url;
  }

  status(): Promise<Api.ControlStatus> {
    const { controlPlaneId, mode, epoch, startedAt, folders, counters } = this.#parts;
    return Promise.resolve({
      version,
      controlPlaneId,
      mode,
      pid: process.pid,
      epoch: epoch(),
      startedAt: startedAt.toISOString(),
      folders,
      ...(this.#console === undefined ? {} : { console: this.#console }),
      ...(mode === "running" ? { counters: counters() } : {}),
    });
  }

  list(kind: string, namespace?: string): Promise<readonly Resource[]> {
    const all = this.#parts.objects.list(kind);
    const wanted = namespace === undefined ? all : all.filter((one) => (one.metadata.namespace ?? "") === namespace);
    return Promise.resolve([...wanted].sort((a, b) => (keyText(keyOf(a)) < keyText(keyOf(b)) ? -1 : 1)));
  }

  get(key: Key): Promise<Resource | undefined> {
    return Promise.resolve(this.#parts.objects.get(key));
  }

  watch(kindNames: readonly string[], signal: AbortSignal): AsyncIterable<Api.ObjectChange> {
    return watchObjects(this.#parts, kindNames, signal);
  }

  async annotate(key: Key, annotations: Readonly<Record<string, string | null>>): Promise<Resource> {
    if (!this.#parts.objects.get(key)) throw new ControlError("NotFound", `${key.kind} "${key.name}" not found`);
    return this.#parts.annotate(key, annotations);
  }

  async plan(request: Api.PlanRequest): Promise<Api.PlanReport> {
    const { objects, now, uuid, world } = this.#parts;
    await (request.live === true ? this.#lookAfresh() : this.#firstLooks());
    const documents = request.documents ?? [];
    const declared = new Set(documents.map(({ object }) => keyText(keyOf(object as Resource))));
    const named = new Set((request.remove ?? []).map(keyText));
    const removed = kindInfos
      .flatMap(({ kind }) => objects.list(kind))
      .filter((one) => named.has(keyText(keyOf(one))) || (request.whole === true && isOrphaned(one, declared)));
    const planned = planObjects({
      objects,
      kinds: kinds as readonly Kind[],
      documents,
      secrets: request.secrets ?? [],
      removed,
      now: now(),
      uuid,
      world,
    });
    return { ...planned, hosts: this.#hostViews() };
  }

  #hostViews(): Api.PlanReport["hosts"] {
    const now = this.#parts.now().getTime();
    return (this.#parts.hosts?.list() ?? []).map(({ name, snapshot, reach }) => ({
      name,
      complete: snapshot?.complete ?? false,
      ...(snapshot ? { ageSeconds: Math.max(0, Math.round((now - snapshot.observedAt.getTime()) / 1000)) } : {}),
      ...(reach.at === "down" ? { fault: `${reach.fault.code}: ${reach.fault.message}` } : {}),
    }));
  }

  /** Right after a start: waits until each host was seen or is known to be down; at most 10 s. */
  async #firstLooks(): Promise<void> {
    const { hosts } = this.#parts;
    const seen = (): boolean => (hosts?.list() ?? []).every(({ snapshot, reach }) => snapshot || reach.at === "down");
    await settled(seen, firstLooksMs);
  }

  /** Asks every host and waits until each has answered or is known to be down; at most 30 s. */
  async #lookAfresh(): Promise<void> {
    const { hosts, now } = this.#parts;
    const asked = now().getTime();
    for (const { name } of hosts?.list() ?? []) hosts?.refresh(name);
    await settled(() =>
      (hosts?.list() ?? []).every(
        ({ snapshot, reach }) => (snapshot?.observedAt.getTime() ?? 0) >= asked || reach.at === "down",
      ),
    );
  }

  /** The same with the history of other replicas, and with what they have. */
  across(parts: Pick<ControlParts, "history" | "ownerOf">): LocalControl {
    return new LocalControl({ ...this.#parts, ...parts });
  }

  jobs(filter: Api.JobFilter, missing?: Api.TellMissing): Promise<readonly JobRecord[]> {
    return this.#parts.history.jobs(filter, missing);
  }

  job(id: string): Promise<JobRecord | undefined> {
    return this.#parts.history.job(id);
  }

  watchJobs(signal: AbortSignal): AsyncIterable<JobRecord> {
    return this.#parts.history.watchJobs(signal);
  }

  jobLog(id: string, options: { readonly follow: boolean }, signal: AbortSignal): AsyncIterable<LogLine> {
    return this.#parts.history.jobLog(id, options, signal);
  }

  events(filter: Api.EventFilter, missing?: Api.TellMissing): Promise<readonly Api.EventReport[]> {
    return this.#parts.history.events(filter, missing);
  }

  hosts(): Promise<readonly Api.HostReport[]> {
    const reports = (this.#parts.hosts?.list() ?? []).map(({ name, reach, agent, snapshot }) => ({
      name,
      reach: reach.at,
      complete: snapshot?.complete ?? false,
      ...(reach.at === "connecting" ? {} : { since: reach.since.toISOString() }),
      ...(reach.at === "down" ? { fault: reach.fault } : {}),
      ...(agent ? { agent: `${agent.agent} ${agent.version}` } : {}),
      ...(snapshot ? { observedAt: snapshot.observedAt.toISOString() } : {}),
    }));
    return Promise.resolve(reports);
  }

  inventory(host: string): Promise<Api.HostInventory | undefined> {
    const snapshot = this.#parts.hosts?.host(host)?.snapshot;
    if (!snapshot) return Promise.resolve(undefined);
    const { vms, disks, observedAt, host: state } = snapshot;
    return Promise.resolve({
      host,
      observedAt: observedAt.toISOString(),
      vms: [...vms.values()],
      disks: [...disks.values()],
      ...(state ? { state } : {}),
    });
  }

  problems(): Promise<Api.FilesReport> {
    return Promise.resolve(this.#parts.problems());
  }

  trash(): Promise<readonly Api.TrashEntry[]> {
    const { hosts } = this.#parts;
    if (!hosts)
      return Promise.reject(
        new ControlError(
          "Unavailable",
          "no control plane runs: nobody has seen the hosts' trash",
          "start one with `aetherv run`",
        ),
      );
    const entries = hosts
      .list()
      .flatMap(({ name, snapshot }) => [...(snapshot?.trash.values() ?? [])].map((item) => trashEntry(name, item)));
    return Promise.resolve(entries);
  }

  async restore({ host, path }: Api.RestoreRequest): Promise<Api.RestoreReport> {
    const { hosts, mode } = this.#parts;
    const item = hosts?.host(host)?.snapshot?.trash.get(path);
    if (mode !== "running" || !hosts)
      throw new ControlError("Unavailable", "no control plane runs: nothing can be restored");
    if (!item) throw new ControlError("NotFound", `${path} does not lie in the trash of ${host}`);
    const owner = this.#parts.ownerOf?.(host);
    if (owner !== undefined)
      throw new ControlError(
        "Standby",
        `the jobs of ${host} are sent by the replica ${owner}`,
        "ask that one: its name begins with that of its pod or machine",
      );
    const outcome = await new Promise<JobOutcome>((resolve) =>
      hosts.submit(
        {
          key: { kind: "VirtualDisk", namespace: item.owner.namespace, name: item.owner.name },
          uid: item.owner.uid,
          host,
          step: { operation: "disk.restore", spec: { trashPath: path } },
          locks: [item.owner.uid],
          deadlineSeconds: 300,
        },
        resolve,
      ),
    );
    if (outcome.fault)
      throw new ControlError("Conflict", `the disk was not restored: ${outcome.fault.code}: ${outcome.fault.message}`);
    return { job: outcome.id, restoredPath: item.originalPath, uid: item.owner.uid };
  }

  async backup(): Promise<Api.Backup> {
    const { controlPlaneId, epoch, now, entries } = this.#parts;
    return {
      format: "aetherv-backup/v1",
      createdAt: now().toISOString(),
      controlPlaneId,
      epoch: epoch(),
      entries: await entries(),
    };
  }

  close(): Promise<void> {
    return this.#parts.close();
  }
}

/** Stored for a document that is not among the declared ones. What a controller made goes with its owner. */
const isOrphaned = (resource: Resource, declared: ReadonlySet<string>): boolean =>
  !declared.has(keyText(keyOf(resource))) &&
  !(resource.metadata.ownerReferences ?? []).some((owner) => owner.controller === true);

const trashEntry = (host: string, item: TrashItem): Api.TrashEntry => ({
  host,
  path: item.path,
  originalPath: item.originalPath,
  owner: item.owner,
  deletedAt: item.deletedAt,
  purgeAt: item.purgeAt,
  fileSize: item.fileSize,
});

const settleMs = 30_000;
/** For the first answers of hosts when somebody asks for a plan. */
const firstLooksMs = 10_000;

/** Resolves once the test holds, or after the time. */
export const settled = async (test: () => boolean, ms = settleMs): Promise<boolean> => {
  const end = Date.now() + ms;
  while (!test()) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
};
