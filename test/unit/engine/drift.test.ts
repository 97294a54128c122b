import { describe, expect, it } from "vitest";
import { driftNow, existence, noDrift, type Drift } from "../../../src/engine/drift.ts";
import type { Resource, Step } from "../../../src/engine/ports.ts";

const object = (ready: "True" | "False", more: { observed?: number; deleting?: boolean; pending?: string } = {}) =>
  ({
    apiVersion: "aetherv.io/v1alpha1",
    kind: "VirtualMachine",
    metadata: {
      name: "web",
      namespace: "default",
      uid: "u1",
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      generation: 3,
      ...(more.deleting ? { deletionTimestamp: "2026-01-02T00:00:00Z" } : {}),
    },
    spec: {},
    status: {
      observedGeneration: more.observed ?? 3,
      conditions: [
        {
          type: "Ready",
          status: ready,
          reason: "Any",
          message: "",
          lastTransitionTime: "2026-01-01T00:00:00Z",
        },
      ],
      ...(more.pending === undefined ? {} : { pendingChanges: [{ path: more.pending }] }),
    },
  }) as unknown as Resource;

const step = (operation: Step["operation"], ...paths: readonly string[]): Step =>
  ({ operation, spec: {}, effect: "Hot", changes: paths.map((path) => ({ path })) }) as unknown as Step;

const cpu = "spec.cpu.count";
const known: Drift = { generation: 3, paths: new Set([cpu]) };

describe("what counts as drift", () => {
  it.each([
    {
      why: "Ready, and now it differs",
      before: noDrift,
      of: object("True"),
      plan: [step("vm.update", cpu)],
      is: [cpu],
    },
    {
      why: "an edit that is not taken up yet is its owner's",
      before: noDrift,
      of: object("True", { observed: 2 }),
      plan: [step("vm.update", cpu)],
      is: [],
    },
    {
      why: "an edit that awaits its approval is told of as pending",
      before: noDrift,
      of: object("True", { pending: cpu }),
      plan: [step("vm.update", cpu)],
      is: [],
    },
    {
      why: "on the way to Ready nothing has drifted",
      before: noDrift,
      of: object("False"),
      plan: [step("vm.update", cpu)],
      is: [],
    },
    {
      why: "it stays drift while it is put right",
      before: known,
      of: object("False"),
      plan: [step("vm.update", cpu)],
      is: [cpu],
    },
    { why: "put right, it is none", before: known, of: object("True"), plan: [], is: [] },
    {
      why: "what an older generation had says nothing",
      before: { ...known, generation: 2 },
      of: object("False"),
      plan: [step("vm.update", cpu)],
      is: [],
    },
    {
      why: "what is made anew drifted as a whole",
      before: noDrift,
      of: object("True"),
      plan: [step("vm.create", "spec.vmName", cpu)],
      is: [existence],
    },
    {
      why: "a deletion is wanted",
      before: noDrift,
      of: object("True", { deleting: true }),
      plan: [step("vm.delete", "metadata")],
      is: [],
    },
  ])("$why", ({ before, of, plan, is }) => {
    expect([...driftNow(before, of, plan).paths]).toEqual(is);
  });
});
