import { describe, expect, it } from "vitest";
import { offeredFor, offeredForAll, type ActionId } from "../../../console/src/actions/offered.ts";
import type { Resource } from "../../../src/api/resource.ts";

const allowed = (): undefined => undefined;

const machine = (more: {
  spec?: object;
  status?: object;
  metadata?: Partial<Resource["metadata"]>;
  kind?: string;
}): Resource => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind: more.kind ?? "VirtualMachine",
  metadata: {
    name: "web",
    namespace: "default",
    uid: "1",
    generation: 1,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    ...more.metadata,
  },
  spec: more.spec ?? {},
  status: more.status ?? { powerState: "Running" },
});

const can = (object: Resource): readonly ActionId[] =>
  offeredFor(object, allowed).flatMap(({ id, reason }) => (reason === undefined ? [id] : []));
const why = (object: Resource, id: ActionId): string | undefined =>
  offeredFor(object, allowed).find((one) => one.id === id)?.reason;

describe("what is offered for an object", () => {
  it.each<{ why: string; object: Resource; can: readonly ActionId[] }>([
    {
      why: "runs as declared: everything but to start it",
      object: machine({}),
      can: ["shutdown", "turnOff", "save", "restart", "edit", "pause", "delete"],
    },
    {
      why: "off as declared: start it, or save nothing",
      object: machine({ spec: { powerState: "Stopped" }, status: { powerState: "Stopped" } }),
      can: ["start", "edit", "pause", "delete"],
    },
    {
      why: "being shut down by a guest that hangs: it can be turned off or saved",
      object: machine({ spec: { powerState: "Stopped" } }),
      can: ["start", "turnOff", "save", "edit", "pause", "delete"],
    },
    {
      why: "changes wait: they can be approved",
      object: machine({ status: { powerState: "Running", planHash: "abc" } }),
      can: ["approve", "shutdown", "turnOff", "save", "restart", "edit", "pause", "delete"],
    },
    {
      why: "changes are approved and not made yet: there is nothing to approve again",
      object: machine({
        metadata: { annotations: { "aetherv.io/approve": "abc" } },
        status: { powerState: "Running", planHash: "abc" },
      }),
      can: ["shutdown", "turnOff", "save", "restart", "edit", "pause", "delete"],
    },
    {
      why: "another plan was approved: this one can be",
      object: machine({
        metadata: { annotations: { "aetherv.io/approve": "old" } },
        status: { powerState: "Running", planHash: "abc" },
      }),
      can: ["approve", "shutdown", "turnOff", "save", "restart", "edit", "pause", "delete"],
    },
    {
      why: "paused: it can go on",
      object: machine({ metadata: { annotations: { "aetherv.io/paused": "true" } } }),
      can: ["shutdown", "turnOff", "save", "restart", "edit", "resume", "delete"],
    },
    {
      why: "only observed: no power",
      object: machine({ spec: { managementPolicy: "Observe" } }),
      can: ["edit", "pause", "delete"],
    },
    {
      why: "power left to the host",
      object: machine({ spec: { powerPolicy: "OnCreate" } }),
      can: ["edit", "pause", "delete"],
    },
    {
      why: "made by a deployment: its power is passed on, edits belong there",
      object: machine({
        metadata: {
          ownerReferences: [{ apiVersion: "v", kind: "ManagedDeployment", name: "d", uid: "2", controller: true }],
        },
      }),
      can: ["shutdown", "turnOff", "save", "restart", "pause"],
    },
    {
      why: "being deleted: nothing but to leave its things",
      object: machine({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
      can: ["pause", "orphan"],
    },
    {
      why: "held by the mass-delete guard: the deletion can be confirmed",
      object: machine({
        metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" },
        status: { deletionBatch: "0123abcd" },
      }),
      can: ["pause", "confirm-delete", "orphan"],
    },
    { why: "a disk has no power", object: machine({ kind: "VirtualDisk" }), can: ["edit", "pause", "delete"] },
  ])("$why", ({ object, can: expected }) => expect(can(object)).toEqual(expected));

  it("says why something can't be done", () => {
    expect(why(machine({}), "start")).toBe("It runs.");
    expect(why(machine({ spec: { deletionProtection: true } }), "delete")).toMatch(/protected/);
    expect(why(machine({ spec: { managementPolicy: "Observe" } }), "turnOff")).toMatch(/observed/);
  });

  it("says what the account lacks before anything else", () => {
    const offers = offeredFor(machine({}), (permission) => `no ${permission}`);
    expect(offers.every(({ reason }) => reason?.startsWith("no "))).toBe(true);
    expect(offers.find(({ id }) => id === "restart")?.reason).toBe("no restart");
  });
});

describe("what is offered for several", () => {
  const on = machine({ metadata: { uid: "a", name: "a" } });
  const off = machine({
    metadata: { uid: "b", name: "b" },
    spec: { powerState: "Stopped" },
    status: { powerState: "Stopped" },
  });

  it("is done to those that it makes sense for", () => {
    const offers = offeredForAll([on, off], allowed);
    const names = (id: ActionId) => offers.find((one) => one.id === id)?.objects.map(({ metadata }) => metadata.name);
    expect(names("start")).toEqual(["b"]);
    expect(names("shutdown")).toEqual(["a"]);
    expect(names("delete")).toEqual(["a", "b"]);
    expect(offers.find(({ id }) => id === "delete")?.title).toBe("Delete… (2)");
    expect(offers.some(({ id }) => id === "edit" || id === "confirm-delete")).toBe(false);
  });

  it("has a reason where none of them allows it", () => {
    expect(offeredForAll([on], allowed).find(({ id }) => id === "start")?.reason).toBe("It runs.");
  });
});
