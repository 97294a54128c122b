import type { Resource } from "../../../../src/api/resource.ts";
import type { Random } from "../../../../src/engine/ports.ts";
import { equalJson } from "../../../../src/stores/equal.ts";
import { timestamp } from "../../../../src/stores/rows.ts";
import { modelValidation } from "../../../../src/app/validation.ts";
import { failure, invalid, success, type Answered } from "./answers.ts";
import { mergePatched, type Json } from "./merge.ts";
import { placeOf, type Collection, type Place } from "./places.ts";

export interface Asked {
  readonly method: string;
  /** From the root, without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** One change of the store, as watches tell it. */
export interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly collection: Collection;
  readonly object: Stored;
}

export interface Stored extends Omit<Resource, "spec"> {
  readonly spec?: unknown;
}

interface Parts {
  readonly random: Pick<Random, "uuid">;
  readonly now: () => Date;
  readonly changed?: (change: Change) => void;
}

interface Listed {
  readonly version: number;
  readonly items: readonly Stored[];
}

/**
 * An API server as far as this control plane uses one: our kinds, Leases, ConfigMaps and Secrets, with versions, preconditions, finalizers,
 * generations, paged lists. A contract test asks it and a real one the same. What happens on the way is the wire's part.
 */
export class ApiModel {
  readonly #parts: Parts;
  readonly #objects = new Map<string, Stored>();
  readonly #lists = new Map<string, Listed>();
  #history: Change[] = [];
  #version = 1;
  #oldest = 1;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get version(): number {
    return this.#version;
  }

  /** Forgets old changes and the lists of before: whoever goes on from there is told 410. */
  compact(): void {
    this.#history = [];
    this.#lists.clear();
    this.#oldest = this.#version;
  }

  answer(asked: Asked): Answered {
    const place = placeOf(asked.path);
    if (!place) return failure(404, "NotFound", "the server could not find the requested resource");
    switch (asked.method) {
      case "GET":
        return place.name === undefined ? this.#list(place, asked.query) : this.#get(place);
      case "POST":
        return this.#create(place, asked.body as Stored);
      case "PUT":
        return this.#update(place, asked.body as Stored);
      case "PATCH":
        return this.#patch(place, asked.body as Json);
      case "DELETE":
        return this.#delete(place, asked.body as { preconditions?: { uid?: string } } | undefined);
      default:
        return failure(405, "MethodNotAllowed", asked.method);
    }
  }

  /** Changes of a collection after a version; undefined when they are forgotten. */
  since(place: Place, version: number): readonly Change[] | undefined {
    if (version < this.#oldest) return undefined;
    return this.#history.filter((one) => one.version > version && isIn(place, one));
  }

  #get(place: Place): Answered {
    const found = this.#objects.get(place.key);
    return found ? success(200, found) : notFound(place);
  }

  #list(place: Place, { limit, continue: from }: Readonly<Record<string, string>>): Answered {
    const listed = from === undefined ? this.#allOf(place) : this.#lists.get(from);
    if (!listed) return failure(410, "Expired", "The provided continue parameter is too old");
    const size = limit === undefined ? listed.items.length : Number(limit);
    const rest = listed.items.slice(size);
    const token = `${listed.version}.${rest.length}.${place.collection.plural}`;
    if (rest.length > 0) this.#lists.set(token, { ...listed, items: rest });
    const metadata = { resourceVersion: String(listed.version), ...(rest.length > 0 && { continue: token }) };
    const { apiVersion, kind } = place.collection;
    return success(200, { apiVersion, kind: `${kind}List`, metadata, items: listed.items.slice(0, size) });
  }

  #allOf(place: Place): Listed {
    const items = [...this.#objects]
      .filter(([key]) => key.startsWith(place.prefix))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
    return { version: this.#version, items };
  }

  #create(place: Place, body: Stored): Answered {
    const { collection, namespace } = place;
    const at = placeOf(`${place.path}/${body.metadata.name}`);
    if (!at) return failure(404, "NotFound", place.path);
    const { labels, annotations, finalizers, ownerReferences, name } = body.metadata;
    const given = compact({ labels, annotations, finalizers, ownerReferences });
    const metadata = {
      name,
      ...(namespace !== undefined && { namespace }),
      ...given,
      uid: this.#parts.random.uuid(),
      creationTimestamp: timestamp(this.#parts.now()),
      ...(collection.generations && { generation: 1 }),
    } as unknown as Resource["metadata"];
    const { status: _, ...rest } = body as Resource;
    return this.#admit(at, undefined, { ...(collection.generations ? rest : body), metadata }, 201);
  }

  #update(place: Place, body: Stored): Answered {
    const before = this.#objects.get(place.key);
    if (!before) return notFound(place);
    const { resourceVersion, uid } = body.metadata;
    if (place.collection.generations && resourceVersion === undefined)
      return invalid("metadata.resourceVersion", "must be specified for an update", place.name ?? "");
    const lost = conflict(place, before, { resourceVersion, uid });
    if (lost) return lost;
    if (place.status) return this.#keep(place, before, { ...before, status: (body as Resource).status });
    const fields = compact({
      labels: body.metadata.labels,
      annotations: body.metadata.annotations,
      finalizers: body.metadata.finalizers,
      ownerReferences: body.metadata.ownerReferences,
    });
    return this.#write(place, before, { ...withoutFields(before), ...fields }, body);
  }

  #patch(place: Place, patch: Json): Answered {
    const before = this.#objects.get(place.key);
    if (!before) return notFound(place);
    const { uid, resourceVersion } = (patch["metadata"] ?? {}) as Preconditions;
    const lost = conflict(place, before, { resourceVersion });
    if (lost) return lost;
    if (!place.status && uid !== undefined && uid !== before.metadata.uid)
      return invalid("metadata.uid", "Invalid value: field is immutable", place.name ?? "");
    const merged = mergePatched(before, patch) as Stored;
    if (place.status) return this.#keep(place, before, { ...before, status: (merged as Resource).status });
    const { labels, annotations, finalizers, ownerReferences } = merged.metadata;
    const fields = compact({ labels, annotations, finalizers, ownerReferences });
    return this.#write(place, before, { ...withoutFields(before), ...fields }, merged);
  }

  /** Metadata and spec of an object; the status is its own resource. */
  #write(place: Place, before: Stored, metadata: object, wanted: Stored): Answered {
    const status = (before as Resource).status;
    const { status: _, ...rest } = wanted as Resource;
    const body = place.collection.generations ? { ...rest, ...(status !== undefined && { status }) } : wanted;
    const added = (wanted.metadata.finalizers ?? []).filter((one) => !(before.metadata.finalizers ?? []).includes(one));
    if (before.metadata.deletionTimestamp !== undefined && added.length > 0)
      return invalid(
        "metadata.finalizers",
        "Forbidden: no new finalizers can be added if the object is being deleted",
        place.name ?? "",
      );
    return this.#admit(place, before, { ...body, metadata: metadata as Resource["metadata"] }, 200);
  }

  #admit(place: Place, before: Stored | undefined, object: Stored, code: number): Answered {
    if (!place.collection.generations)
      return !before && this.#objects.has(place.key) ? exists(place) : this.#keep(place, before, object, code);
    const verdict =
      before && !equalJson(before.spec, object.spec)
        ? modelValidation.validateUpdate(before as Resource, object as Resource)
        : modelValidation.validate(object as Resource);
    if (!verdict.ok) {
      const [first] = verdict.errors;
      return invalid(first?.path ?? "", first?.message ?? "", place.name ?? object.metadata.name);
    }
    if (!before && this.#objects.has(place.key)) return exists(place);
    const { spec } = verdict.object;
    const raised = before !== undefined && !equalJson(before.spec, spec) ? 1 : 0;
    const metadata = { ...object.metadata, generation: (before?.metadata.generation ?? 1) + raised };
    return this.#keep(place, before, { ...object, spec, metadata }, code);
  }

  #delete(place: Place, body: { preconditions?: { uid?: string } } | undefined): Answered {
    const before = this.#objects.get(place.key);
    if (!before) return notFound(place);
    const lost = conflict(place, before, { uid: body?.preconditions?.uid, resourceVersion: undefined });
    if (lost) return lost;
    const { metadata } = before;
    const { name, uid } = metadata;
    if ((metadata.finalizers ?? []).length === 0) {
      this.#remove(place, before);
      return success(200, { apiVersion: "v1", kind: "Status", status: "Success", details: { name, uid } });
    }
    if (metadata.deletionTimestamp !== undefined) return success(200, before);
    const generation = place.collection.generations ? { generation: metadata.generation + 1 } : {};
    const deletionTimestamp = timestamp(this.#parts.now());
    const deleting = { ...metadata, ...generation, deletionTimestamp, deletionGracePeriodSeconds: 0 };
    return this.#keep(place, before, { ...before, metadata: deleting });
  }

  /** Nothing is written where nothing differs; an object under deletion without finalizers goes. */
  #keep(place: Place, before: Stored | undefined, object: Stored, code = 200): Answered {
    if (
      before &&
      equalJson(before, {
        ...object,
        metadata: { ...object.metadata, resourceVersion: before.metadata.resourceVersion },
      })
    )
      return success(code, before);
    const { metadata } = object;
    if (metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0)
      return success(code, this.#remove(place, object, before));
    const kept = this.#stamped(object);
    this.#objects.set(place.key, kept);
    this.#tell(before ? "MODIFIED" : "ADDED", place, kept);
    return success(code, kept);
  }

  /** Watches are told a new version; whoever took off the last finalizer is answered that of before. */
  #remove(place: Place, object: Stored, before: Stored = object): Stored {
    this.#objects.delete(place.key);
    this.#tell("DELETED", place, this.#stamped(object));
    const { resourceVersion } = before.metadata;
    return { ...object, metadata: { ...object.metadata, resourceVersion } };
  }

  #stamped(object: Stored): Stored {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #tell(type: Change["type"], { collection }: Place, object: Stored): void {
    const change: Change = { version: this.#version, type, collection, object };
    this.#history.push(change);
    this.#parts.changed?.(change);
  }
}

/** Whether a change is one of the place's collection and namespace. */
export const isIn = ({ collection, namespace }: Place, { collection: of, object }: Change): boolean =>
  of === collection && (namespace === undefined || object.metadata.namespace === namespace);

interface Preconditions {
  readonly resourceVersion?: string | undefined;
  readonly uid?: string | undefined;
}

const conflict = (place: Place, before: Stored, { resourceVersion, uid }: Preconditions): Answered | undefined => {
  const other = resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion;
  if (!other && (uid === undefined || uid === before.metadata.uid)) return undefined;
  const text = `Operation cannot be fulfilled on ${place.name}: the object has been modified; please apply your changes to the latest version and try again`;
  return failure(409, "Conflict", text, { name: place.name ?? "" });
};

const exists = ({ name = "" }: Place): Answered => failure(409, "AlreadyExists", `${name} already exists`, { name });

const notFound = ({ name = "", collection }: Place): Answered =>
  failure(404, "NotFound", `${collection.plural} "${name}" not found`, { name });

const withoutFields = ({ metadata }: Stored): object => {
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, ...rest } = metadata;
  return rest;
};

/** Only what holds something: the server keeps no empty lists and maps in metadata. */
const compact = (fields: Readonly<Record<string, object | undefined>>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null && Object.keys(value).length > 0));
