import type { Key } from "../../api/resource.ts";
import { ControlError, type ControlPlane, type ObjectChange } from "../../server/control.ts";
import { GuardedControl, type Caller } from "../../server/guard.ts";
import { ClusterControl } from "../cluster/control.ts";
import type { Cluster } from "../cluster/open.ts";

export interface KubeControlOptions {
  /** Of this process: what it alone knows goes through the guard. */
  readonly control: ControlPlane;
  /** Whose rights are asked about again every now and then. */
  readonly caller: Caller;
  /** With the user's own token. */
  readonly cluster: Cluster;
  /** Changes of the process' caches, which are warm on a standby, too. */
  readonly changes: ControlPlane["watch"];
}

/**
 * The control plane as a user of the cluster sees it: objects, annotations and events from the API server with the user's token;
 * what only this process knows as far as the cluster lets the user read the objects that it is about.
 */
export const kubeControl = ({ control, caller, cluster, changes }: KubeControlOptions): ControlPlane => {
  const guarded = new GuardedControl(control, caller);
  const own = new ClusterControl(cluster, undefined);
  const mayRead = readRight(caller);
  return {
    status: () => guarded.status(),
    hosts: () => guarded.hosts(),
    inventory: (host) => guarded.inventory(host),
    plan: (request) => guarded.plan(request),
    jobs: (...given) => guarded.jobs(...given),
    job: (id) => guarded.job(id),
    jobLog: (...given) => guarded.jobLog(...given),
    trash: () => guarded.trash(),
    restore: (request) => guarded.restore(request),
    list: (...given) => own.list(...given),
    get: (key) => own.get(key),
    annotate: (...given) => own.annotate(...given),
    events: (filter) => own.events(filter),
    // There are no files.
    problems: () => Promise.resolve({ problems: [], missing: [] }),
    backup: () =>
      Promise.reject(new ControlError("Invalid", "a cluster's objects are saved by a backup of the cluster")),
    async *watch(kinds, signal): AsyncGenerator<ObjectChange> {
      for await (const change of changes(kinds, signal))
        if (change.key === undefined || (await mayRead(change.key))) yield change;
    },
    async *watchJobs(signal) {
      for await (const record of control.watchJobs(signal)) if (await mayRead(record.key)) yield record;
    },
    close: () => Promise.resolve(),
  };
};

/** By the right to list what the object is among; RBAC that names single objects is asked about them, too. */
const readRight =
  (caller: Caller) =>
  async ({ kind, namespace, name }: Key): Promise<boolean> =>
    (await caller.may({ verb: "list", kind, namespace: "" })) ||
    (namespace !== "" && (await caller.may({ verb: "list", kind, namespace }))) ||
    caller.may({ verb: "get", kind, namespace, name });
