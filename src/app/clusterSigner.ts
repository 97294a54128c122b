import type { SignerReport } from "../cli/clusterTools.ts";
import { newSigner, openSigner, parseSigner, rotated } from "../guest/signer.ts";
import type { Signer } from "../guest/signer.ts";
import { ControlError } from "../server/control.ts";
import type { KubeClient } from "../stores/kubernetes/client.ts";
import { KubeError } from "../stores/kubernetes/error.ts";

/** Name of the Secret that holds the key, in the control plane's own namespace. */
export const signerSecret = "aetherv-signer";
/** Its only key. */
const member = "signer.json";

interface Secret {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly data?: Readonly<Record<string, string>> | null;
}

/** The key that signs guest configurations: of the Secret `aetherv-signer`, which is filled when it is empty, and made where that is allowed. */
export const clusterSigner = async (client: KubeClient, namespace: string): Promise<Signer> => {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
  const found = await client.find<Secret>(`${path}/${signerSecret}`);
  const text = textOf(found);
  if (text !== undefined) return opened(namespace, text);
  try {
    return await opened(namespace, textOf(await filled(client, path, found)) ?? "");
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    // Another replica was quicker.
    const other = error.code === 409 ? textOf(await client.find<Secret>(`${path}/${signerSecret}`)) : undefined;
    if (other !== undefined) return opened(namespace, other);
    if (error.code !== 403) throw error;
    throw new Error(
      `Secret ${namespace}/${signerSecret} is missing and may not be made: kubectl create secret generic ${signerSecret} -n ${namespace}`,
      { cause: error },
    );
  }
};

/** Puts a successor in the place of the Secret's key; a Secret that was changed meanwhile is left as it is. */
export const rotateClusterSigner = async (client: KubeClient, namespace: string): Promise<SignerReport> => {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${signerSecret}`;
  const found = await client.find<Secret>(path);
  const old = textOf(found);
  if (!found || old === undefined)
    throw new ControlError("NotFound", `Secret ${namespace}/${signerSecret} holds no key: no guest was configured yet`);
  await opened(namespace, old).catch((error: unknown) => {
    throw new ControlError("Invalid", error instanceof Error ? error.message : String(error));
  });
  const { text, report } = await rotated(old);
  // With its resourceVersion: of two at the same time one is refused, else its key would be lost.
  const body = { ...found, data: { ...found.data, [member]: Buffer.from(text).toString("base64") } };
  await client.call({ verb: "update", path, body });
  return report;
};

const filled = async (client: KubeClient, path: string, found: Secret | undefined): Promise<Secret> => {
  const record = `${JSON.stringify(await newSigner())}\n`;
  const data = { [member]: Buffer.from(record).toString("base64") };
  if (found) {
    const body = { ...found, data: { ...found.data, ...data } };
    return client.call<Secret>({ verb: "update", path: `${path}/${signerSecret}`, body });
  }
  const body = { apiVersion: "v1", kind: "Secret", metadata: { name: signerSecret }, type: "Opaque", data };
  return client.call<Secret>({ verb: "create", path, body });
};

const textOf = (secret: Secret | undefined): string | undefined => {
  const value = secret?.data?.[member];
  return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8");
};

/** A damaged one is never made anew: guests would refuse what another key signs. */
const opened = async (namespace: string, text: string): Promise<Signer> => {
  try {
    return await openSigner(parseSigner(text));
  } catch {
    throw new Error(`Secret ${namespace}/${signerSecret}: ${member} is damaged; restore it from a backup`);
  }
};
