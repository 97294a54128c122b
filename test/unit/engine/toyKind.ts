import { annotations, finalizer } from "../../../src/api/annotations.ts";
import * as conditions from "../../../src/engine/conditions.ts";
import type { Act, Condition, Decision, Key, Kind, Resource, World } from "../../../src/engine/ports.ts";

interface Spec {
  readonly host?: string;
  readonly disk?: string;
  readonly size?: number;
}

type Toy = Resource<string, Spec, { readonly conditions?: readonly Condition[]; readonly deletionBatch?: string }>;

const hostKey = (name: string): Key => ({ kind: "VMHost", namespace: "", name });

const job = (toy: Toy, host: string, operation: "vm.create" | "vm.delete"): Act => ({
  do: "job",
  host,
  step: { operation, spec: {} as never, effect: "Hot", changes: [], destructive: operation === "vm.delete" },
  locks: [toy.metadata.uid],
  deadlineSeconds: 60,
});

/** What a decision is made of here: Ready once a machine with its stamp is on the host. */
const verdict = (toy: Toy, host: string, world: World): { act: Act; row: readonly conditions.ConditionDraft[] } => {
  const view = world.host(host);
  const uid = toy.metadata.uid;
  const here = (view?.snapshot?.vmsOf(uid).length ?? 0) > 0;
  if (view?.job(uid))
    return { act: { do: "nothing" }, row: conditions.progressing(`${view.job(uid)?.operation} runs`) };
  if (toy.metadata.deletionTimestamp !== undefined) {
    if (world.massDelete)
      return { act: { do: "nothing" }, row: conditions.stalled("MassDeleteGuard", world.massDelete.message) };
    return { act: here ? job(toy, host, "vm.delete") : { do: "release" }, row: conditions.deleting("goes") };
  }
  if (here) return { act: { do: "nothing" }, row: conditions.ready() };
  if (world.lastFault)
    return { act: job(toy, host, "vm.create"), row: conditions.waiting(world.lastFault.fault.code, "again") };
  return { act: job(toy, host, "vm.create"), row: conditions.progressing("creating") };
};

/** A small kind that creates and deletes, enough to see the engine work. */
export const toyKind = (kind: string): Kind => ({
  kind,
  refs: (resource) => {
    const { host, disk } = resource.spec as Spec;
    const at = resource.metadata.annotations?.[annotations.host] ?? host;
    return [
      ...(at === undefined ? [] : [hostKey(at)]),
      ...(disk === undefined ? [] : [{ kind: "VirtualDisk", namespace: "default", name: disk }]),
    ];
  },
  decide: (resource, world): Decision => {
    const toy = resource as Toy;
    const host = toy.metadata.annotations?.[annotations.host];
    const now = { now: world.now, generation: toy.metadata.generation };
    if (toy.metadata.deletionTimestamp === undefined && host === undefined)
      return {
        metadata: { finalizers: [finalizer], annotations: { [annotations.host]: toy.spec.host ?? "hv1" } },
        plan: [],
        act: { do: "nothing" },
      };
    const { act, row } = verdict(toy, host ?? "hv1", world);
    return {
      plan: act.do === "job" ? [act.step] : [],
      act,
      status: {
        conditions: conditions.merge(toy.status?.conditions, row, now),
        observedGeneration: toy.metadata.generation,
        ...(world.massDelete && { deletionBatch: world.massDelete.batch }),
      },
    };
  },
});

/** A VMHost that is Ready and does nothing. */
export const toyHostKind: Kind = {
  kind: "VMHost",
  refs: () => [],
  decide: (resource, world): Decision => ({
    plan: [],
    act: { do: "nothing" },
    status: {
      conditions: conditions.merge((resource.status as Toy["status"])?.conditions, conditions.ready(), {
        now: world.now,
        generation: resource.metadata.generation,
      }),
    },
  }),
};
