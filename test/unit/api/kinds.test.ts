import { expect, test } from "vitest";
import { findKind, nearestKind } from "../../../src/api/kinds.ts";
import { nearest } from "../../../src/api/nearest.ts";

test.each([
  { typed: "VirtualMachine", kind: "VirtualMachine" },
  { typed: "virtualmachines", kind: "VirtualMachine" },
  { typed: "virtualmachines.aetherv.io", kind: "VirtualMachine" },
  { typed: "avm", kind: "VirtualMachine" },
  { typed: "AVH", kind: "VMHost" },
  { typed: "avdep", kind: "ManagedDeployment" },
  { typed: "pods", kind: undefined },
])("$typed is $kind", ({ typed, kind }) => {
  expect(findKind(typed)?.kind).toBe(kind);
});

test.each([
  { typed: "VirtualMachin", near: "VirtualMachine" },
  { typed: "vmhosts", near: "VMHost" },
  { typed: "xyz", near: undefined },
])("nearest to $typed is $near", ({ typed, near }) => {
  expect(nearestKind(typed)).toBe(near);
});

test("a swap is nearer than two changes", () => {
  expect(nearest("memroy", ["memry", "memory", "mem"])).toBe("memry");
  expect(nearest("nmae", ["note", "name"])).toBe("name");
});
