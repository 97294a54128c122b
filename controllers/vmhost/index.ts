import { annotations, finalizer } from "../../src/api/annotations.ts";
import { keyOf } from "../../src/api/resource.ts";
import type { Resource } from "../../src/api/resource.ts";
import type { VMHost } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import { deepEqual } from "../../src/engine/equal.ts";
import type { Decision, EventNote, Kind, World } from "../../src/engine/ports.ts";
import { annotationOf, isDeleting, isPaused, placementOf } from "../shared/objects.ts";
import { machinesOn } from "./allocated.ts";
import { hostConditions } from "./conditions.ts";
import { contentsOf } from "./status.ts";

type Status = NonNullable<VMHost["status"]>;

/** Least time between two writes that only tell news of what a busy host holds, milliseconds. */
const newsInterval = 30_000;

const decide = (host: VMHost, world: World): Decision => {
  if (isDeleting(host)) return deletion(host, world);
  const finalizers = host.metadata.finalizers ?? [];
  const view = world.host(host.metadata.name);
  const early = tooEarly(host, world);
  if (early && finalizers.includes(finalizer)) return early;
  const contents = view ? contentsOf(host, world, view) : {};
  const next: Status = { ...host.status, ...contents };
  const paced = pace(host, world, finish(host, world, next, hostConditions(host, view, next)));
  return {
    plan: [],
    act: { do: "nothing" },
    ...paced,
    ...(!finalizers.includes(finalizer) && { metadata: { finalizers: [...finalizers, finalizer] } }),
  };
};

const finish = (host: VMHost, world: World, next: Status, drafts: readonly ConditionDraft[]): Status => {
  const generation = host.metadata.generation;
  const merged = conditions.merge(host.status?.conditions, drafts, { now: world.now, generation });
  const status = { ...next, observedGeneration: generation, conditions: merged };
  return deepEqual(status, host.status) ? status : { ...status, observedAt: conditions.secondsText(world.now) };
};

/** Whether machines of the host are still being worked on: then there will be more news soon. */
const isBusy = (host: VMHost, world: World): boolean =>
  machinesOn(host.metadata.name, world).some(
    (vm) => vm.status === undefined || conditions.inProgress(vm.status.conditions),
  );

/** The status as it is, while only news of a busy host could be told: before the costly look at all that it holds. */
const tooEarly = (host: VMHost, world: World): Decision | undefined => {
  const before = host.status;
  if (!before?.observedAt) return undefined;
  const wait = Date.parse(before.observedAt) + newsInterval - world.now.getTime();
  if (wait <= 0 || !isBusy(host, world)) return undefined;
  const same = finish(host, world, before, hostConditions(host, world.host(host.metadata.name), before));
  if (!deepEqual(same, before)) return undefined;
  return { plan: [], act: { do: "nothing" }, status: before, wakeAfterMs: wait };
};

/** News of what a busy host holds can wait a while; a change of a condition can't. */
const pace = (host: VMHost, world: World, next: Status): Pick<Decision, "status" | "wakeAfterMs"> => {
  const before = host.status;
  if (!before?.observedAt || !deepEqual(before.conditions, next.conditions)) return { status: next };
  if (deepEqual({ ...before, observedAt: "" }, { ...next, observedAt: "" })) return { status: before };
  const wait = Date.parse(before.observedAt) + newsInterval - world.now.getTime();
  return wait > 0 && isBusy(host, world) ? { status: before, wakeAfterMs: wait } : { status: next };
};

/** Objects that are placed on the host, by "Kind/namespace/name". */
const placedOn = (host: VMHost, world: World): readonly string[] =>
  (["VirtualMachine", "VirtualDisk", "NetworkAdapter"] as const)
    .flatMap((kind) => world.objects.list(kind) as readonly Resource<string, { host?: string }>[])
    .filter((one) => placementOf(one, world) === host.metadata.name)
    .map((one) => {
      const { kind, namespace, name } = keyOf(one);
      return `${kind}/${namespace}/${name}`;
    })
    .sort();

const deletion = (host: VMHost, world: World): Decision => {
  const hold = (trio: readonly ConditionDraft[]): Decision => ({
    plan: [],
    act: { do: "nothing" },
    status: finish(host, world, host.status ?? {}, [...trio, ...others(host)]),
  });
  const placed = placedOn(host, world);
  if (annotationOf(host, annotations.forceOrphan) === "true") return release([forced(placed.length)]);
  if (isPaused(host)) return hold(conditions.paused(host.status?.conditions));
  if (host.spec.deletionProtection) {
    return hold(conditions.stalled("DeletionProtected", "spec.deletionProtection is true."));
  }
  if (placed.length === 0 || host.spec.deletionPolicy === "Orphan") return release([]);
  const text = `${placed.slice(0, 10).join(", ")}${placed.length > 10 ? ` and ${placed.length - 10} more` : ""}`;
  return hold(conditions.stalled("InUse", `Still placed on this host: ${text}.`));
};

const release = (events: readonly EventNote[]): Decision => ({ plan: [], act: { do: "release" }, events });

const forced = (count: number): EventNote => ({
  type: "Warning",
  reason: "ForceOrphaned",
  message: `The host was given up with ${count} objects placed on it (aetherv.io/force-orphan).`,
});

/** The conditions beside the first three, as they were. */
const others = (host: VMHost): readonly ConditionDraft[] =>
  (host.status?.conditions ?? [])
    .filter(({ type }) => ["Reachable", "AgentReady", "CapacityAvailable"].includes(type))
    .map(({ type, status, reason, message }) => conditions.condition(type, status, reason, message));

/** A Hyper-V host: only looked at, never changed. */
export const vmHost: Kind<VMHost> = { kind: "VMHost", refs: () => [], decide };
