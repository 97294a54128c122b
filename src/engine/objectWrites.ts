import { keyOf } from "../api/resource.ts";
import { backoffMs, type DelayLimits } from "./backoff.ts";
import type { Remembered } from "./memory.ts";
import type { EngineParts } from "./parts.ts";
import { RefusedError, type Key, type ObjectWrite, type Resource, type Store } from "./ports.ts";

const refusedLimits: DelayLimits = { first: 2000, longest: 60_000 };
/** The cache has caught up by then, and the next decision goes on. */
const soonMs = 100;

/**
 * Carries out writes of objects that a kind made, in order, and tells when to decide again, milliseconds from now. A refusal is
 * remembered, told by the next decision, and the writes wait; else throws what the store throws.
 */
export const writeObjects = async (
  { store, clock, random }: Pick<EngineParts, "store" | "clock" | "random">,
  writes: readonly ObjectWrite[],
  remembered: Remembered,
  cause: string,
): Promise<number> => {
  const now = clock.now().getTime();
  const { refused } = remembered;
  if (refused && refused.retryAt > now) return refused.retryAt - now;
  try {
    for (const write of writes) await writeObject(store, write);
    remembered.refused = undefined;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const attempts = (refused?.attempts ?? 0) + 1;
    const retryAt = now + backoffMs(attempts, refusedLimits, random);
    remembered.refused = { message: error.message, attempts, retryAt, cause };
  }
  return soonMs;
};

const writeObject = async (store: Store, write: ObjectWrite): Promise<void> => {
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
