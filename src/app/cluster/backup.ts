import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiVersion, kinds } from "../../api/kinds.ts";
import { keyOf, type Resource } from "../../api/resource.ts";
import type { ClusterBackupReport, ClusterTools } from "../../cli/clusterTools.ts";
import { ControlError } from "../../server/control.ts";
import { identityName } from "../../stores/kubernetes/identity.ts";
import { collectionPath } from "../../stores/kubernetes/paths.ts";
import { trimmed } from "../../stores/kubernetes/trim.ts";
import { signerSecret } from "../clusterSigner.ts";
import { isVacant } from "../offline.ts";
import { listAll } from "./control.ts";
import type { Cluster } from "./open.ts";

const format = "aetherv-cluster-backup/v1";
const headFile = "cluster.json";
const objectsFile = "objects.jsonl";
const secretsFile = "secrets.jsonl";

/** A backup as it lies in a folder. */
export interface ClusterBackup extends Omit<ClusterBackupReport, "objects"> {
  readonly objects: readonly Resource[];
  /** With values; empty unless these were asked for. */
  readonly secretObjects: readonly Secret[];
}

export interface Secret {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

export const secretPath = (namespaced: string): string => {
  const [namespace = "", name = ""] = namespaced.split("/");
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`;
};

/** Writes all objects with their status, and the identity, as files that only their owner may read. */
export const backupCluster = async (
  cluster: Cluster,
  folder: string,
  { secrets: withValues, namespace: wanted }: Parameters<ClusterTools["backup"]>[1],
): Promise<ClusterBackupReport> => {
  if (!(await isVacant(folder)))
    throw new ControlError("Conflict", `${folder} is not empty: a backup is never written over something`);
  const identity = await identityOf(cluster, wanted);
  const lists = kinds.map(async ({ kind }) =>
    (await listAll<Resource>(cluster, collectionPath(kind))).map((object) => trimmed({ ...object, ...typeOf(kind) })),
  );
  const objects = (await Promise.all(lists)).flat();
  // Guests obey only the signer that they know: without its key they have to be introduced anew, one by one.
  const secrets = [...new Set([...objects.flatMap(secretsOf), `${identity.namespace}/${signerSecret}`])].sort();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (withValues) await writeLines(folder, secretsFile, await valuesOf(cluster, secrets));
  await writeLines(folder, objectsFile, objects);
  const report = {
    ...identity,
    objects: objects.length,
    secrets,
    deleting: objects.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(keyOf),
  };
  // Last: a folder without it is no complete backup.
  const head = { format, createdAt: new Date().toISOString(), ...report };
  await writeFile(join(folder, headFile), `${JSON.stringify(head, null, 2)}\n`, { mode: 0o600 });
  return report;
};

/** Items of a list carry no kind of their own. */
export const typeOf = <K extends string>(kind: K) => ({ apiVersion, kind }) as const;

interface Identity {
  readonly controlPlaneId: string;
  readonly namespace: string;
}

interface ConfigMap {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly data?: { readonly controlPlaneId?: string };
}

export const identityOf = async (cluster: Cluster, namespace: string | undefined): Promise<Identity> => {
  const found = await identitiesIn(cluster, namespace);
  const [only, ...others] = found;
  const where = found.map(({ metadata }) => metadata.namespace).join(", ");
  if (others.length > 0)
    throw new ControlError("Conflict", `there are control planes in several namespaces: ${where}`, "name one");
  const controlPlaneId = only?.data?.controlPlaneId;
  if (!only || controlPlaneId === undefined)
    throw new ControlError(
      "NotFound",
      `no ConfigMap ${identityName} tells the identity of a control plane${namespace === undefined ? "" : ` in namespace ${namespace}`}`,
      "it is made by the first start of `aetherv run --kubernetes`",
    );
  return { controlPlaneId, namespace: only.metadata.namespace };
};

/** Where the namespace is named, the right to read this one ConfigMap is enough. */
const identitiesIn = async (cluster: Cluster, namespace: string | undefined): Promise<readonly ConfigMap[]> => {
  if (namespace === undefined) return listAll(cluster, "/api/v1/configmaps", `metadata.name=${identityName}`);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps/${identityName}`;
  const found = await cluster.client.find<ConfigMap>(path);
  return found ? [found] : [];
};

/** Secrets that an object's spec names, as NAMESPACE/NAME. */
const secretsOf = ({ spec, metadata }: Resource): readonly string[] => {
  const refs: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [member, inner] of Object.entries(value)) {
      const { name, namespace = metadata.namespace } = (inner ?? {}) as { name?: unknown; namespace?: string };
      if (/secretref$/i.test(member) && typeof name === "string" && namespace !== undefined)
        refs.push(`${namespace}/${name}`);
      else look(inner);
    }
  };
  look(spec);
  return refs;
};

const valuesOf = async ({ client }: Cluster, secrets: readonly string[]): Promise<readonly Secret[]> => {
  const found = await Promise.all(secrets.map((one) => client.find<Secret>(secretPath(one))));
  return found.flatMap((secret) => {
    if (!secret) return [];
    const { metadata, type, data } = secret;
    const { name, namespace } = metadata;
    return [{ metadata: { name, namespace }, ...(type === undefined ? {} : { type }), ...(data ? { data } : {}) }];
  });
};

const writeLines = (folder: string, name: string, lines: readonly unknown[]): Promise<void> =>
  writeFile(join(folder, name), lines.map((one) => `${JSON.stringify(one)}\n`).join(""), { mode: 0o600 });

export const readClusterBackup = async (folder: string): Promise<ClusterBackup> => {
  const [head] = await readLines<ClusterBackupReport & { format: string }>(folder, headFile);
  if (head?.format !== format)
    throw new ControlError("Invalid", `${folder} holds a backup of another format: ${JSON.stringify(head?.format)}`);
  const objects = await readLines<Resource>(folder, objectsFile);
  if (objects.length !== head.objects)
    throw new ControlError(
      "Invalid",
      `${join(folder, objectsFile)} is cut: ${objects.length} of ${head.objects} objects`,
    );
  const secretObjects = await readLines<Secret>(folder, secretsFile).catch(() => []);
  return { ...head, objects, secretObjects };
};

/** One JSON value a line; of the head, the whole file. */
const readLines = async <T>(folder: string, name: string): Promise<readonly T[]> => {
  const path = join(folder, name);
  try {
    const text = await readFile(path, "utf8");
    if (name === headFile) return [JSON.parse(text) as T];
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as T);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ControlError("Invalid", `${path} cannot be read: ${why}`);
  }
};
