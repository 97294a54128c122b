import type { Key } from "../api/resource.ts";

/** What keeps a cluster's objects from being forgotten. */
export interface HeldObjects {
  readonly kind: string;
  /** In order of namespace and name. */
  readonly keys: readonly Key[];
}

export interface ClusterBackupReport {
  readonly controlPlaneId: string;
  /** Namespace of the control plane. */
  readonly namespace: string;
  readonly objects: number;
  /** Secrets that objects name, as NAMESPACE/NAME; their values are in the backup only if that was asked for. */
  readonly secrets: readonly string[];
  /** Objects that were being deleted. */
  readonly deleting: readonly Key[];
}

export interface ClusterRestoreReport extends ClusterBackupReport {
  /** Secrets that objects name and the cluster lacks. */
  readonly missingSecrets: readonly string[];
  /** Namespaces that were made. */
  readonly namespacesMade: readonly string[];
}

/** What a change of the key that signs guest configurations came to: fingerprints, no secret. */
export interface SignerReport {
  readonly before: string;
  readonly after: string;
  /** Keys from which guests can follow. */
  readonly handovers: number;
}

/** Work on a cluster's objects without its control plane, by the caller's own rights; the wiring makes it. */
export interface ClusterTools {
  /** Objects that hold our finalizer, by kind; kinds without any are left out. */
  held(namespaces: "all" | readonly string[]): Promise<readonly HeldObjects[]>;
  /** Takes our finalizer off: what is on the hosts stays there without an owner. False when the object is gone. */
  release(key: Key): Promise<boolean>;
  /** Writes objects with their status and the identity of the control plane (of `namespace`, else of the only one there is). */
  backup(
    folder: string,
    options: { readonly secrets: boolean; readonly namespace?: string },
  ): Promise<ClusterBackupReport>;
  /** Makes the objects of a backup in a cluster that has none. `reclaim`: they take back what their old uids owned. */
  restore(
    folder: string,
    options: { readonly reclaim: boolean; readonly namespace?: string },
  ): Promise<ClusterRestoreReport>;
  /** A successor of the key that signs guest configurations, of the control plane in `namespace`, else of the only one there is. */
  rotateSigner(namespace: string | undefined): Promise<SignerReport>;
  close(): Promise<void>;
}
