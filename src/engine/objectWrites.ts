import { keyOf } from "../api/resource.ts";
import type { Key, ObjectWrite, Resource, Store } from "./ports.ts";

/** Carries out one write of an object that a kind made. Throws what the store throws. */
export const writeObject = async (store: Store, write: ObjectWrite): Promise<void> => {
  switch (write.write) {
    case "create":
      await store.create(write.draft);
      return;
    case "put":
      await store.putDesired(write.object);
      return;
    case "delete":
      return await store.delete(write.key, write.uid);
    default:
      return write satisfies never;
  }
};

/** The object that made this one and works it: its controller owner, in the same namespace. */
export const makerOf = ({ metadata }: Resource): (Key & { readonly uid: string }) | undefined => {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner && { kind: owner.kind, namespace: metadata.namespace ?? "", name: owner.name, uid: owner.uid };
};

/** What wakes an object: all that its kind says, and what made it. */
export const withMaker = (resource: Resource, refs: readonly Key[]): readonly Key[] => {
  const maker = makerOf(resource);
  if (!maker) return refs;
  const { kind, namespace, name } = maker;
  return [...refs, { kind, namespace, name }];
};

/** Objects that this one made, of all that refer to it. */
export const madeBy = (resource: Resource, referrers: readonly Resource[]): readonly Resource[] => {
  const { kind, name } = keyOf(resource);
  return referrers.filter((one) => {
    const maker = makerOf(one);
    return maker?.uid === resource.metadata.uid && maker.kind === kind && maker.name === name;
  });
};
