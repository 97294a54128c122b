import type { Clock, Logger, Random } from "../../engine/ports.ts";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./error.ts";

export const identityName = "aetherv-identity";

interface ConfigMap {
  readonly metadata: { readonly name: string };
  readonly data?: { readonly controlPlaneId?: string };
}

/** The id under which machines are stamped, from the ConfigMap `aetherv-identity`, which is made when there is none. */
export const clusterIdentity = async (client: KubeClient, namespace: string, random: Random): Promise<string> => {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`;
  const known = await client.find<ConfigMap>(`${path}/${identityName}`);
  if (known) return idOf(known, namespace);
  const body = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: identityName },
    data: { controlPlaneId: random.uuid() },
  };
  try {
    return idOf(await client.call<ConfigMap>({ verb: "create", path, body }), namespace);
  } catch (error) {
    // Another replica was quicker.
    if (!(error instanceof KubeError) || error.code !== 409) throw error;
    return idOf(await client.call<ConfigMap>({ verb: "get", path: `${path}/${identityName}` }), namespace);
  }
};

interface PatientOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Logger;
}

const retryMs = 1_000;

/** As clusterIdentity, asked again while the API server does not answer or fails, until the signal fires. What it refuses is thrown. */
export const patientIdentity = async (options: PatientOptions, signal: AbortSignal): Promise<string> => {
  const { client, namespace, random, clock, log } = options;
  for (;;) {
    try {
      return await clusterIdentity(client, namespace, random);
    } catch (error) {
      const passes = error instanceof KubeError && (error.code === 0 || error.code === 429 || error.code >= 500);
      if (!passes || signal.aborted) throw error;
      log.warn({ err: error }, `ConfigMap ${identityName} cannot be read; it is tried again`);
      await clock.sleep(retryMs * (0.8 + random.next() * 0.4), signal);
    }
  }
};

/** A damaged one is not made anew: with another id, this control plane would not know its own machines. */
const idOf = ({ data }: ConfigMap, namespace: string): string => {
  const id = data?.controlPlaneId ?? "";
  if (/^[A-Za-z0-9-]{8,64}$/.test(id)) return id;
  throw new Error(
    `ConfigMap ${namespace}/${identityName}: data.controlPlaneId must have 8 to 64 letters, digits and "-"; ` +
      "restore it from a backup, or delete the ConfigMap of a control plane that never had machines",
  );
};
