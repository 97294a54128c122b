import type { Clock, Logger, Random } from "../../engine/ports.ts";
import { microTime } from "./microTime.ts";
import type { KubeClient } from "./client.ts";

/** Annotation of a Lease: the highest epoch that any holder has used. */
export const epochAnnotation = "aetherv.io/epoch";
/** Annotation of a Lease: over how many shards the hosts are spread, as its holder takes it. */
const shardsAnnotation = "aetherv.io/shards";
/** Annotation of a replica's own Lease: where others ask it, as ADDRESS:PORT. */
const addressAnnotation = "aetherv.io/replica-address";
/** Label of the Leases of one group of replicas. */
const groupLabel = "aetherv.io/leases";

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly namespace: string;
  readonly name: string;
  /** Unique for each process: the pod's name and something random. */
  readonly identity: string;
  /** Label by which the Leases of these replicas are found; none where nobody looks for it. */
  readonly group?: string;
  /** Over how many shards the hosts are spread, for others to see; not told if not given. */
  readonly shards?: number;
  /** Where other replicas ask the holder; not told if not given. */
  readonly address?: string | undefined;
  readonly times?: LeaseTimes;
}

/** As controller-runtime has them. */
export interface LeaseTimes {
  /** Others wait so long after the last sign of life before they take over, milliseconds; whole seconds. */
  readonly durationMs: number;
  /** The holder that could not renew for so long stops by itself; shorter than the duration. */
  readonly deadlineMs: number;
  /** Between two tries. */
  readonly retryMs: number;
}

export const defaultTimes: LeaseTimes = { durationMs: 15_000, deadlineMs: 10_000, retryMs: 2_000 };

export interface Lease {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: LeaseSpec;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  /** metav1.MicroTime. */
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export const epochOf = (lease: Lease | undefined): number => {
  const value = Number(lease?.metadata.annotations?.[epochAnnotation] ?? 0);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
};

const withEpoch = ({ metadata }: Lease, epoch: number): Lease["metadata"] => ({
  ...metadata,
  annotations: { ...metadata.annotations, [epochAnnotation]: String(epoch) },
});

export const heldBy = (options: LeaseOptions, before: Lease | undefined, epoch: number): Lease => {
  const { name, clock, identity, group, shards, address, times } = options;
  const now = microTime(clock.now());
  const { metadata } = before ?? { metadata: { name } };
  const labels = group === undefined ? metadata.labels : { ...metadata.labels, [groupLabel]: group };
  const told = {
    ...(shards === undefined ? {} : { [shardsAnnotation]: String(shards) }),
    ...(address === undefined ? {} : { [addressAnnotation]: address }),
  };
  const annotations = { ...metadata.annotations, ...told };
  return {
    metadata: withEpoch({ metadata: { ...metadata, ...(labels && { labels }), annotations } }, epoch),
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil((times ?? defaultTimes).durationMs / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: (before?.spec?.leaseTransitions ?? -1) + 1,
    },
  };
};

export const renewedBy = ({ clock }: LeaseOptions, lease: Lease, epoch: number): Lease => ({
  metadata: withEpoch(lease, epoch),
  spec: { ...lease.spec, renewTime: microTime(clock.now()) },
});

export const releasedBy = ({ clock }: LeaseOptions, lease: Lease): Lease => ({
  ...lease,
  spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: microTime(clock.now()) },
});

const collection = ({ namespace }: Pick<LeaseOptions, "namespace">): string =>
  `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;

export const readLease = (
  options: Pick<LeaseOptions, "client" | "namespace" | "name">,
  signal?: AbortSignal,
): Promise<Lease | undefined> =>
  options.client.find<Lease>(`${collection(options)}/${encodeURIComponent(options.name)}`, signal);

/** Makes the Lease, or changes it if it is still of the version that was read. */
export const writeLease = (options: LeaseOptions, lease: Lease, signal: AbortSignal): Promise<Lease> => {
  const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", ...lease };
  const path = collection(options);
  if (lease.metadata.resourceVersion === undefined)
    return options.client.call<Lease>({ verb: "create", path, body, signal });
  return options.client.call<Lease>({ verb: "update", path: `${path}/${options.name}`, body, signal });
};

/** All Leases of a group. */
export const listLeases = async (
  options: Pick<LeaseOptions, "client" | "namespace" | "group">,
  signal: AbortSignal,
): Promise<readonly Lease[]> => {
  const query = { labelSelector: `${groupLabel}=${options.group ?? ""}` };
  const path = collection(options);
  return (await options.client.call<{ items: readonly Lease[] }>({ verb: "list", path, query, signal })).items;
};

/** Removes a Lease; one that is gone already is no fault of anybody. */
export const deleteLease = async (client: KubeClient, namespace: string, name: string): Promise<void> => {
  await client.call({ verb: "delete", path: `${collection({ namespace })}/${encodeURIComponent(name)}` });
};

/** Over how many shards the holder of a Lease takes the hosts to be spread. */
export const shardsOf = ({ metadata }: Lease): number => Number(metadata.annotations?.[shardsAnnotation] ?? 1);

/** Where the holder of a Lease is asked. */
export const addressOf = ({ metadata }: Lease): string | undefined => metadata.annotations?.[addressAnnotation];
