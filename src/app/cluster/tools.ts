import { annotations as names, finalizer } from "../../api/annotations.ts";
import { kindInfo, kinds } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import type { ClusterTools, HeldObjects } from "../../cli/clusterTools.ts";
import type { ClusterChoice } from "../../cli/context.ts";
import { isConflict } from "../../stores/kubernetes/error.ts";
import { collectionPath, objectPath } from "../../stores/kubernetes/paths.ts";
import { rotateClusterSigner } from "../clusterSigner.ts";
import { backupCluster, identityOf } from "./backup.ts";
import { listAll } from "./control.ts";
import { openCluster, told, type Cluster } from "./open.ts";
import { restoreCluster } from "./restore.ts";

const fieldManager = "aetherv-uninstall";

/** What people do with a cluster's objects beside the control plane. */
export const clusterTools = async (choice: ClusterChoice): Promise<ClusterTools> => {
  const cluster = await openCluster(choice);
  return {
    held: (namespaces) => told(() => held(cluster, namespaces)),
    release: (key) => told(() => release(cluster, key)),
    backup: (folder, options) => told(() => backupCluster(cluster, folder, options)),
    restore: (folder, options) => told(() => restoreCluster(cluster, folder, options)),
    rotateSigner: (namespace) =>
      told(async () => rotateClusterSigner(cluster.client, (await identityOf(cluster, namespace)).namespace)),
    close: () => cluster.client.close(),
  };
};

const held = async (cluster: Cluster, namespaces: "all" | readonly string[]): Promise<readonly HeldObjects[]> => {
  const found: HeldObjects[] = [];
  for (const { kind } of kinds) {
    const keys = (await objectsOf(cluster, kind, namespaces))
      .filter(({ metadata }) => metadata.finalizers?.includes(finalizer))
      .map(keyOf)
      .sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1));
    if (keys.length > 0) found.push({ kind, keys });
  }
  return found;
};

/** A kind that the server does not serve has no objects. */
const objectsOf = async (
  cluster: Cluster,
  kind: Resource["kind"],
  namespaces: "all" | readonly string[],
): Promise<readonly Resource[]> => {
  const everywhere = namespaces === "all" || kindInfo(kind as never).scope === "Cluster";
  const lists = (everywhere ? [undefined] : namespaces).map(async (namespace) => {
    try {
      return await listAll<Resource>(cluster, collectionPath(kind, namespace));
    } catch (error) {
      if ((error as { code?: unknown }).code === 404) return [];
      throw error;
    }
  });
  return (await Promise.all(lists)).flat().map((object) => ({ ...object, kind }));
};

const releaseTries = 5;

const release = async ({ client }: Cluster, key: Key): Promise<boolean> => {
  for (let tries = 1; ; tries += 1) {
    const object = await client.find<Resource>(objectPath(key));
    if (!object) return false;
    const { resourceVersion, finalizers = [] } = object.metadata;
    const body = {
      metadata: {
        resourceVersion,
        finalizers: finalizers.filter((one) => one !== finalizer),
        // A control plane that is still at work would put it back on, and would delete what is on the host.
        annotations: { [names.forceOrphan]: "true" },
      },
    };
    try {
      await client.call({ verb: "patch", path: objectPath(key), query: { fieldManager }, body });
      return true;
    } catch (error) {
      if (!isConflict(error) || tries >= releaseTries) throw error;
    }
  }
};
