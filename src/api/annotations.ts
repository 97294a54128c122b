/** Annotations of the group, by what they do; see the table in docs. Values are strings, as Kubernetes has them. */
export const annotations = {
  /** "true": no job for this object; a paused VM also stops its disks' and adapters' jobs that touch it. */
  paused: "aetherv.io/paused",
  /** A time: look at the host now. */
  reconcileRequestedAt: "aetherv.io/reconcile-requested-at",
  /** On a VM, the planHash of its status: approves what status.pendingChanges lists. */
  approve: "aetherv.io/approve",
  /** On a VM, the fingerprint of the guest's new public key (status tells it): this key is accepted. */
  approveGuestKey: "aetherv.io/approve-guest-key",
  /** On a VM, a time: one power cycle; done when the VM's boot began after it. */
  restartedAt: "aetherv.io/restarted-at",
  /** The placement, written by the scheduler. */
  host: "aetherv.io/host",
  /** "true": on delete, give up the host's things. */
  forceOrphan: "aetherv.io/force-orphan",
  /** An old uid: take back a thing whose stamp carries it. */
  reclaim: "aetherv.io/reclaim",
  /** Name of a batch of the mass-delete guard that may go. */
  confirmDelete: "aetherv.io/confirm-delete",
  /** Counter of the guest configuration, raised when what is derived changes. */
  guestGeneration: "aetherv.io/guest-generation",
  /** Keyed hash of the content that the present guest generation stands for; written with it. */
  guestDigest: "aetherv.io/guest-digest",
  /** On an object that a ManagedDeployment made: names of the labels and annotations that it gave, as JSON. */
  fromDeployment: "aetherv.io/from-deployment",
} as const;

export type AnnotationName = (typeof annotations)[keyof typeof annotations];

/** Held by every object of the group until its things on the host are gone or given up. */
export const finalizer = "aetherv.io/cleanup";
