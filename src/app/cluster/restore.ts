import { annotations as names } from "../../api/annotations.ts";
import { kinds } from "../../api/kinds.ts";
import { keyOf, keyText, type Resource } from "../../api/resource.ts";
import type { ClusterRestoreReport, ClusterTools } from "../../cli/clusterTools.ts";
import { ControlError } from "../../server/control.ts";
import { isConflict } from "../../stores/kubernetes/error.ts";
import { identityName } from "../../stores/kubernetes/identity.ts";
import { collectionPath, objectPath } from "../../stores/kubernetes/paths.ts";
import { readClusterBackup, secretPath, typeOf, type ClusterBackup, type Secret } from "./backup.ts";
import { listAll } from "./control.ts";
import type { Cluster } from "./open.ts";

const fieldManager = "aetherv-restore";

/** Said for one moment of the old object's life: another object would take them for its own. */
const momentary: ReadonlySet<string> = new Set([names.approve, names.confirmDelete, names.reclaim, names.forceOrphan]);

/**
 * Makes the objects of a backup anew: with new uids, so that machines on the hosts carry old ones until they are reclaimed.
 * Nothing of it begins before all that could go wrong was looked at.
 */
export const restoreCluster = async (
  cluster: Cluster,
  folder: string,
  { reclaim, namespace }: Parameters<ClusterTools["restore"]>[1],
): Promise<ClusterRestoreReport> => {
  const backup = await readClusterBackup(folder);
  const home = namespace ?? backup.namespace;
  await refuseOthers(cluster);
  await refuseIdentity(cluster, home, backup.controlPlaneId);
  const wanted = [home, ...backup.objects.flatMap(({ metadata }) => metadata.namespace ?? [])];
  const namespacesMade = await makeNamespaces(cluster, [...new Set(wanted)]);
  await makeIdentity(cluster, home, backup.controlPlaneId);
  await makeSecrets(cluster, backup);
  const uids = new Map<string, string>();
  for (const object of inOrder(backup.objects)) {
    const made = await makeObject(cluster, object, { uids, reclaim });
    uids.set(object.metadata.uid, made.metadata.uid);
  }
  const there = await Promise.all(backup.secrets.map((one) => cluster.client.find(secretPath(one))));
  return {
    controlPlaneId: backup.controlPlaneId,
    namespace: home,
    objects: backup.objects.length,
    secrets: backup.secrets,
    deleting: backup.deleting,
    missingSecrets: backup.secrets.filter((_, at) => there[at] === undefined),
    namespacesMade,
  };
};

const refuseOthers = async (cluster: Cluster): Promise<void> => {
  for (const { kind } of kinds) {
    const [one] = await listAll<Resource>(cluster, collectionPath(kind));
    if (one)
      throw new ControlError(
        "Conflict",
        `the cluster holds objects already, as ${keyText(keyOf({ ...one, ...typeOf(kind) }))}`,
        "a backup is put into a cluster that has none",
      );
  }
};

const configMaps = (namespace: string): string => `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`;

/** A control plane that runs already has an identity of its own: machines would be strangers to it. */
const refuseIdentity = async ({ client }: Cluster, namespace: string, id: string): Promise<void> => {
  const path = `${configMaps(namespace)}/${identityName}`;
  const found = await client.find<{ data?: { controlPlaneId?: string } }>(path);
  const present = found?.data?.controlPlaneId;
  if (found && present !== id)
    throw new ControlError(
      "Conflict",
      `ConfigMap ${namespace}/${identityName} says control plane ${present}, the backup ${id}`,
      "scale the control plane to 0, delete that ConfigMap, restore, and scale it up again",
    );
};

const makeNamespaces = async ({ client }: Cluster, wanted: readonly string[]): Promise<readonly string[]> => {
  const made: string[] = [];
  for (const name of wanted) {
    if ((await client.find(`/api/v1/namespaces/${encodeURIComponent(name)}`)) !== undefined) continue;
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    await client.call({ verb: "create", path: "/api/v1/namespaces", query: { fieldManager }, body });
    made.push(name);
  }
  return made;
};

const makeIdentity = async ({ client }: Cluster, namespace: string, controlPlaneId: string): Promise<void> => {
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: identityName }, data: { controlPlaneId } };
  await client
    .call({ verb: "create", path: configMaps(namespace), query: { fieldManager }, body })
    .catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
};

/** Those that are there already stay as they are, unless they are empty, as the chart makes the signer's. */
const makeSecrets = async (cluster: Cluster, { secretObjects }: ClusterBackup): Promise<void> => {
  for (const secret of secretObjects) {
    const path = `/api/v1/namespaces/${encodeURIComponent(secret.metadata.namespace)}/secrets`;
    const body = { apiVersion: "v1", kind: "Secret", ...secret };
    try {
      await cluster.client.call({ verb: "create", path, query: { fieldManager }, body });
    } catch (error) {
      if (!isConflict(error)) throw error;
      await fillEmpty(cluster, secret);
    }
  }
};

const fillEmpty = async ({ client }: Cluster, { metadata, data }: Secret): Promise<void> => {
  const path = secretPath(`${metadata.namespace}/${metadata.name}`);
  const there = await client.find<Secret>(path);
  if (!there || Object.keys(there.data ?? {}).length > 0) return;
  // With the resourceVersion that was read: what somebody else fills it with meanwhile is not written over.
  await client.call({ verb: "update", path, query: { fieldManager }, body: { ...there, data } });
};

/** Owners before what they own, hosts before machines, these before disks and adapters. */
const inOrder = (objects: readonly Resource[]): readonly Resource[] => {
  const order = ["VMHost", "ManagedDeployment", "VirtualMachine", "VirtualDisk", "NetworkAdapter"];
  return [...objects].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
};

interface Making {
  /** New uids by old ones. */
  readonly uids: ReadonlyMap<string, string>;
  readonly reclaim: boolean;
}

const makeObject = async (
  { client }: Cluster,
  { apiVersion, kind, metadata, spec, status }: Resource,
  { uids, reclaim }: Making,
): Promise<Resource> => {
  const { name, namespace, labels, finalizers, uid } = metadata;
  const kept = Object.entries(metadata.annotations ?? {}).filter(([annotation]) => !momentary.has(annotation));
  const annotations = Object.fromEntries([...kept, ...(reclaim && kind !== "VMHost" ? [[names.reclaim, uid]] : [])]);
  const ownerReferences = metadata.ownerReferences?.map((owner) => ({
    ...owner,
    uid: uids.get(owner.uid) ?? owner.uid,
  }));
  const body = {
    apiVersion,
    kind,
    metadata: { name, namespace, labels, annotations, finalizers, ownerReferences },
    spec,
  };
  const made = await client.call<Resource>({
    verb: "create",
    path: collectionPath(kind, namespace),
    query: { fieldManager },
    body,
  });
  const pinned = pinnedStatus(status);
  if (Object.keys(pinned).length > 0)
    await client.call({
      verb: "patch",
      path: `${objectPath(keyOf(made))}/status`,
      query: { fieldManager },
      body: { status: pinned },
    });
  return made;
};

/** What status pins (ids, paths, addresses). What it judged is to be judged again: nobody has looked at the new object. */
const pinnedStatus = (status: unknown): Record<string, unknown> => {
  const { conditions: _, observedGeneration: __, ...rest } = (status ?? {}) as Record<string, unknown>;
  return rest;
};
