import fc from "../support/fc.ts";
import { expect, test } from "vitest";
import type { ManagedDeployment } from "../../src/api/generated/types.ts";
import { keyOf, keyText, type Resource } from "../../src/api/resource.ts";
import { startPlane, web, webKey } from "../unit/controllers/manageddeployment/rig.ts";
import { standingOf, type Plane } from "../support/plane.ts";
import { summary } from "./hostState.ts";
import { parameters } from "./rig.ts";

/** Ends the process of the control plane at one of its writes: from there on nothing is written until it is started again. */
class Cutter {
  dead = false;
  #left = Infinity;
  #effect: Effect = "lost";

  constructor({ store }: Plane) {
    for (const name of ["create", "putDesired", "putMetadata", "putStatus", "delete"] as const) {
      const real = store[name].bind(store) as (...given: unknown[]) => Promise<unknown>;
      const cut = async (...given: unknown[]): Promise<unknown> => {
        if (this.dead) throw new Error("the process is dead");
        this.#left -= 1;
        if (this.#left > 0) return await real(...given);
        this.dead = true;
        if (this.#effect === "done") await real(...given);
        throw new Error("the process dies at this write");
      };
      Object.assign(store, { [name]: cut });
    }
  }

  arm({ after, effect }: Cut): void {
    this.dead = false;
    this.#left = after;
    this.#effect = effect;
  }
}

type Effect = "lost" | "done";
interface Cut {
  readonly after: number;
  readonly effect: Effect;
}
const never: Cut = { after: Infinity, effect: "lost" };

type Act = "make" | "edit" | "shrink" | "fail" | "mend" | "delete";

const twins = ["a", "b"].map((name) => ({ name, spec: { network: "lan", macAddress: "02:00:00:00:00:01" } }));

const carryOut: Readonly<Record<Act, (plane: Plane) => Promise<void>>> = {
  make: (plane) => plane.apply([web()]),
  edit: (plane) => plane.edit(webKey, (spec) => (spec["childMetadata"] = { labels: { tier: "front" } })),
  shrink: (plane) =>
    plane.edit(webKey, (spec) => (spec["disks"] = (spec["disks"] as { name: string }[]).filter(isSystem))),
  fail: (plane) => plane.apply([web({ networkAdapters: twins })]),
  mend: (plane) => plane.apply([web()]),
  delete: (plane) => plane.delete(webKey),
};
const isSystem = ({ name }: { readonly name: string }): boolean => name === "system";

const lives: readonly (readonly Act[])[] = [
  ["make", "edit", "delete"],
  ["make", "shrink"],
  ["fail"],
  ["fail", "mend", "edit"],
];

/** After the last start nothing changes any more: a deployment that waits for the sight of its host has to look again by itself. */
const unseenAtLast = [6, 4, 12, 8, 3].map((after): Cut => ({ after, effect: "done" }));

/** What the life ends with, without what differs between two runs: uids, times. */
const outcome = (plane: Plane): unknown => ({
  objects: plane.objects().map((object: Resource) => ({
    key: keyText(keyOf(object)),
    standing: standingOf(object),
    spec: object.spec,
    labels: object.metadata.labels,
    phase: (object as ManagedDeployment).status?.phase,
  })),
  hosts: summary(plane),
});

const live = async (acts: readonly Act[], cuts: readonly Cut[]): Promise<unknown> => {
  const plane = await startPlane();
  const cutter = new Cutter(plane);
  const left = [...cuts];
  for (const act of acts) {
    cutter.arm(left.shift() ?? never);
    await carryOut[act](plane);
    for (;;) {
      await plane.settle().catch((error: unknown) => {
        if (!cutter.dead) throw error;
      });
      if (!cutter.dead) break;
      await plane.stop();
      plane.errors.length = 0;
      cutter.arm(left.shift() ?? never);
      await plane.start();
    }
  }
  const end = outcome(plane);
  await plane.stop();
  return end;
};

test("a deployment's life ends the same wherever its control plane is cut off", { timeout: 600_000 }, async () => {
  const cut = fc.record({ after: fc.integer({ min: 1, max: 12 }), effect: fc.constantFrom<Effect>("lost", "done") });
  const calm = new Map<readonly Act[], unknown>();
  for (const acts of lives) calm.set(acts, await live(acts, []));
  const phases = [...calm.values()].map((end) => /"phase":"(\w+)"/.exec(JSON.stringify(end))?.[1] ?? "gone");
  expect(phases).toEqual(["gone", "Ready", "RolledBack", "Ready"]);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...lives), fc.array(cut, { minLength: 1, maxLength: 6 }), async (acts, cuts) => {
      expect(await live(acts, cuts)).toEqual(calm.get(acts));
    }),
    { ...parameters(12), examples: [[lives[2]!, unseenAtLast]] },
  );
});
