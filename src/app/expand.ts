import { expand } from "../../controllers/manageddeployment/expand.ts";
import type { ManagedDeployment } from "../api/generated/types.ts";
import { apiVersion } from "../api/kinds.ts";
import type { Resource } from "../api/resource.ts";

/** The objects that the deployments among these stand for, as an author would write them. */
export const expandAll = (objects: readonly Resource[]): readonly unknown[] =>
  objects.filter((object) => object.kind === "ManagedDeployment").flatMap((one) => children(one as ManagedDeployment));

const children = (deployment: ManagedDeployment): readonly unknown[] =>
  expand(deployment).map(({ kind, name, spec, labels, annotations }) => ({
    apiVersion,
    kind,
    metadata: {
      name,
      ...(deployment.metadata.namespace !== undefined && { namespace: deployment.metadata.namespace }),
      ...(Object.keys(labels).length > 0 && { labels }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec,
  }));
