import { expect, test } from "vitest";
import { issueText, validate, validateUpdate } from "../../../src/api/validate.ts";
import type { Verdict } from "../../../src/api/validate.ts";
import { modelBases } from "../../fixtures/model/load.ts";

const bases = modelBases();
const vm = (spec: object, more: object = {}): object => {
  const base = bases["vm"] as { spec: object };
  return { ...base, ...more, spec: { ...base.spec, ...spec } };
};
const lines = (verdict: Verdict): string[] => (verdict.valid ? [] : verdict.issues.map(issueText));

test.each([
  { why: "a letter is missing", spec: { powerStat: "Running" }, hint: "powerState" },
  { why: "letters are swapped", spec: { memroy: {} }, hint: "memory" },
  { why: "another case", spec: { BOOT: {} }, hint: "boot" },
  { why: "in a list", spec: { dvdDrives: [{ name: "a", imgae: "x" }] }, hint: "image" },
  { why: "nothing is near", spec: { zebra: 1 }, hint: undefined },
])("an unknown field names the nearest one: $why", ({ spec, hint }) => {
  const verdict = validate(vm(spec));
  const unknown = verdict.valid ? [] : verdict.issues.filter(({ reason }) => reason === "UnknownField");
  expect(unknown.map((issue) => issue.hint)).toEqual([hint]);
});

test("unknown fields do not hide what else is wrong", () => {
  expect(lines(validate(vm({ memroy: {}, memory: { startup: "4G" } })))).toEqual([
    'unknown field "spec.memroy" (did you mean "memory"?)',
    "spec.memory.startup: Invalid value: \"4G\": spec.memory.startup in body should match '^[1-9][0-9]*(Mi|Gi|Ti)$'",
  ]);
});

test.each([
  { why: "no object", object: "text", says: ["Invalid value: must be an object"] },
  { why: "nothing", object: null, says: ["Invalid value: must be an object"] },
  { why: "no apiVersion", object: { kind: "VMHost" }, says: ["apiVersion: Required value"] },
  {
    why: "another version",
    object: { apiVersion: "aetherv.io/v1", kind: "VMHost" },
    says: ['apiVersion: Invalid value: "aetherv.io/v1": must be aetherv.io/v1alpha1'],
  },
  {
    why: "a short name is no kind",
    object: { apiVersion: "aetherv.io/v1alpha1", kind: "avm" },
    says: [
      'kind: Invalid value: "avm": must be VMHost, VirtualMachine, VirtualDisk, NetworkAdapter, ManagedDeployment (did you mean "VirtualMachine"?)',
    ],
  },
])("what is no object of the group: $why", ({ object, says }) => {
  expect(lines(validate(object)).map((line) => line.replace(/^: /, ""))).toEqual(says);
});

test.each([
  { why: "a namespaced kind has a namespace", metadata: { name: "a" }, says: "metadata.namespace: Required value" },
  { why: "a namespace has no dots", metadata: { name: "a", namespace: "a.b" }, says: "must not contain dots" },
  { why: "a name is needed", metadata: { namespace: "a" }, says: "metadata.name: Required value" },
  {
    why: "a label is a text",
    metadata: { name: "a", namespace: "a", labels: { x: 1 } },
    says: "must be of type string",
  },
])("metadata: $why", ({ metadata, says }) => {
  expect(lines(validate(vm({}, { metadata }))).join("\n")).toContain(says);
});

test("a cluster-scoped object has no namespace", () => {
  const host = { ...bases["vmhost"], metadata: { name: "hv1", namespace: "default" } };
  expect(lines(validate(host))).toEqual(["metadata.namespace: Forbidden: not allowed on this type"]);
});

test("defaults are filled in, absent groups stay absent, status is dropped", () => {
  const verdict = validate(vm({ shutdown: {}, notes: null, powerPolicy: null }, { status: { host: "x" } }));
  expect(verdict.valid && verdict.object).toEqual({
    ...bases["vm"],
    spec: {
      ...(bases["vm"]?.["spec"] as object),
      managementPolicy: "Manage",
      deletionProtection: false,
      powerPolicy: "Enforce",
      shutdown: { mode: "Graceful", timeoutSeconds: 900 },
    },
  });
});

test("the object given is not changed", () => {
  const object = vm({ shutdown: {} });
  const before = structuredClone(object);
  validate(object);
  expect(object).toEqual(before);
});

test("a fraction is no integer", () => {
  const [line] = lines(validate(vm({ cpu: { count: 1.5 } })));
  expect(line).toBe(
    'spec.cpu.count: Invalid value: "number": spec.cpu.count in body must be of type integer: "number"',
  );
});

test.each([
  { why: "what was wrong and is unchanged is no reason against an edit", spec: { cpu: { count: 4 } }, says: [] },
  {
    why: "an edit of what was wrong must put it right",
    spec: { memory: { startup: "5G" } },
    says: [
      "spec.memory.startup: Invalid value: \"5G\": spec.memory.startup in body should match '^[1-9][0-9]*(Mi|Gi|Ti)$'",
    ],
  },
])("$why", ({ spec, says }) => {
  const old = vm({ memory: { startup: "4G" } });
  expect(lines(validateUpdate(old, vm({ memory: { startup: "4G" }, ...spec })))).toEqual(says);
});

test("a document that changed nothing passes", () => {
  expect(validateUpdate(bases["disk"], bases["disk"]).valid).toBe(true);
});

test("names of fields that objects inherit are unknown fields", () => {
  const verdict = validate(vm(JSON.parse('{"__proto__": {"x": 1}, "constructor": 1, "toString": 2}') as object));
  expect(lines(verdict)).toEqual(
    expect.arrayContaining(['unknown field "spec.constructor"', 'unknown field "spec.toString"']),
  );
});

test("an unchanged breach of a rule is no reason against an edit, a changed one is", () => {
  const small = (count: number, startup: string): object => vm({ cpu: { count }, memory: { startup } });
  expect(lines(validate(small(2, "16Mi")))).toEqual([
    'spec.memory.startup: Invalid value: "16Mi": must be from 32Mi to 12Ti',
  ]);
  expect(lines(validateUpdate(small(2, "16Mi"), small(4, "16Mi")))).toEqual([]);
  expect(lines(validateUpdate(small(2, "16Mi"), small(2, "17Mi")))).toEqual([
    'spec.memory.startup: Invalid value: "17Mi": must be from 32Mi to 12Ti',
  ]);
});

test("a value that contains itself, and one that fills a screen, are shown in short", () => {
  const ring: Record<string, unknown> = {};
  ring["self"] = ring;
  expect(lines(validate(vm({ powerState: ring }))).join("\n")).toContain("(a value that contains itself)");
  const long = lines(validate(vm({ powerState: "x".repeat(10_000_000) })));
  expect(long[0]?.length).toBeLessThan(1200);
});
