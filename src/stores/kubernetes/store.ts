import { apiVersion, isKind, kindInfo, kinds } from "../../api/kinds.ts";
import { keyOf, keyText } from "../../api/resource.ts";
import type { Key, Resource } from "../../api/resource.ts";
import { ConflictError, RefusedError } from "../../engine/ports.ts";
import type { Clock, Draft, Logger, Objects, Random, Store } from "../../engine/ports.ts";
import type { Call, KubeClient } from "./client.ts";
import { Collection } from "./collection.ts";
import { isConflict, isNotFound, isRefusal, type KubeError } from "./error.ts";
import type { Term } from "./lease.ts";
import { mergePatch } from "./mergePatch.ts";
import { collectionPath, objectPath } from "./paths.ts";
import { Reflector, type ReflectorTimes } from "./reflector.ts";
import { trimmed } from "./trim.ts";

/** Owners of the fields that we write, in managedFields. Specs are written of children of deployments only, by their own manager. */
export const fieldManager = "aetherv";
export const statusFieldManager = "aetherv-status";
const childFieldManager = "aetherv-deployment";

export interface KubernetesStoreOptions {
  readonly client: KubeClient;
  /** Namespaces to work in; "all" needs the right to list in the whole cluster. */
  readonly namespaces: "all" | readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly times?: ReflectorTimes;
}

interface Part {
  readonly kind: string;
  /** Of this namespace only. */
  readonly namespace: string | undefined;
  readonly collection: Collection;
  readonly reflector: Reflector;
}

/** Objects as the API server of a cluster has them. Reads of `cache` cost nothing; `run` keeps it up to date. */
export class KubernetesStore implements Store {
  readonly cache: Objects;
  readonly #options: KubernetesStoreOptions;
  readonly #parts: readonly Part[];
  readonly #lists = new Map<string, { of: readonly (readonly Resource[])[]; all: readonly Resource[] }>();
  readonly #watchers = new Set<(key: Key) => void>();
  /** Resolves once the cache holds all that there was at the start. */
  readonly synced: Promise<void>;
  #term: Pick<Term, "held" | "lost"> | undefined;

  constructor(options: KubernetesStoreOptions) {
    this.#options = options;
    this.#parts = kinds.flatMap(({ kind, scope }) => {
      const namespaces = scope === "Cluster" || options.namespaces === "all" ? [undefined] : options.namespaces;
      return namespaces.map((namespace) => this.#part(kind, namespace));
    });
    this.cache = { get: (key) => this.#collection(key)?.get(key), list: (kind) => this.#list(kind) };
    this.synced = this.refreshed();
  }

  /** Follows the API server until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#parts.map(({ reflector }) => reflector.run(signal)));
  }

  /** From now on writes are sent in this time of leadership only; what waits for the server is given up when it ends. */
  writesDuring(term: Pick<Term, "held" | "lost">): void {
    this.#term = term;
  }

  /** Resolves once the cache holds all that there was at the time of the call, or later. */
  async refreshed(): Promise<void> {
    await Promise.all(this.#parts.map(({ reflector }) => reflector.listed()));
  }

  async get(key: Key): Promise<Resource | undefined> {
    const found = await this.#options.client.find<Resource>(objectPath(key));
    return found && trimmed(found);
  }

  async putMetadata(next: Resource): Promise<Resource> {
    const present = await this.#present(next);
    const { annotations = {}, finalizers = [] } = next.metadata;
    const before = present.metadata;
    const patch = mergePatch(
      { annotations: before.annotations ?? {}, finalizers: before.finalizers ?? [] },
      { annotations, finalizers },
    );
    if (patch === undefined) return present;
    return this.#patch(next, { metadata: patch }, { suffix: "", manager: fieldManager });
  }

  async putStatus(next: Resource): Promise<Resource> {
    const present = await this.#present(next);
    const patch = mergePatch(present.status, next.status);
    if (patch === undefined) return present;
    return this.#patch(next, { status: patch }, { suffix: "/status", manager: statusFieldManager });
  }

  async create({ kind, metadata, spec }: Draft): Promise<Resource> {
    const key: Key = { kind, namespace: isCluster(kind) ? "" : (metadata.namespace ?? "default"), name: metadata.name };
    const { namespace: _, ...rest } = metadata;
    const body = {
      apiVersion,
      kind,
      metadata: key.namespace === "" ? rest : { ...rest, namespace: key.namespace },
      spec,
    };
    const path = collectionPath(kind, key.namespace);
    const query = { fieldManager: childFieldManager };
    return this.#taken(await told(this.#write(key, { verb: "create", path, query, body })));
  }

  async putDesired(next: Resource): Promise<Resource> {
    const present = await this.#present(next);
    const metadata = mergePatch(desiredMetadata(present), desiredMetadata(next));
    const spec = mergePatch(present.spec, next.spec);
    if (metadata === undefined && spec === undefined) return present;
    const change = { ...(metadata !== undefined && { metadata }), ...(spec !== undefined && { spec }) };
    return told(this.#patch(next, change, { suffix: "", manager: childFieldManager }));
  }

  async delete(key: Key, uid: string): Promise<void> {
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid } };
    try {
      const call = { verb: "delete", path: objectPath(key), body } as const;
      const answer = await this.#send<Partial<Resource>>(call);
      if (answer.kind === key.kind) this.#taken(answer as Resource);
      else this.#forget(key, uid);
    } catch (error) {
      // Gone, or another object of that name: the one to be deleted does not exist any more.
      if (isNotFound(error) || isConflict(error)) return;
      if (isRefusal(error)) throw new RefusedError((error as KubeError).message, { cause: error });
      throw error;
    }
  }

  async watch(wake: (key: Key) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const watcher = (key: Key): void => wake(key);
    this.#watchers.add(watcher);
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = (): void => {
      this.#watchers.delete(watcher);
      resolve();
    };
    signal.addEventListener("abort", stop, { once: true });
    for (const { collection } of this.#parts) for (const object of collection.list()) wake(keyOf(object));
    await Promise.race([this.synced, promise]);
  }

  /** The values of a Secret, by get: never listed, watched or kept. Undefined when there is none. */
  async secret(namespace: string, name: string): Promise<Readonly<Record<string, Uint8Array>> | undefined> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`;
    const secret = await this.#options.client.find<{ data?: Readonly<Record<string, string>> }>(path);
    if (!secret) return undefined;
    const entries = Object.entries(secret.data ?? {});
    return Object.fromEntries(entries.map(([key, text]) => [key, new Uint8Array(Buffer.from(text, "base64"))]));
  }

  #part(kind: string, namespace: string | undefined): Part {
    const { client, clock, random, log, times } = this.#options;
    const collection = new Collection((key) => this.#woken(key));
    const path = collectionPath(kind, namespace);
    const options = { client, path, sink: collection, clock, random, log, ...(times ? { times } : {}) };
    return { kind, namespace, collection, reflector: new Reflector(options) };
  }

  /** A listener's defect ends neither the watch nor the other listeners. */
  #woken(key: Key): void {
    for (const wake of this.#watchers) {
      try {
        wake(key);
      } catch (error) {
        this.#options.log.error({ key: keyText(key), err: error }, "a listener of the store failed");
      }
    }
  }

  #collection(key: Key): Collection | undefined {
    return this.#parts.find(
      ({ kind, namespace }) => kind === key.kind && (namespace === undefined || namespace === key.namespace),
    )?.collection;
  }

  /** The same list until something in it changes. */
  #list(kind: string): readonly Resource[] {
    const of = this.#parts.filter((part) => part.kind === kind).map(({ collection }) => collection.list());
    const [first] = of;
    if (of.length <= 1) return first ?? [];
    const known = this.#lists.get(kind);
    if (known?.of.every((list, index) => list === of[index])) return known.all;
    const all = of.flat().sort((a, b) => (keyText(keyOf(a)) < keyText(keyOf(b)) ? -1 : 1));
    this.#lists.set(kind, { of, all });
    return all;
  }

  /** The object as it was when `next` was decided on, to tell what changes. */
  async #present(next: Resource): Promise<Resource> {
    const key = keyOf(next);
    const known = this.cache.get(key);
    if (known && isSameVersion(known, next)) return known;
    const live = await this.get(key);
    if (!live) throw new ConflictError(`${keyText(key)} is gone`);
    if (isSameVersion(live, next)) return live;
    throw new ConflictError(`${keyText(key)} was changed by somebody else since it was read`);
  }

  /** The resourceVersion in the patch makes the server refuse it when the object is another by now. */
  async #patch(next: Resource, change: object, to: { suffix: string; manager: string }): Promise<Resource> {
    const { resourceVersion, uid } = next.metadata;
    const metadata = { ...(change as { metadata?: object }).metadata, resourceVersion, uid };
    const path = `${objectPath(keyOf(next))}${to.suffix}`;
    const query = { fieldManager: to.manager };
    const body = { ...change, metadata };
    return this.#taken(await this.#write(keyOf(next), { verb: "patch", path, query, body }));
  }

  async #write(key: Key, call: Call): Promise<Resource> {
    try {
      return await this.#send<Resource>(call);
    } catch (error) {
      if (isConflict(error) || isNotFound(error))
        throw new ConflictError(`${keyText(key)}: ${(error as KubeError).message}`, { cause: error });
      throw error;
    }
  }

  #send<T>(call: Call): Promise<T> {
    if (!this.#term) return this.#options.client.call<T>(call);
    if (!this.#term.held) return Promise.reject(new Error("the leadership is lost: nothing is written"));
    return this.#options.client.call<T>({ ...call, signal: this.#term.lost });
  }

  #taken(answer: Resource): Resource {
    return this.#collection(keyOf(answer))?.written(answer) ?? trimmed(answer);
  }

  #forget(key: Key, uid: string): void {
    const known = this.cache.get(key);
    if (known?.metadata.uid === uid) this.#collection(key)?.deleted(known);
  }
}

const isCluster = (kind: string): boolean => isKind(kind) && kindInfo(kind).scope === "Cluster";

/** What the server will never have is told apart from what may go another time. */
const told = (writing: Promise<Resource>): Promise<Resource> =>
  writing.catch((error: unknown) => {
    throw isRefusal(error) ? new RefusedError((error as KubeError).message, { cause: error }) : error;
  });

/** What putDesired writes besides the spec. */
const desiredMetadata = ({ metadata }: Resource): object => ({
  labels: metadata.labels ?? {},
  annotations: metadata.annotations ?? {},
  ownerReferences: metadata.ownerReferences ?? [],
});

const isSameVersion = (a: Resource, b: Resource): boolean =>
  a.metadata.resourceVersion === b.metadata.resourceVersion && a.metadata.uid === b.metadata.uid;
