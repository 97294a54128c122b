import { expect, test } from "vitest";
import { completeGroup, completeSpec } from "../../../src/api/defaults.ts";

test("a host's constants", () => {
  const ssh = { address: "hv1", user: "u", credentialsSecretRef: { namespace: "a", name: "b" }, hostKeys: [] };
  expect(completeSpec("VMHost", { connection: { type: "SSH", ssh } })).toEqual({
    connection: { type: "SSH", ssh: { ...ssh, port: 22 } },
    managementPolicy: "Manage",
    deletionProtection: false,
    driver: "HyperV",
    unschedulable: false,
    concurrency: 4,
    longConcurrency: 2,
    inventoryInterval: "30s",
    trashRetention: "24h",
  });
});

test("a deployment fills in nothing of its children", () => {
  const spec = { virtualMachine: { shutdown: {} }, disks: [{ name: "a", spec: { source: { type: "Blank" } } }] };
  expect(completeSpec("ManagedDeployment", spec)).toEqual({
    ...spec,
    managementPolicy: "Manage",
    deletionProtection: false,
    progressDeadlineSeconds: 3600,
    onFailure: "Rollback",
  });
});

test.each([
  { why: "absent", group: undefined, gives: { mode: "Graceful", timeoutSeconds: 900 } },
  { why: "in part", group: { timeoutSeconds: 5 }, gives: { mode: "Graceful", timeoutSeconds: 5 } },
] as const)("a group in force: $why", ({ group, gives }) => {
  expect(completeGroup("VirtualMachine", "shutdown", group as never)).toEqual(gives);
});
