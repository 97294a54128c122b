import type { Operation } from "../protocol/generated/types.ts";
import { hasStatus } from "./conditions.ts";
import type { Condition, Resource, Step } from "./ports.ts";

/** Field paths that drifted, of one generation of the object. */
export interface Drift {
  readonly generation: number | undefined;
  readonly paths: ReadonlySet<string>;
}

const nothing: ReadonlySet<string> = new Set();

export const noDrift: Drift = { generation: undefined, paths: nothing };

interface Told {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly pendingChanges?: readonly { readonly path: string }[];
}

/**
 * What has drifted: fields that the plan changes although the object was Ready at this generation and did not tell of them as pending
 * (those are its owner's edits that await an approval). They stay drift until no plan changes them, or the object is edited.
 */
export const driftNow = (before: Drift, resource: Resource, plan: readonly Step[]): Drift => {
  const { generation, deletionTimestamp } = resource.metadata;
  const planned = new Set(pathsOf(plan));
  if (planned.size === 0 || deletionTimestamp !== undefined) return { generation, paths: nothing };
  const known = before.generation === generation ? [...before.paths] : [];
  const paths = new Set(known.filter((path) => planned.has(path)));
  const { observedGeneration, conditions, pendingChanges = [] } = (resource.status ?? {}) as Told;
  if (observedGeneration === generation && hasStatus(conditions, "Ready", "True")) {
    const pending = new Set(pendingChanges.map(({ path }) => path));
    for (const path of without(planned, pending)) paths.add(path);
  }
  return { generation, paths: paths.size === 0 ? nothing : paths };
};

/** What a thing that is to be made has for the path of its change: the thing, not each of its fields. */
export const existence = "existence";

const makes: ReadonlySet<Operation> = new Set(["vm.create", "disk.create", "disk.clone", "nic.create"]);

export const pathsOf = (plan: readonly Pick<Step, "changes" | "operation">[]): readonly string[] =>
  plan.flatMap(({ operation, changes }) => (makes.has(operation) ? [existence] : changes.map(({ path }) => path)));

export const without = (all: ReadonlySet<string>, some: ReadonlySet<string>): readonly string[] =>
  [...all].filter((one) => !some.has(one));
