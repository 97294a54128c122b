/** Object metadata as the Kubernetes API has it; file mode keeps the same fields in its own store. */
export interface Metadata {
  readonly name: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly uid: string;
  /** Raised by one at each change of spec. */
  readonly generation: number;
  /** Opaque; equal means unchanged. */
  readonly resourceVersion: string;
  /** RFC 3339. */
  readonly creationTimestamp: string;
  /** RFC 3339; set once deletion was asked for, the object stays until its finalizers are gone. */
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Any custom resource of the group. Kinds narrow `kind`, `spec` and `status` (src/api/generated/types.ts). */
export interface Resource<Kind extends string = string, Spec = unknown, Status = unknown> {
  readonly apiVersion: "aetherv.io/v1alpha1";
  readonly kind: Kind;
  readonly metadata: Metadata;
  readonly spec: Spec;
  readonly status?: Status;
}

/** Names an object; requests in the queue are keys, never events. `namespace` is "" for cluster-scoped kinds. */
export type Key = Readonly<{ kind: string; namespace: string; name: string }>;

/** metav1.Condition, a list map keyed by `type`. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase, machine readable. */
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** "Kind/namespace/name", unique and sortable; the form used in queues, logs and stores. */
export const keyText = (key: Key): string => `${key.kind}/${key.namespace}/${key.name}`;

/** The key of a keyText. */
export const keyOfText = (text: string): Key => {
  const [kind = "", namespace = "", name = ""] = text.split("/");
  return { kind, namespace, name };
};

export const keyOf = (resource: Resource): Key => ({
  kind: resource.kind,
  namespace: resource.metadata.namespace ?? "",
  name: resource.metadata.name,
});
