import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { crdPath, readCrd, specSchema } from "./crds.ts";
import type { SchemaNode } from "./crds.ts";

/** Fields that a deployment decides itself, by their path in the spec. */
const removed: Record<string, readonly string[]> = {
  virtualmachine: ["host", "adopt"],
  virtualdisk: ["host", "source.path", "attachment.virtualMachine"],
  networkadapter: ["virtualMachine", "adopt"],
};

const at = ["spec", "versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "properties"];
const places = {
  virtualmachine: [...at, "virtualMachine"],
  virtualdisk: [...at, "disks", "items", "properties", "spec"],
  networkadapter: [...at, "networkAdapters", "items", "properties", "spec"],
} as const;

const remove = (schema: SchemaNode, path: readonly string[]): void => {
  const [head, ...rest] = path;
  if (head === undefined) return;
  const child = schema.properties?.[head];
  if (!schema.properties || !child) throw new Error(`no field ${path.join(".")} to leave out`);
  if (rest.length > 0) return remove(child, rest);
  delete schema.properties[head];
  const required = (schema.required ?? []).filter((name) => name !== head);
  if (required.length > 0) schema.required = required;
  else delete schema.required;
  const rules = schema["x-kubernetes-validations"];
  if (rules) schema["x-kubernetes-validations"] = withoutField(rules, head);
};

/** Rules know an absent field as `has(self.x)` being false; one that still reads the field has lost its sense. */
const withoutField = (rules: readonly { rule: string }[], field: string): { rule: string }[] =>
  rules
    .map((entry) => ({ ...entry, rule: entry.rule.replaceAll(`!has(self.${field}) || `, "true || ") }))
    .map((entry) => ({ ...entry, rule: entry.rule.replaceAll(`has(self.${field}) || `, "") }))
    .filter(
      (entry) => !entry.rule.startsWith("true || ") && !new RegExp(`(self|oldSelf)\\.${field}\\b`).test(entry.rule),
    );

/** Defaults belong to the child: the deployment would otherwise differ from what its author wrote. */
const stripDefaults = (schema: SchemaNode): void => {
  delete schema.default;
  for (const child of Object.values(schema.properties ?? {})) stripDefaults(child);
  if (schema.items) stripDefaults(schema.items);
};

const embedded = (root: string, file: keyof typeof places): SchemaNode => {
  const schema = structuredClone(specSchema(readCrd(root, file)));
  for (const path of removed[file] ?? []) remove(schema, path.split("."));
  const kinds = schema.properties?.["source"]?.properties?.["type"];
  if (file === "virtualdisk" && kinds) kinds["enum"] = (kinds["enum"] as string[]).filter((kind) => kind !== "File");
  stripDefaults(schema);
  return schema;
};

/** The text of crds/manageddeployment.yaml with the embedded specs made anew from the three other CRDs. */
export const deploymentCrd = (root: string): string => {
  const document = parseDocument(readFileSync(crdPath(root, "manageddeployment"), "utf8"));
  for (const file of ["virtualmachine", "virtualdisk", "networkadapter"] as const) {
    document.setIn(places[file], document.createNode(embedded(root, file), { aliasDuplicateObjects: false }));
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
};
