import type { ManagedDeploymentSpec, VirtualMachineSpec } from "../../api/generated/types.ts";
import { sizedValues, tooLarge, type GuestValues } from "../../api/guestLimits.ts";
import { keyText } from "../../api/resource.ts";
import { namespaceOf } from "../rows.ts";
import type { ObjectDocument, SecretDocument } from "./part.ts";
import type { Problem } from "./place.ts";

/** Documents with a guest section that could never be sealed, with the sizes that their Secrets have in the files. */
export const oversized = (
  documents: ReadonlyMap<string, readonly ObjectDocument[]>,
  secrets: readonly SecretDocument[],
): ReadonlyMap<string, readonly Problem[]> => {
  const sizes = new Map(secrets.map(({ namespace, name, sizes: of }) => [secretKey(namespace, name), of]));
  const found = new Map<string, readonly Problem[]>();
  for (const [key, [document]] of documents) {
    const section = document && guestOf(document);
    if (!document || !section) continue;
    const { namespace } = document.key;
    const values = sizedValues(section.guest, (name, of) => sizes.get(secretKey(namespace, name))?.[of]);
    const problem = tooLarge(values);
    if (problem)
      found.set(key, document.problems([{ path: `${section.path}.${problem.path}`, message: problem.message }]));
  }
  return found;
};

const secretKey = (namespace: string, name: string): string =>
  keyText({ kind: "Secret", namespace: namespaceOf("Secret", namespace), name });

interface Section {
  readonly path: string;
  readonly guest: GuestValues;
}

const guestOf = ({ key, manifest }: ObjectDocument): Section | undefined => {
  if (!manifest) return undefined;
  if (key.kind === "VirtualMachine") {
    const { guest } = manifest.spec as VirtualMachineSpec;
    return guest && { path: "spec.guest", guest };
  }
  if (key.kind !== "ManagedDeployment") return undefined;
  const { guest } = (manifest.spec as ManagedDeploymentSpec).virtualMachine;
  return guest && { path: "spec.virtualMachine.guest", guest };
};
