import { expect, test } from "vitest";
import { kinds } from "../../../src/api/kinds.ts";
import type { Schema } from "../../../src/api/schema.ts";
import { validate, validateUpdate } from "../../../src/api/validate.ts";
import { modelCases } from "../../fixtures/model/load.ts";

const cases = modelCases();

const sorted = (issues: readonly { path: string; message: string }[]): string[] =>
  issues.map(({ path, message }) => `${path}: ${message}`).toSorted();

test("the table is large, and its names are unique", () => {
  expect(cases.length).toBeGreaterThanOrEqual(120);
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
});

test.each(cases.map((entry) => [entry.name, entry] as const))("%s", (_, { object, old, verdict }) => {
  const found = old ? validateUpdate(old, object) : validate(object);
  expect(found.valid ? [] : sorted(found.issues)).toEqual(verdict === "valid" ? [] : sorted(verdict));
});

/** Every rule of a schema as the path (list indexes left out) and text of its violation. */
const rulesOf = (schema: Schema, path: string): string[] => [
  ...(schema["x-kubernetes-validations"] ?? []).map((rule) => {
    const at = `${path}${rule.fieldPath ?? ""}`.replace(/^\./, "");
    return `${at}: ${rule.message}`;
  }),
  ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => rulesOf(child, `${path}.${name}`)),
  ...(schema.items ? rulesOf(schema.items, path) : []),
];

test.each(kinds.filter(({ kind }) => kind !== "ManagedDeployment").map((info) => [info.kind, info] as const))(
  "each CEL rule of %s is broken by a case",
  (kind, info) => {
    const broken = new Set(
      cases
        .filter(({ object }) => object["kind"] === kind)
        .flatMap(({ verdict }) => (verdict === "valid" ? [] : verdict))
        .map(
          ({ path, message }) =>
            `${path.replaceAll(/\[\d+\]/g, "")}: ${message.replace(/^.*?value: ("[^"]*": |\d+: )?/, "")}`,
        ),
    );
    expect(rulesOf(info.schema, "").filter((rule) => !broken.has(rule))).toEqual([]);
  },
);
