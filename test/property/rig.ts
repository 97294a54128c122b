import { annotations } from "../../src/api/annotations.ts";
import { keyOf, keyText } from "../../src/api/resource.ts";
import { Invariants } from "../support/invariants.ts";
import { Plane, type PlaneOptions } from "../support/plane.ts";
import { manifests, type WorldSpec } from "./world.ts";

/** Runs of each property: few by default, many with AETHERV_PROPERTY_RUNS. */
export const runs = (few: number): number => Number(process.env["AETHERV_PROPERTY_RUNS"] ?? few);

/** The path of a failure (AETHERV_PROPERTY_PATH, with AETHERV_PROPERTY_SEED), as it prints it. */
export const parameters = (few: number) => {
  const path = process.env["AETHERV_PROPERTY_PATH"];
  return {
    numRuns: runs(few),
    ...(path !== undefined && { path }),
    endOnFailure: process.env["AETHERV_PROPERTY_SHRINK"] === "false",
    // One run takes a second: a longer one waits for something that never comes, which virtual time can't tell.
    timeout: 60_000,
  };
};

export interface Watched {
  readonly plane: Plane;
  readonly invariants: Invariants;
}

/** A plane over two simulated hosts whose every change is checked against the invariants. */
export const watchedPlane = async (seed: number, over: Partial<PlaneOptions> = {}): Promise<Watched> => {
  const invariants = new Invariants();
  const plane = new Plane({
    seed,
    hosts: [{ name: "hv1" }, { name: "hv2" }],
    // Deleting much at a time is part of these worlds; the guard has its own tests.
    massDelete: { floor: 1000, share: 1, windowMs: 600_000 },
    watchHost: (host) => invariants.check(host),
    ...over,
  });
  return { plane: await plane.start(), invariants };
};

/** Makes the objects match the world, as `kubectl apply --prune` does. */
export const applyWorld = async (plane: Plane, world: WorldSpec): Promise<void> => {
  const documents = manifests(world);
  await plane.apply(documents);
  const wanted = new Set(
    documents.map(({ kind, metadata }) => keyText({ kind, namespace: metadata.namespace ?? "", name: metadata.name })),
  );
  for (const object of plane.objects())
    if (!wanted.has(keyText(keyOf(object))) && object.metadata.deletionTimestamp === undefined)
      await plane.delete(keyOf(object));
};

/** Objects that are not Ready, or still have something to do, with what is known of them: what a failing test shows. */
export const unready = (plane: Plane): readonly string[] =>
  plane.objects().flatMap((object) => {
    const standing = plane.standing().get(keyText(keyOf(object)));
    const plan = plane.plan(object).map(({ operation, changes, reason }) => ({ operation, changes, reason }));
    if (standing === "Ready" && plan.length === 0) return [];
    const { deletionTimestamp, annotations: notes } = object.metadata;
    const { conditions } = (object.status ?? {}) as { conditions?: readonly { type: string; message: string }[] };
    const messages = conditions
      ?.filter(({ message }) => message !== "")
      .map(({ type, message }) => `${type}: ${message}`);
    return [
      `${keyText(keyOf(object))}: ${standing}${deletionTimestamp === undefined ? "" : " (deleting)"} on ${notes?.[annotations.host]} ${JSON.stringify(plan)} ${messages?.join("; ")}`,
    ];
  });
