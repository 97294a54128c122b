import { apiVersion } from "../../api/kinds.ts";
import type { Key, Resource } from "../../api/resource.ts";
import {
  whatever,
  type ListQuery,
  type ObjectApi,
  type ObjectList,
  type Preconditions,
  type Sent,
  type WriteOptions,
} from "../../server/console/access.ts";
import { ApiError, preconditionFailed } from "../../server/console/status.ts";
import type { KubeClient } from "../../stores/kubernetes/client.ts";
import { KubeError } from "../../stores/kubernetes/error.ts";
import { collectionPath, objectPath } from "../../stores/kubernetes/paths.ts";
import { lastApplied, trimmed } from "../../stores/kubernetes/trim.ts";

/** Owner of the fields that people write here, in managedFields. */
const fieldManager = "aetherv-console";

/** Objects of a cluster with the rights of whoever the client's token is of: the API server decides. */
export class KubeObjects implements ObjectApi {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  list(kind: string, { namespace, labelSelector }: ListQuery): Promise<ObjectList> {
    return passingOn(async () => {
      const { metadata, items } = await this.#client.call<{
        readonly metadata: { readonly resourceVersion: string };
        readonly items: readonly Resource[];
      }>({ verb: "list", path: collectionPath(kind, namespace), query: { labelSelector } });
      // Items of a list carry no kind of their own.
      const objects = items.map((item) => trimmed({ ...item, apiVersion, kind }));
      return { resourceVersion: metadata.resourceVersion, items: objects };
    });
  }

  get(key: Key): Promise<Resource> {
    return passingOn(async () => trimmed(await this.#raw(key)));
  }

  create({ kind, namespace }: Omit<Key, "name">, sent: Sent, { dryRun }: WriteOptions): Promise<Resource> {
    return passingOn(async () => {
      const path = collectionPath(kind, namespace === "" ? undefined : namespace);
      return trimmed(
        await this.#client.call<Resource>({
          verb: "create",
          path,
          query: writing(dryRun),
          body: { apiVersion, kind, ...sent },
        }),
      );
    });
  }

  async replace(key: Key, sent: Sent, options: WriteOptions): Promise<Resource> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await passingOn(() => this.#put(key, sent, options));
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (options.version !== whatever || attempt >= tries) return raced(key, options.version, error);
      }
    }
  }

  remove(key: Key, { dryRun, version, uid }: WriteOptions & Preconditions): Promise<Resource> {
    return passingOn(async () => {
      const present = await this.#matching(key, version);
      const body = {
        apiVersion: "v1",
        kind: "DeleteOptions",
        preconditions: {
          uid: uid ?? present.metadata.uid,
          ...(version === undefined || version === whatever ? {} : { resourceVersion: version }),
        },
        ...(dryRun ? { dryRun: ["All"] } : {}),
      };
      const answer = await this.#client.call<Partial<Resource>>({ verb: "delete", path: objectPath(key), body });
      return trimmed(answer.kind === key.kind ? (answer as Resource) : present);
    }).catch((error: unknown) => raced(key, version, error));
  }

  async #put(key: Key, sent: Sent, { dryRun, version }: WriteOptions): Promise<Resource> {
    const present = await this.#matching(key, version);
    const metadata = (sent["metadata"] ?? {}) as Partial<Resource["metadata"]>;
    // What `kubectl apply` keeps there is not shown, and must not be lost.
    const hidden = present.metadata.annotations?.[lastApplied];
    const annotations = { ...metadata.annotations, ...(hidden === undefined ? {} : { [lastApplied]: hidden }) };
    const own = version === whatever ? present.metadata.resourceVersion : (metadata.resourceVersion ?? version);
    const body = { ...sent, metadata: { ...metadata, annotations, resourceVersion: own } };
    const path = objectPath(key);
    return trimmed(await this.#client.call<Resource>({ verb: "update", path, query: writing(dryRun), body }));
  }

  #raw(key: Key): Promise<Resource> {
    return this.#client.call<Resource>({ verb: "get", path: objectPath(key) });
  }

  async #matching(key: Key, version: string | undefined): Promise<Resource> {
    const present = await this.#raw(key);
    const { resourceVersion } = present.metadata;
    if (version !== undefined && version !== whatever && version !== resourceVersion)
      throw preconditionFailed(key.kind, key.name, { asked: version, present: resourceVersion });
    return present;
  }
}

const writing = (dryRun: boolean): Readonly<Record<string, string | undefined>> => ({
  fieldManager,
  fieldValidation: "Strict",
  dryRun: dryRun ? "All" : undefined,
});

/** The API server's refusals, in its words. */
export const passingOn = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw error instanceof KubeError ? apiErrorOf(error) : error;
  }
};

const apiErrorOf = ({ code, reason, message, details }: KubeError): ApiError =>
  code === 0 ? new ApiError("ServiceUnavailable", message) : ApiError.passedOn({ code, reason, message, details });

const tries = 5;

const isConflict = (error: unknown): boolean => error instanceof ApiError && error.status.reason === "Conflict";

/** Between the look and the write it changed: If-Match does not hold. */
const raced = (key: Key, version: string | undefined, error: unknown): never => {
  if (version !== undefined && version !== whatever && isConflict(error))
    throw preconditionFailed(key.kind, key.name, { asked: version, present: "another by now" });
  throw error;
};
