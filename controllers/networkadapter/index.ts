import { annotations, finalizer } from "../../src/api/annotations.ts";
import type { Key } from "../../src/api/resource.ts";
import type { NetworkAdapter } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { Act, Blocked, Decision, Kind, World } from "../../src/engine/ports.ts";
import { accessTo } from "../shared/access.ts";
import { keptTrio, unreachableTrio } from "../shared/closing.ts";
import { machineOf } from "../shared/machine.ts";
import { annotationOf, hostKey, isDeleting, isPaused, placementOf, siblingKey, vmObject } from "../shared/objects.ts";
import { blockedTrio, jobAct, nextStep, outcome, pollMs } from "../shared/outcome.ts";
import { intended, plan } from "./plan.ts";
import { lostWithMachine } from "./reclaim.ts";
import { idle, removeOn, removeUnseen } from "./remove.ts";
import { find } from "./scene.ts";
import type { Scene, Surroundings } from "./scene.ts";
import { addressCondition, statusOf } from "./status.ts";

const refs = (adapter: NetworkAdapter): readonly Key[] => {
  const host = annotationOf(adapter, annotations.host);
  return [
    siblingKey(adapter, "VirtualMachine", adapter.spec.virtualMachine),
    ...(host === undefined ? [] : [hostKey(host)]),
  ];
};

const decide = (adapter: NetworkAdapter, world: World): Decision => {
  const gone = isDeleting(adapter) ? removeUnseen(adapter, world) : undefined;
  if (gone) return gone;
  const vm = vmObject(world, adapter, adapter.spec.virtualMachine);
  const hostName = vm && placementOf(vm, world);
  if (hostName === undefined) {
    const why = vm ? "has no host yet" : "does not exist";
    return blocked(adapter, world, {
      at: "waiting",
      reason: "WaitingForReference",
      message: `VirtualMachine ${adapter.spec.virtualMachine} ${why}.`,
    });
  }
  if (!isDeleting(adapter) && unmarked(adapter, hostName)) return marked(adapter, world, hostName);
  const access = accessTo(world, hostName);
  if (access.at !== "up") return idle(adapter, world, unreachableTrio(adapter, access));
  const { host, view, snapshot } = access;
  const around: Surroundings = { adapter, world, hostName, host, view, snapshot };
  const machine = machineOf(world, adapter, adapter.spec.virtualMachine, around);
  if (machine.at === "blocked") {
    if (!machine.vm || isDeleting(adapter)) return blocked(adapter, world, machine.why);
    const lost = lostWithMachine(around, machine.vm);
    return lost
      ? blocked(adapter, world, lost)
      : { ...blocked(adapter, world, machine.why), plan: intended(around, machine.vm) };
  }
  const scene: Scene = { ...around, machine, job: view.job(adapter.metadata.uid) };
  return isDeleting(adapter) ? removeOn(scene) : decideOn(scene);
};

const unmarked = (adapter: NetworkAdapter, hostName: string): boolean =>
  !adapter.metadata.finalizers?.includes(finalizer) || annotationOf(adapter, annotations.host) !== hostName;

/** Finalizer first: a crash after the adapter is made would leak it. The host is its machine's. */
const marked = (adapter: NetworkAdapter, world: World, host: string): Decision => ({
  ...idle(adapter, world, adapter.status ? keptTrio(adapter) : conditions.firstSight()),
  metadata: {
    finalizers: [...new Set([...(adapter.metadata.finalizers ?? []), finalizer])],
    annotations: { [annotations.host]: host },
  },
});

const blocked = (adapter: NetworkAdapter, world: World, why: Blocked): Decision => {
  const paused = isPaused(adapter) && !isDeleting(adapter);
  const trio = paused ? conditions.paused(adapter.status?.conditions) : blockedTrio(why);
  const own = trio.every(({ type }) => type !== "Attached")
    ? [conditions.condition("Attached", "False", why.reason, why.message), ...addressCondition(adapter, world)]
    : [];
  const before = adapter.status?.conditions?.some(({ type }) => type === "Attached") ?? false;
  return idle(adapter, world, before ? trio : [...trio, ...own]);
};

const decideOn = (scene: Scene): Decision => {
  const { adapter, world, hostName, view } = scene;
  const found = find(scene);
  const planned = plan(scene, found);
  const wakeAfterMs = pollMs(planned.steps, planned.blocked ?? planned.wrong);
  const decision = (act: Act, trio: readonly conditions.ConditionDraft[]): Decision => ({
    plan: planned.steps.map(({ step }) => step),
    act,
    status: statusOf(scene, found, planned, trio),
    ...(wakeAfterMs !== undefined && { wakeAfterMs }),
  });
  if (adapter.spec.managementPolicy === "Observe")
    return decision(
      { do: "nothing" },
      found.at === "present"
        ? conditions.observed()
        : conditions.waiting("NotCreated", "There is no adapter to observe."),
    );
  if (isPaused(adapter)) return decision({ do: "nothing" }, conditions.paused(adapter.status?.conditions));
  const doubt = view.uncertain(adapter.metadata.uid);
  if (doubt && !scene.job)
    return decision(
      { do: "look", host: hostName },
      conditions.waiting("Retrying", `Looked at again: ${doubt.message}`),
    );
  const next = scene.job || planned.blocked ? undefined : nextStep(planned.steps);
  const standing = { plan: planned.steps, blocked: planned.blocked, job: scene.job, lastFault: world.lastFault };
  const trio = planned.wrong && !next ? blockedTrio(planned.wrong) : outcome(standing);
  return decision(next ? jobAct(hostName, next) : { do: "nothing" }, trio);
};

/** An adapter of a virtual machine: its switch, VLAN, guards and address. */
export const networkAdapter: Kind<NetworkAdapter> = { kind: "NetworkAdapter", refs, decide };
