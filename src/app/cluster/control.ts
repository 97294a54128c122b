import { setTimeout as sleep } from "node:timers/promises";
import { apiVersion, kindInfo, type Kind } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { HttpClient } from "../../server/client.ts";
import { ControlError } from "../../server/control.ts";
import type * as Api from "../../server/control.ts";
import { collectionPath, objectPath } from "../../stores/kubernetes/paths.ts";
import { trimmed } from "../../stores/kubernetes/trim.ts";
import { told, type Cluster } from "./open.ts";
import { serviceSender } from "./service.ts";

const pageSize = "500";
const watchMs = 2_000;
const statusTries = 10;
const statusWaitMs = 200;

/** Who wrote an annotation, in managedFields. */
const fieldManager = "kubectl-aetherv";

interface Page<T> {
  readonly items: readonly T[];
  readonly metadata: { readonly continue?: string };
}

/** Everything at a path, page by page. */
export const listAll = async <T>({ client }: Cluster, path: string, fieldSelector?: string): Promise<readonly T[]> => {
  const found: T[] = [];
  for (let next: string | undefined; ;) {
    const query = { limit: pageSize, continue: next, fieldSelector };
    const page = await client.call<Page<T>>({ verb: "list", path, query });
    found.push(...page.items);
    next = page.metadata.continue;
    if (next === undefined || next === "") return found;
  }
};

/**
 * The control plane of a cluster, as far as the caller's own rights go: objects, annotations and events are the API server's;
 * what only the control plane knows (plans, jobs, hosts, the trash) is asked of its Service.
 */
export class ClusterControl extends HttpClient {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, service: string | undefined) {
    super(serviceSender(cluster, service));
    this.#cluster = cluster;
  }

  /** Of the leader: a Service takes any replica. That of a standby where nobody leads. */
  override async status(signal?: AbortSignal): Promise<Api.ControlStatus> {
    for (let tries = 1; ; tries += 1) {
      const status = await super.status(signal);
      if (status.mode !== "standby" || tries >= statusTries) return status;
      await sleep(statusWaitMs);
    }
  }

  override list(kind: string, namespace?: string): Promise<readonly Resource[]> {
    return told(async () => {
      const objects = await listAll<Resource>(this.#cluster, collectionPath(kind, namespace));
      // Items of a list carry no kind of their own.
      return objects
        .map((object) => trimmed({ ...object, apiVersion, kind }))
        .sort((a, b) => (keyText(keyOf(a)) < keyText(keyOf(b)) ? -1 : 1));
    });
  }

  override get(key: Key): Promise<Resource | undefined> {
    return told(async () => {
      const found = await this.#cluster.client.find<Resource>(objectPath(key));
      return found && trimmed(found);
    });
  }

  override annotate(key: Key, annotations: Readonly<Record<string, string | null>>): Promise<Resource> {
    const body = { metadata: { annotations } };
    return told(() =>
      this.#cluster.client.call<Resource>({ verb: "patch", path: objectPath(key), query: { fieldManager }, body }),
    );
  }

  override async *watch(kinds: readonly string[], signal: AbortSignal): AsyncGenerator<Api.ObjectChange> {
    const known = new Map<string, { readonly key: Key; readonly version: string }>();
    for (let synced = false; !signal.aborted; synced = true) {
      const present = (await Promise.all(kinds.map((kind) => this.list(kind)))).flat();
      const keys = new Set(present.map((object) => keyText(keyOf(object))));
      for (const object of present) {
        const key = keyOf(object);
        const version = object.metadata.resourceVersion;
        if (known.get(keyText(key))?.version === version) continue;
        known.set(keyText(key), { key, version });
        yield { type: "changed", key, object };
      }
      for (const [text, { key }] of known) if (!keys.has(text) && known.delete(text)) yield { type: "removed", key };
      if (!synced) yield { type: "synced" };
      await sleep(watchMs, undefined, { signal }).catch(() => undefined);
    }
  }

  override events({ key, limit = 100 }: Api.EventFilter): Promise<readonly Api.EventReport[]> {
    return told(async () => {
      const within = key === undefined ? "" : `namespaces/${encodeURIComponent(key.namespace || "default")}/`;
      const about = key && `regarding.kind=${key.kind},regarding.name=${key.name}`;
      const found = await listAll<KubeEvent>(this.#cluster, `/apis/events.k8s.io/v1/${within}events`, about);
      const ours = found.filter(({ regarding }) => regarding?.apiVersion === apiVersion).map(eventReport);
      return ours.sort((a, b) => Date.parse(a.lastSeen) - Date.parse(b.lastSeen)).slice(-limit);
    });
  }

  /** There are no files. */
  override problems = (): Promise<Api.FilesReport> => Promise.resolve({ problems: [], missing: [] });

  override backup = (): Promise<Api.Backup> =>
    Promise.reject(new ControlError("Invalid", "a cluster's objects are saved by `aetherv backup` of the cluster"));

  override close(): Promise<void> {
    return this.#cluster.client.close();
  }
}

/** events.k8s.io/v1, as far as it is read. */
interface KubeEvent {
  readonly metadata: { readonly namespace?: string; readonly creationTimestamp: string };
  readonly regarding?: { readonly apiVersion?: string; readonly kind?: string; readonly name?: string };
  readonly type?: string;
  readonly reason?: string;
  readonly note?: string;
  readonly eventTime?: string | null;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

const eventReport = ({ metadata, regarding, type, reason, note, eventTime, series }: KubeEvent): Api.EventReport => {
  const first = eventTime ?? metadata.creationTimestamp;
  const kind = (regarding?.kind ?? "") as Kind;
  const namespace = kindInfo(kind).scope === "Cluster" ? "" : (metadata.namespace ?? "");
  return {
    key: { kind, namespace, name: regarding?.name ?? "" },
    type: type === "Warning" ? "Warning" : "Normal",
    reason: reason ?? "",
    message: note ?? "",
    count: series?.count ?? 1,
    firstSeen: first,
    lastSeen: series?.lastObservedTime ?? first,
  };
};
