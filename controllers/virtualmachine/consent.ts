import { annotations } from "../../src/api/annotations.ts";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { needsApproval, valueText } from "../../src/engine/plan.ts";
import type { PendingChange, World } from "../../src/engine/ports.ts";
import { annotationOf, compact } from "../shared/objects.ts";
import { planHash } from "../shared/planHash.ts";
import type { Latch } from "./approval.ts";
import type { Verdict } from "./verdict.ts";

/** A decision that only the object's owner can take: no disruption policy, restart or window stands in for it. */
export interface Consent {
  readonly given: boolean;
  readonly pending: readonly PendingChange[];
  readonly approval: NonNullable<Verdict["approval"]>;
  /** How to give it. */
  readonly how: string;
}

/** Whether the owner approved these changes, by the hash that status shows for them. */
export const consentTo = (vm: VirtualMachine, world: World, pending: readonly PendingChange[]): Consent => {
  const hash = planHash(vm.metadata.uid, pending);
  const given = hash !== undefined && annotationOf(vm, annotations.approve) === hash;
  const latch = given ? latchOf(hash, pending, world) : undefined;
  return {
    given,
    pending,
    approval: { ...(hash !== undefined && { planHash: hash }), ...(latch && { latch }) },
    how: `Approve with: aetherv approve VirtualMachine/${vm.metadata.name} (plan ${hash ?? "none"}).`,
  };
};

const latchOf = (hash: string, pending: readonly PendingChange[], world: World): Latch => ({
  planHash: hash,
  since: world.now.toISOString(),
  changes: pending
    .filter(({ effect }) => needsApproval(effect))
    .map(
      ({ path, to, effect }) => compact({ path, to: valueText(to), effect }) as NonNullable<Latch["changes"]>[number],
    ),
});
