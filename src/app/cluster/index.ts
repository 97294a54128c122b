import type { ClusterChoice } from "../../cli/context.ts";
import type { ControlPlane } from "../../server/control.ts";
import { ClusterControl } from "./control.ts";
import { openCluster } from "./open.ts";

export { clusterTools } from "./tools.ts";

/** The control plane of a cluster as the caller may see it. */
export const connectCluster = async (choice: ClusterChoice): Promise<ControlPlane> =>
  new ClusterControl(await openCluster(choice), choice.service);

/** The namespace of the context, as kubectl takes it. */
export const namespaceOf = async (choice: ClusterChoice): Promise<string> => {
  const { client, connection } = await openCluster(choice);
  await client.close();
  return connection.namespace;
};
