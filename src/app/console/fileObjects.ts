import { annotations as known } from "../../api/annotations.ts";
import { apiVersion } from "../../api/kinds.ts";
import { keyText, type Key, type Metadata, type Resource } from "../../api/resource.ts";
import { validate, validateUpdate, type Verdict } from "../../api/validate.ts";
import {
  whatever,
  type ListQuery,
  type ObjectApi,
  type ObjectList,
  type Preconditions,
  type Sent,
  type WriteOptions,
} from "../../server/console/access.ts";
import {
  alreadyExists,
  ApiError,
  causesOf,
  conflict,
  forbidden,
  invalid,
  modified,
  notFound,
  preconditionFailed,
} from "../../server/console/status.ts";
import type { ManifestEditor, Opened, Wanted } from "../../stores/files/edit/editor.ts";
import { EditRefusal } from "../../stores/files/edit/refusal.ts";
import { placeText } from "../../stores/files/place.ts";
import type { FileStore } from "../../stores/files/store.ts";
import { isHeld, isProtected, namespaceOf, type Row } from "../../stores/rows.ts";

export interface FileObjectsOptions {
  readonly store: FileStore;
  readonly editor: ManifestEditor;
}

const clusterWords: ReadonlySet<string> = new Set(Object.values(known));

/** The objects of file mode with the API server's semantics: what is written goes back into the files. */
export class FileObjects implements ObjectApi {
  readonly #store: FileStore;
  readonly #editor: ManifestEditor;

  constructor({ store, editor }: FileObjectsOptions) {
    this.#store = store;
    this.#editor = editor;
  }

  list(kind: string, { namespace, labelSelector }: ListQuery): Promise<ObjectList> {
    if (labelSelector !== undefined)
      return Promise.reject(new ApiError("BadRequest", "labelSelector is not served in file mode"));
    const all = this.#store.cache.list(kind);
    const items = namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
    return Promise.resolve({ resourceVersion: String(this.#store.revision), items });
  }

  get(key: Key): Promise<Resource> {
    const found = this.#store.cache.get(key);
    return found ? Promise.resolve(found) : Promise.reject(notFound(key.kind, key.name));
  }

  create({ kind, namespace }: Omit<Key, "name">, sent: Sent, { dryRun }: WriteOptions): Promise<Resource> {
    return this.#edit(kind, async () => {
      const object = addressed(sent, { kind, namespace });
      const { key } = object;
      const verdict = validate(object.sent);
      if (this.#store.cache.get(key)) throw alreadyExists(kind, key.name);
      const wanted = wantedOf(key, object.sent, verdict);
      if (dryRun) return draftOf(key, wanted);
      await this.#editor.create(key, wanted);
      return this.get(key);
    });
  }

  replace(key: Key, sent: Sent, { dryRun, version }: WriteOptions): Promise<Resource> {
    return this.#edit(key.kind, async () => {
      const object = addressed(sent, key, key.name);
      const opened = await this.#lookUp(key);
      const row = this.#row(key);
      const given = object.sent["metadata"] as Partial<Metadata>;
      checkVersion(row, { match: version, sent: given.resourceVersion ?? version, uid: given.uid });
      const verdict = validateUpdate(row.object, object.sent);
      const all = wantedOf(key, object.sent, verdict);
      const { wanted, own } = annotated(row, all);
      this.#refuseUneditable(key, row, opened);
      if (dryRun) return { ...row.object, spec: wanted.spec };
      if (opened) await this.#editor.replace(opened, row, wanted);
      else await this.#editor.create(key, wanted);
      for (const [name, value] of own) await this.#store.setAnnotation(key, name, value);
      return this.get(key);
    });
  }

  remove(key: Key, { dryRun, version, uid }: WriteOptions & Preconditions): Promise<Resource> {
    return this.#edit(key.kind, async () => {
      const opened = await this.#lookUp(key);
      const row = this.#row(key);
      checkVersion(row, { match: version, sent: version ?? row.object.metadata.resourceVersion, uid });
      if (isProtected(row))
        throw forbidden(key.kind, key.name, "spec.deletionProtection is true: set it to false first");
      this.#refuseMade(key, row);
      if (!dryRun && opened) await this.#editor.remove(opened);
      return this.#store.cache.get(key) ?? row.object;
    });
  }

  /** One edit at a time; what a file refuses becomes the API's words. */
  #edit<T>(kind: string, work: () => Promise<T>): Promise<T> {
    return this.#editor.exclusive(async () => {
      try {
        return await work();
      } catch (error) {
        throw error instanceof EditRefusal ? apiErrorOf(kind, error) : error;
      }
    });
  }

  /** Its document as the files have it now. */
  #lookUp(key: Key): Promise<Opened | undefined> {
    this.#row(key);
    return this.#editor.look(key);
  }

  #row(key: Key): Row {
    const row = this.#store.row(keyText(key));
    if (!row) throw notFound(key.kind, key.name);
    return row;
  }

  #refuseUneditable(key: Key, row: Row, opened: Opened | undefined): void {
    this.#refuseMade(key, row);
    const { deletionTimestamp } = row.object.metadata;
    // Whose document is gone, but not its things: the edit brings the document back.
    if (deletionTimestamp !== undefined && !opened && !isHeld(row))
      throw conflict(key.kind, key.name, "it is being deleted; make it anew once it is gone");
  }

  #refuseMade(key: Key, { object }: Row): void {
    const maker = (object.metadata.ownerReferences ?? []).find(({ controller }) => controller === true);
    if (!maker) return;
    const place = this.#store.place({ kind: maker.kind, namespace: key.namespace, name: maker.name });
    const where = place ? ` (${placeText(place)})` : "";
    throw forbidden(key.kind, key.name, `${maker.kind} ${maker.name} made it: change it there${where}`);
  }
}

const apiErrorOf = (kind: string, refusal: EditRefusal): ApiError => {
  switch (refusal.reason) {
    case "readOnly":
    case "byHand":
      return new ApiError("Forbidden", refusal.message);
    case "changed":
    case "broken":
      return new ApiError("Conflict", refusal.message);
    case "unfit":
      return invalid(kind, "", [{ reason: "FieldValueInvalid", message: refusal.message }]);
    default:
      return refusal.reason satisfies never;
  }
};

/** What was sent, with the name and namespace of its address; they may not differ. */
const addressed = (
  sent: Sent,
  { kind, namespace }: Omit<Key, "name">,
  name?: string,
): { readonly key: Key; readonly sent: Sent } => {
  const metadata = (sent["metadata"] ?? {}) as Partial<Metadata>;
  if (sent["kind"] !== kind || sent["apiVersion"] !== apiVersion)
    throw new ApiError("BadRequest", `the object must be of kind ${kind} and apiVersion ${apiVersion}`);
  const within = namespaceOf(kind, namespace);
  if (metadata.namespace !== undefined && metadata.namespace !== within)
    throw new ApiError("BadRequest", `metadata.namespace is not that of the request ("${within}")`);
  // What is no text is refused by the model, with its place; it names no object.
  const given: unknown = metadata.name;
  if (name !== undefined && given !== name)
    throw new ApiError("BadRequest", `metadata.name is not that of the request ("${name}")`);
  const named = { ...metadata, ...(within === "" ? {} : { namespace: within }) };
  return {
    key: { kind, namespace: within, name: typeof given === "string" ? given : "" },
    sent: { ...sent, metadata: named },
  };
};

interface Given {
  /** Of If-Match. */
  readonly match: string | undefined;
  /** The version that the object sent has, or the preconditions name. */
  readonly sent: string | undefined;
  readonly uid: string | undefined;
}

const checkVersion = ({ object }: Row, { match, sent, uid }: Given): void => {
  const { kind, metadata } = object;
  const { name, resourceVersion: present } = metadata;
  if (uid !== undefined && uid !== metadata.uid)
    throw conflict(kind, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`);
  if (match === whatever) return;
  if (match !== undefined && match !== present) throw preconditionFailed(kind, name, { asked: match, present });
  if (sent === undefined || sent === "")
    throw invalid(kind, name, [
      {
        reason: "FieldValueInvalid",
        message: "Invalid value: 0x0: must be specified for an update",
        field: "metadata.resourceVersion",
      },
    ]);
  if (sent !== present) throw conflict(kind, name, modified);
};

/** What was sent as a wish; rejects with all that is wrong with it. */
const wantedOf = ({ kind, name }: Key, sent: Sent, verdict: Verdict): Wanted => {
  if (!verdict.valid) throw invalid(kind, name, causesOf(verdict.issues));
  const { labels = {}, annotations = {} } = verdict.object.metadata;
  return { labels, annotations, sent: sent["spec"], spec: verdict.object.spec };
};

/**
 * Annotations by who keeps them: those of the document are the document's; those that controllers and people set are the
 * store's, and stay unless another value is sent.
 */
const annotated = (
  { declared, own }: Row,
  all: Wanted,
): { readonly wanted: Wanted; readonly own: readonly (readonly [string, string])[] } => {
  const isOwn = (name: string): boolean =>
    !Object.hasOwn(declared, name) && (Object.hasOwn(own, name) || clusterWords.has(name));
  const entries = Object.entries(all.annotations);
  const changed = entries.filter(([name, value]) => isOwn(name) && own[name] !== value);
  const annotations = Object.fromEntries(entries.filter(([name]) => !isOwn(name)));
  return { wanted: { ...all, annotations }, own: changed };
};

/** As it would be stored: what only a store gives is not there. */
const draftOf = ({ kind, namespace, name }: Key, { labels, annotations, spec }: Wanted): Resource => ({
  apiVersion,
  kind,
  metadata: {
    name,
    ...(namespace === "" ? {} : { namespace }),
    uid: "",
    generation: 1,
    resourceVersion: "",
    creationTimestamp: "",
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  },
  spec,
});
