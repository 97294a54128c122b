import type { ClusterChoice } from "../../cli/context.ts";
import { ControlError } from "../../server/control.ts";
import { KubeClient } from "../../stores/kubernetes/client.ts";
import { openConnection, type Connection } from "../../stores/kubernetes/connection.ts";
import { KubeError } from "../../stores/kubernetes/error.ts";
import { systemClock } from "../clock.ts";

/** A cluster as the caller's kubeconfig reaches it. */
export interface Cluster {
  readonly connection: Connection;
  readonly client: KubeClient;
}

export const openCluster = async ({ kubeconfig, context }: ClusterChoice): Promise<Cluster> => {
  const name = { ...(kubeconfig === undefined ? {} : { kubeconfig }), ...(context === undefined ? {} : { context }) };
  try {
    const connection = await openConnection(name);
    return { connection, client: new KubeClient(connection, systemClock) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ControlError(
      "Invalid",
      `the kubeconfig cannot be used: ${why}`,
      "name another with --kubeconfig or --context",
    );
  }
};

const codes: Readonly<Record<number, ControlError["code"]>> = {
  400: "Invalid",
  401: "Unauthenticated",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  422: "Invalid",
};

/** Does `work` with the API server; its refusals become errors for people. */
export const told = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    throw new ControlError(codes[error.code] ?? "Unavailable", error.message, hintOf(error));
  }
};

const hintOf = ({ code, details }: KubeError): string | undefined => {
  if (code === 0) return "is the kubeconfig's cluster the one that is meant? --kubeconfig, --context";
  // A path that is not served has no name in the answer.
  if (code === 404 && details?.name === undefined) return "are the CRDs of AetherV installed in this cluster?";
  return undefined;
};
