import { Command } from "commander";
import { kinds, type KindInfo } from "../../api/kinds.ts";
import { nearest } from "../../api/nearest.ts";
import type { Schema } from "../../api/schema.ts";
import { ControlError } from "../../server/control.ts";
import type { Tools } from "../context.ts";
import { kindTyped } from "../names.ts";
import { indent, table } from "../print/table.ts";
import type { Colours } from "../print/colour.ts";

const notes = `
Examples:
  aetherv explain vm                     fields of a virtual machine
  aetherv explain vm.spec.memory         one field and what lies below it
  aetherv explain avd.spec --recursive   all fields below`;

/** `aetherv explain`: the fields of a kind, from its CRD. */
export const explainCommand = (tools: Tools): Command =>
  new Command("explain")
    .description("Explain kinds and their fields")
    .argument("[path]", "KIND or KIND.field.path; all kinds if not given")
    .option("-r, --recursive", "list all fields below, not only the next level")
    .addHelpText("after", notes)
    .action((path: string | undefined, { recursive }: { recursive?: true }) => {
      const text = path === undefined ? kindsText() : fieldText(path, recursive ? "all" : "next", tools.colours);
      tools.context.terminal.out(text);
    });

const kindsText = (): string =>
  table(
    ["KIND", "SHORT NAME", "SCOPE", "DESCRIPTION"],
    kinds.map(({ kind, shortNames, scope, schema }) => [kind, shortNames.join(","), scope, schema.description ?? ""]),
  );

const fieldText = (path: string, depth: "next" | "all", colours: Colours): string => {
  const [typed = "", ...fields] = path.split(".").filter((part) => part !== "");
  const info = kindTyped(typed);
  const schema = descend(info, fields);
  const head: (readonly string[])[] = [
    ["KIND:", info.kind],
    ["VERSION:", "aetherv.io/v1alpha1"],
  ];
  if (fields.length > 0) head.push(["FIELD:", `${fields.join(".")} <${typeText(schema)}>`]);
  const facts = factsText(schema);
  const below = fieldsText(schema, depth, colours);
  return [
    table([], head),
    `\n${schema.description ?? ""}\n`,
    facts === "" ? "" : `${facts}\n`,
    below === "" ? "" : `\nFIELDS:\n${indent(below, 2)}`,
  ].join("");
};

const propertiesOf = (schema: Schema): Readonly<Record<string, Schema>> =>
  schema.properties ?? schema.items?.properties ?? schema.additionalProperties?.properties ?? {};

const descend = (info: KindInfo, fields: readonly string[]): Schema => {
  let at = info.schema;
  const walked: string[] = [info.kind];
  for (const field of fields) {
    const properties = propertiesOf(at);
    const next = properties[field];
    if (!next) {
      const near = nearest(field, Object.keys(properties));
      throw new ControlError(
        "Invalid",
        `${walked.join(".")} has no field "${field}"`,
        near === undefined
          ? `its fields are ${Object.keys(properties).join(", ") || "none"}`
          : `did you mean "${near}"?`,
      );
    }
    at = next;
    walked.push(field);
  }
  return at;
};

const typeText = (schema: Schema): string => {
  if (schema["x-kubernetes-int-or-string"]) return "integer or string";
  if (schema.type === "array") return `[]${schema.items ? typeText(schema.items) : ""}`;
  if (schema.additionalProperties) return `map[string]${typeText(schema.additionalProperties)}`;
  return schema.type ?? "object";
};

/** What values the field takes, from its schema: no range is repeated anywhere else. */
const factsText = (schema: Schema): string => {
  const facts: (readonly [string, string | undefined])[] = [
    ["Allowed", (schema.enum ?? schema.items?.enum)?.join(", ")],
    ["Default", schema.default === undefined ? undefined : JSON.stringify(schema.default)],
    ["Range", rangeText(schema.minimum, schema.maximum)],
    ["Length", rangeText(schema.minLength, schema.maxLength)],
    ["Items", rangeText(schema.minItems, schema.maxItems)],
    ["Pattern", schema.pattern],
    ["Format", schema.format],
  ];
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`])).join("\n");
};

const rangeText = (least: number | undefined, most: number | undefined): string | undefined => {
  if (least === undefined && most === undefined) return undefined;
  return `${least ?? "any"} to ${most ?? "any"}`;
};

const fieldsText = (schema: Schema, depth: "next" | "all", colours: Colours): string => {
  const required = new Set(schema.required ?? schema.items?.required ?? []);
  return Object.entries(propertiesOf(schema))
    .map(([name, field]) => {
      const mark = required.has(name) ? colours.yellow(" -required-") : "";
      const head = `${colours.bold(name)} <${typeText(field)}>${mark}\n`;
      if (depth === "all") return head + indent(fieldsText(field, depth, colours), 2);
      const facts = factsText(field)
        .split("\n")
        .filter((fact) => /^(Allowed|Default)/.test(fact));
      return head + indent([field.description ?? "", ...facts].filter(Boolean).join("\n") + "\n", 4);
    })
    .join("");
};
