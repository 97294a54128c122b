import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { USER } from "../../rigs/sshd/options.ts";
import type { SshdRig } from "../../rigs/sshd/sshd.ts";

export const SECRET = "ssh-login.yaml";

/** A VMHost that is reached over the rig's sshd. */
export const sshHostManifest = (name: string, rig: Pick<SshdRig, "port" | "hostKeys">): string => `
apiVersion: aetherv.io/v1alpha1
kind: VMHost
metadata: { name: ${name} }
spec:
  driver: HyperV
  connection:
    type: SSH
    ssh:
      address: 127.0.0.1
      port: ${rig.port}
      user: ${USER}
      credentialsSecretRef: { namespace: default, name: ${name}-login }
      hostKeys: ${JSON.stringify(rig.hostKeys)}
  storageClasses: [{ name: standard, path: 'D:\\VMs', default: true }]
  networks: [{ name: lan, switchName: External }]
  imagePaths: ['D:\\Images']
  inventoryInterval: 5s
`;

/** Writes the Secret's document, for its owner only; a rename, so that no half of it is read. */
export const writeSecret = async (
  folder: string,
  values: Readonly<Record<string, string>>,
  name = "hv1",
): Promise<void> => {
  const lines = Object.entries(values).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`);
  const text = `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name}-login }\nstringData:\n${lines.join("")}`;
  await writeFile(join(folder, SECRET), text, { mode: 0o600 });
};
