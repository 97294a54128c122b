import type { KindInfo } from "../kinds.ts";
import { issue } from "./issue.ts";
import type { Issue } from "./issue.ts";
import { isObject } from "./values.ts";
import type { JsonObject } from "./values.ts";

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const key = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

const labelPattern = new RegExp(`^${label}$`);
const subdomainPattern = new RegExp(`^${subdomain}$`);
const keyPattern = new RegExp(`^${key}$`);
const valuePattern = new RegExp(`^(${key})?$`);

const bytes = (text: string): number => new TextEncoder().encode(text).length;
const tooLong = (limit: number): string => `must be no more than ${limit} bytes`;
const chars = "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

const subdomainFaults = (name: string): string[] => [
  ...(bytes(name) > 253 ? [tooLong(253)] : []),
  ...(subdomainPattern.test(name)
    ? []
    : [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
          `with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomain}')`,
      ]),
];

const labelFaults = (name: string): string[] => {
  const long = bytes(name) > 63 ? [tooLong(63)] : [];
  if (labelPattern.test(name)) return long;
  if (subdomainPattern.test(name)) return [...long, "must not contain dots"];
  const text =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
    `alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label}')`;
  return [...long, text];
};

const keyText = `must consist of ${chars} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${key}')`;

const keyFaults = (text: string): string[] => {
  const parts = text.split("/");
  if (parts.length > 2) {
    return [`a valid label key ${keyText} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = parts.at(-1) ?? "";
  return [
    ...(parts.length === 2 ? prefixFaults(parts[0] ?? "") : []),
    ...(name === "" ? ["name part must be non-empty"] : []),
    ...(bytes(name) > 63 ? [`name part ${tooLong(63)}`] : []),
    ...(keyPattern.test(name) ? [] : [`name part ${keyText}`]),
  ];
};

const prefixFaults = (prefix: string): string[] =>
  prefix === "" ? ["prefix part must be non-empty"] : subdomainFaults(prefix).map((fault) => `prefix part ${fault}`);

const valueFaults = (value: string): string[] => [
  ...(bytes(value) > 63 ? [tooLong(63)] : []),
  ...(valuePattern.test(value)
    ? []
    : [
        `a valid label must be an empty string or consist of ${chars} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used ` +
          `for validation is '(${key})?')`,
      ]),
];

const invalid = (path: string, value: unknown, faults: readonly string[]): Issue[] =>
  faults.map((detail) => issue({ path, reason: "FieldValueInvalid", value, detail }));

/** Checks name, namespace, labels and annotations as the API server does. `metadata` holds only known fields of the right types. */
export const metadataIssues = (metadata: JsonObject, info: KindInfo): Issue[] => [
  ...nameIssues(metadata["name"]),
  ...namespaceIssues(metadata["namespace"], info),
  ...entries(metadata["labels"]).flatMap(([name, value]) => [
    ...invalid("metadata.labels", name, keyFaults(name)),
    ...invalid("metadata.labels", value, valueFaults(value)),
  ]),
  ...annotationIssues(entries(metadata["annotations"])),
];

const nameIssues = (name: unknown): Issue[] => {
  const path = "metadata.name";
  if (typeof name !== "string" || name === "") {
    return [issue({ path, reason: "FieldValueRequired", detail: "name or generateName is required" })];
  }
  return invalid(path, name, subdomainFaults(name));
};

const namespaceIssues = (namespace: unknown, info: KindInfo): Issue[] => {
  const path = "metadata.namespace";
  const given = typeof namespace === "string" && namespace !== "" ? namespace : undefined;
  if (info.scope === "Cluster") {
    if (given === undefined) return [];
    return [issue({ path, reason: "FieldValueForbidden", detail: "not allowed on this type" })];
  }
  return given === undefined
    ? [issue({ path, reason: "FieldValueRequired" })]
    : invalid(path, given, labelFaults(given));
};

const annotationLimit = 256 * 1024;

const annotationIssues = (annotations: readonly [string, string][]): Issue[] => {
  const path = "metadata.annotations";
  const size = annotations.reduce((sum, [name, value]) => sum + bytes(name) + bytes(value), 0);
  const detail = `may not be more than ${annotationLimit} bytes`;
  return [
    ...annotations.flatMap(([name]) => invalid(path, name, keyFaults(name.toLowerCase()))),
    ...(size > annotationLimit ? [issue({ path, reason: "FieldValueTooLong", detail })] : []),
  ];
};

const entries = (map: unknown): [string, string][] =>
  isObject(map) ? Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === "string") : [];
