import { expect, test } from "vitest";
import { parse } from "yaml";
import { crds } from "../../../src/api/generated/crds.ts";
import { kinds } from "../../../src/api/kinds.ts";
import type { Schema } from "../../../src/api/schema.ts";

interface Node {
  readonly path: string;
  readonly schema: Schema;
  /** Below a list's items. */
  readonly inItem: boolean;
}

const walk = ({ path, schema, inItem }: Node): Node[] => [
  { path, schema, inItem },
  ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    walk({ path: `${path}.${name}`, schema: child, inItem }),
  ),
  ...(schema.items ? walk({ path: `${path}[]`, schema: schema.items, inItem: true }) : []),
  ...(schema.additionalProperties ? walk({ path: `${path}{}`, schema: schema.additionalProperties, inItem }) : []),
];

/** Every node below spec and status of every kind. */
const nodes = kinds.flatMap(({ kind, schema }) =>
  ["spec", "status"].flatMap((part) =>
    walk({ path: `${kind}.${part}`, schema: schema.properties?.[part] ?? {}, inItem: false }),
  ),
);
const specNodes = nodes.filter(({ path }) => path.split(".")[1] === "spec");

const offenders = (from: readonly Node[], wrong: (node: Node) => boolean): string[] =>
  from.filter(wrong).map(({ path }) => path);

test("every list has a list type and an upper bound; key fields are required", () => {
  const wrong = ({ schema }: Node): boolean => {
    if (schema.type !== "array") return false;
    const type = schema["x-kubernetes-list-type"];
    const keys = schema["x-kubernetes-list-map-keys"] ?? [];
    const keyed = keys.length > 0 && keys.every((key) => schema.items?.required?.includes(key));
    return schema.maxItems === undefined || type === undefined || (type === "map") !== keyed;
  };
  expect(offenders(nodes, wrong)).toEqual([]);
});

test("lists have the types of the design", () => {
  const types = new Map(nodes.map(({ path, schema }) => [path, schema["x-kubernetes-list-type"]]));
  const expected = {
    "VMHost.spec.storageClasses": "map",
    "VMHost.spec.networks": "map",
    "VMHost.spec.imagePaths": "set",
    "VMHost.spec.connection.ssh.hostKeys": "set",
    "VirtualMachine.spec.boot.order": "atomic",
    "VirtualMachine.spec.guest.services": "map",
    "VirtualMachine.spec.guest.scripts": "map",
    "VirtualMachine.spec.guest.files": "map",
    "VirtualMachine.spec.guest.sshAuthorizedKeys": "set",
    "NetworkAdapter.spec.vlan.allowed": "atomic",
    "NetworkAdapter.spec.ipv4.dnsServers": "atomic",
    "NetworkAdapter.spec.ipv6.searchDomains": "atomic",
    "ManagedDeployment.spec.disks": "map",
    "ManagedDeployment.spec.networkAdapters": "map",
  };
  expect(Object.fromEntries(Object.keys(expected).map((path) => [path, types.get(path)]))).toEqual(expected);
});

test("every string is bounded, every map too, every number of a spec", () => {
  const unboundedText = ({ schema }: Node): boolean =>
    schema.type === "string" && schema.enum === undefined && schema.maxLength === undefined;
  const unboundedMap = ({ schema }: Node): boolean =>
    schema.additionalProperties !== undefined && schema.maxProperties === undefined;
  const unboundedNumber = ({ schema }: Node): boolean =>
    (schema.type === "integer" || schema["x-kubernetes-int-or-string"] === true) &&
    schema.enum === undefined &&
    (schema.minimum === undefined || schema.maximum === undefined);
  expect(offenders(nodes, (node) => unboundedText(node) || unboundedMap(node))).toEqual([]);
  expect(offenders(specNodes, unboundedNumber)).toEqual([]);
});

test("defaults are constants, outside of lists and of embedded specs", () => {
  const wrong = ({ path, schema, inItem }: Node): boolean =>
    schema.default !== undefined &&
    (inItem || typeof schema.default === "object" || path.startsWith("ManagedDeployment.spec.virtualMachine"));
  expect(offenders(nodes, wrong)).toEqual([]);
});

test("no value of an enum reads as a boolean or number in YAML 1.1", () => {
  const wrong = ({ path, schema }: Node): boolean =>
    // metav1.Condition has True and False.
    !path.endsWith(".conditions[].status") &&
    (schema.enum ?? []).some((value) => typeof value === "string" && parse(value, { version: "1.1" }) !== value);
  expect(offenders(nodes, wrong)).toEqual([]);
});

test("sizes have one form", () => {
  const sizes = specNodes.filter(({ schema }) => schema.pattern?.includes("Mi"));
  expect(sizes.length).toBeGreaterThan(4);
  expect(new Set(sizes.map(({ schema }) => `${schema.pattern} ${schema.maxLength}`))).toEqual(
    new Set(["^[1-9][0-9]*(Mi|Gi|Ti)$ 20"]),
  );
});

test("every field has a description", () => {
  const isItem = (path: string): boolean => path.endsWith("[]") || path.endsWith("{}");
  const wrong = ({ path, schema }: Node): boolean =>
    !isItem(path) &&
    path !== "" &&
    !/^(ManagedDeployment.spec.*\.spec)$/.test(path) &&
    !schema.description?.endsWith(".");
  expect(offenders(nodes, wrong)).toEqual([]);
});

test("patterns mean the same in RE2 and ECMAScript: anchored, no look-around, no back references", () => {
  const wrong = ({ schema }: Node): boolean => {
    if (schema.pattern === undefined) return false;
    new RegExp(schema.pattern, "u");
    return !/^\^.*\$$/.test(schema.pattern) || /\(\?[=!<]|\\[1-9]/.test(schema.pattern);
  };
  expect(offenders(nodes, wrong)).toEqual([]);
});

test("every rule says what is wrong", () => {
  const wrong = ({ schema }: Node): boolean => (schema["x-kubernetes-validations"] ?? []).some((rule) => !rule.message);
  expect(offenders(nodes, wrong)).toEqual([]);
});

test("unions have a required type", () => {
  const wrong = ({ schema }: Node): boolean =>
    (schema["x-kubernetes-validations"] ?? []).some(({ rule }) => rule.includes("self.type ==")) &&
    !schema.required?.includes("type");
  expect(offenders(specNodes, wrong)).toEqual([]);
});

test.each(Object.values(crds).map((crd) => [crd.spec.names.kind, crd] as const))(
  "%s is a full citizen",
  (kind, crd) => {
    const [version] = crd.spec.versions;
    const properties = version?.schema.openAPIV3Schema.properties ?? {};
    expect(crd.metadata.name).toBe(`${crd.spec.names.plural}.${crd.spec.group}`);
    expect(crd.spec.names.shortNames).toHaveLength(1);
    expect(crd.spec.names.categories).toEqual(["aetherv"]);
    expect(crd.spec.scope).toBe(kind === "VMHost" ? "Cluster" : "Namespaced");
    expect(version).toMatchObject({ name: "v1alpha1", served: true, storage: true, subresources: { status: {} } });
    const columns = version?.additionalPrinterColumns.map(({ name }) => name) ?? [];
    expect([columns[0], columns.at(-1)]).toEqual(["Ready", "Age"]);
    expect(properties["spec"]?.properties).toMatchObject({
      managementPolicy: { enum: ["Manage", "Observe"], default: "Manage" },
      deletionPolicy: { enum: ["Delete", "Orphan"] },
      deletionProtection: { type: "boolean", default: false },
    });
    expect(properties["status"]?.properties?.["observedGeneration"]).toBeDefined();
    expect(properties["status"]?.properties?.["conditions"]?.["x-kubernetes-list-map-keys"]).toEqual(["type"]);
  },
);
