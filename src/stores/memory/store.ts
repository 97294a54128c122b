import { keyText } from "../../api/resource.ts";
import type { Key, Resource } from "../../api/resource.ts";
import { checkedManifest, checkedUpdate } from "../admission.ts";
import type { Checked } from "../admission.ts";
import { bornOfManifest, deletionAsked, isProtected, namespaceOf } from "../rows.ts";
import type { Manifest, Row } from "../rows.ts";
import { ObjectTable } from "../table.ts";
import type { TableOptions } from "../table.ts";
import { messageOf } from "../validation.ts";

/** What `apply` takes: a manifest as people write it. */
export interface Applied {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: unknown;
}

/** A store without a disk, for tests and simulation; `apply` and `remove` do what a user does with kubectl. */
export class MemoryStore extends ObjectTable {
  readonly #own: TableOptions;

  constructor(options: Omit<TableOptions, "persist">) {
    super(options);
    this.#own = options;
  }

  /** Makes the object or changes its spec, labels and annotations. Throws if it is not valid or may not change so. */
  apply(applied: Applied): Promise<Resource> {
    return this.exclusive(async () => {
      const { validation } = this.#own;
      const manifest = accepted(applied, checkedManifest(validation, manifestOf(applied)));
      const key = keyText(manifest.key);
      const before = this.row(key);
      const after = before ? accepted(applied, checkedUpdate(validation, before, manifest)) : this.#born(manifest);
      if (after !== before) await this.commit(new Map([[key, after]]));
      return (this.row(key) ?? after).object;
    });
  }

  /** Asks for deletion, whatever the uid. */
  remove(key: Key): Promise<void> {
    return this.exclusive(async () => {
      const row = this.row(keyText(key));
      if (row && isProtected(row)) throw new Error(`${keyText(key)} is not deleted: spec.deletionProtection is true`);
      if (row) await this.commitRow(keyText(key), row, deletionAsked(row, this.#own.clock.now()));
    });
  }

  #born(manifest: Manifest): Row {
    return bornOfManifest(manifest, { uid: this.#own.random.uuid(), now: this.#own.clock.now() });
  }
}

const accepted = <T>({ kind, metadata }: Applied, checked: Checked<T>): T => {
  if (!checked.ok) throw new Error(`${kind}/${metadata.name} is not valid: ${messageOf(checked.errors)}`);
  return checked.value;
};

const manifestOf = ({ kind, metadata, spec }: Applied): Manifest => ({
  key: { kind, namespace: namespaceOf(kind, metadata.namespace), name: metadata.name },
  labels: metadata.labels ?? {},
  annotations: metadata.annotations ?? {},
  spec,
});
