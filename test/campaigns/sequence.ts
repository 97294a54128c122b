import { isDeepStrictEqual } from "node:util";
import { keyText, type Condition, type Resource } from "../../src/api/resource.ts";
import { hostSummary } from "../property/hostState.ts";
import { Invariants } from "../support/invariants.ts";
import { Plane, standingOf } from "../support/plane.ts";
import { SeededRandom } from "../support/random.ts";
import { merged, world, type Declared, type Edit } from "./edits.ts";

/** How an edit went: refused ones change nothing. */
export interface Outcome {
  readonly edits: number;
  readonly accepted: readonly Edit[];
  /** Whether the end could be compared with a fresh deployment: some object says why it is not as declared. */
  readonly compared: boolean;
  readonly reverted: boolean;
}

const HOURS = 3_600_000;

const newPlane = async (seed: number): Promise<Plane> => {
  const invariants = new Invariants();
  const plane = new Plane({
    seed,
    hosts: [{ name: "hv1" }, { name: "hv2" }],
    behaviour: { latency: { factor: 0.05 } },
    massDelete: { floor: 1000, share: 1, windowMs: 600_000 },
    watchHost: (host) => invariants.check(host),
  });
  return plane.start();
};

const keyOf = ({ kind, metadata }: Declared) => ({ kind, namespace: metadata.namespace ?? "", name: metadata.name });

/** Machines and disks by host, without what the order of edits decides: the places of drives. */
const held = (plane: Plane): unknown => {
  const names = new Map(plane.objects().map(({ kind, metadata }) => [metadata.uid, `${kind}/${metadata.name}`]));
  const hosts = [...plane.hosts.values()].map((host) => {
    const { vms, disks } = host.read((on) => hostSummary(on, names));
    return [host.name, { vms: structuredClone(vms), disks }] as const;
  });
  return JSON.parse(
    JSON.stringify(Object.fromEntries(hosts), (name, value: unknown) => (places.has(name) ? undefined : value)),
  );
};

const places: ReadonlySet<string> = new Set(["controllerNumber", "controllerLocation"]);

/** Objects that are not as declared, with their word for it. "Outdated" is no word: nobody looked at the last edit. */
const explained = (plane: Plane): ReadonlyMap<string, string> =>
  new Map(
    plane
      .objects()
      .map(
        (one) =>
          [
            keyText({ ...one.metadata, kind: one.kind, namespace: one.metadata.namespace ?? "" }),
            standingOf(one),
          ] as const,
      )
      .filter(([, standing]) => standing !== "Ready"),
  );

const settled = async (plane: Plane): Promise<ReadonlyMap<string, string>> => {
  const { quiet } = await plane.settleApproved(6 * HOURS);
  if (!quiet) throw new Error(`no silence: ${JSON.stringify([...explained(plane)])}`);
  const open = explained(plane);
  for (const [key, standing] of open)
    if (standing === "Outdated") throw new Error(`${key} says nothing of its last edit`);
  for (const object of plane.objects()) {
    const plan = plane.plan(object);
    if (standingOf(object) === "Ready" && plan.length > 0 && !isLookedAt(object))
      throw new Error(`${object.kind} ${object.metadata.name} is Ready and has steps left: ${JSON.stringify(plan)}`);
  }
  return open;
};

/** Of an object that is only observed: Ready, says that it is looked at alone, and need not be as declared. */
const isLookedAt = ({ status }: Resource): boolean =>
  (status as { conditions?: readonly Condition[] } | undefined)?.conditions?.some(
    ({ type, reason }) => type === "Ready" && reason === "Observed",
  ) ?? false;

/** What is only observed is not made: its past decides what is there. */
const isObserved = (spec: unknown): boolean => JSON.stringify(spec).includes('"managementPolicy":"Observe"');

/** One life: the world, some edits, the end against a fresh deployment of the same, and back again. Throws what does not hold. */
export const sequence = async (seed: number, edits: readonly Edit[]): Promise<Outcome> => {
  const random = new SeededRandom(seed);
  const plane = await newPlane(seed);
  const specs = new Map(world.map((one) => [one, one.spec]));
  await plane.apply(world);
  const first = await settled(plane);
  if (first.size > 0) throw new Error(`the world is not Ready: ${JSON.stringify([...first])}`);
  const before = held(plane);
  const accepted: Edit[] = [];
  for (const edit of edits) {
    if (await applied(plane, specs, edit)) accepted.push(edit);
    // Some edits come while the ones before are still at work.
    await plane.pass(Math.floor(random.next() * 20_000));
  }
  const open = await settled(plane);
  const decided = ![...specs.values()].some(isObserved);
  const compared = decided && open.size === 0 && (await sameAsFresh(plane, seed, specs));
  const reverted = await revert(plane, before, open.size === 0 && accepted.every(isReversible));
  await plane.stop();
  return { edits: edits.length, accepted, compared, reverted };
};

const applied = async (plane: Plane, specs: Map<Declared, Declared["spec"]>, edit: Edit): Promise<boolean> => {
  const base = world.find((one) => one.kind === edit.kind && one.metadata.name === edit.name);
  if (!base) throw new Error(`no ${edit.kind} ${edit.name}`);
  const spec = merged(specs.get(base), edit.patch) as Declared["spec"];
  const was = plane.get(keyOf(base))?.spec;
  try {
    await plane.apply([{ ...base, spec }]);
  } catch (error) {
    if (!isDeepStrictEqual(plane.get(keyOf(base))?.spec, was))
      throw new Error("a refused edit changed the spec", { cause: error });
    return false;
  }
  specs.set(base, spec);
  return true;
};

/** Undefined members and what the order of edits decides aside, a fresh world of the last specs is the same. False: the fresh one says why it can't be. */
const sameAsFresh = async (
  plane: Plane,
  seed: number,
  specs: ReadonlyMap<Declared, Declared["spec"]>,
): Promise<boolean> => {
  const fresh = await newPlane(seed + 1);
  await fresh.apply(world.map((one) => ({ ...one, spec: specs.get(one) ?? one.spec })));
  const open = await settled(fresh);
  const [found, wanted] = [held(plane), held(fresh)];
  await fresh.stop();
  if (open.size > 0) return false;
  if (!isDeepStrictEqual(found, wanted))
    throw new Error(`not what a fresh deployment is:\n${differences(found, wanted).join("\n")}`);
  return true;
};

/** Goes back to the first specs. Where all can be undone the hosts hold what they held at first; else the objects say why. */
const revert = async (plane: Plane, before: unknown, whole: boolean): Promise<boolean> => {
  let allowed = true;
  for (const one of world) await plane.apply([one]).catch(() => (allowed = false));
  const open = await settled(plane);
  if (!allowed || !whole || open.size > 0) return false;
  const after = held(plane);
  if (!isDeepStrictEqual(after, before))
    throw new Error(`a revert does not restore:\n${differences(after, before).join("\n")}`);
  return true;
};

/** What the first specs don't name stays as it was found when it is taken out again: that is no revert. */
const isReversible = ({ kind, name, patch }: Edit): boolean => {
  const base = world.find((one) => one.kind === kind && one.metadata.name === name);
  return isNamed(base?.spec, patch);
};

const isNamed = (spec: unknown, patch: unknown): boolean => {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return spec !== undefined;
  if (typeof spec !== "object" || spec === null) return false;
  return Object.entries(patch).every(([name, value]) => isNamed((spec as Record<string, unknown>)[name], value));
};

const differences = (found: unknown, wanted: unknown, at = ""): readonly string[] => {
  if (isDeepStrictEqual(found, wanted)) return [];
  const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
  if (!isMap(found) || !isMap(wanted)) return [`${at}: ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`];
  const names = new Set([...Object.keys(found), ...Object.keys(wanted)]);
  return [...names].flatMap((name) => differences(found[name], wanted[name], `${at}/${name}`));
};
