import { apiVersion, isKind, kinds, nearestKind } from "../../api/kinds.ts";
import { keyText } from "../../api/resource.ts";
import type { Key, Resource } from "../../api/resource.ts";
import { frozenInDepth } from "../equal.ts";
import { namespaceOf } from "../rows.ts";
import type { Manifest } from "../rows.ts";
import type { FieldProblem, Validation } from "../validation.ts";
import { identity, isObject, nameOfType } from "./part.ts";
import type { FileContent, ObjectDocument, Part } from "./part.ts";
import { childPath } from "./place.ts";
import type { Place, Problem } from "./place.ts";
import { parseSecret } from "./secret.ts";
import type { Locate, YamlDocument } from "./yaml.ts";

const nothing: FileContent = { objects: [], secrets: [], problems: [] };

export const joined = (parts: readonly FileContent[]): FileContent => ({
  objects: parts.flatMap((part) => part.objects),
  secrets: parts.flatMap((part) => part.secrets),
  problems: parts.flatMap((part) => part.problems),
});

/** What a document of a file declares. An empty one declares nothing. */
export const readDocument = (document: YamlDocument, file: string, validation: Validation): FileContent => {
  if (document.value === null) return nothing;
  return readValue(document.value, { position: document.position, file, prefix: "" }, validation);
};

interface Where {
  readonly position: Locate;
  readonly file: string;
  /** Path of an item of a List; "" for the whole document. */
  readonly prefix: string;
}

const placeOf = ({ position, file, prefix }: Where, path: string): Place => ({
  file,
  ...position(prefix === "" || path === "" ? prefix + path : childPath(prefix, path)),
});

type Report = (path: string, message: string) => Problem;

/** It is kept with the object, so that it must hold nothing but places. */
const reporter =
  (where: Where): Report =>
  (path, message) => ({ ...placeOf(where, path), ...(path === "" ? {} : { path }), message });

const readValue = (value: unknown, where: Where, validation: Validation): FileContent => {
  const problem = reporter(where);
  if (!isObject(value))
    return failed(
      problem("", `expected an object with apiVersion, kind, metadata and spec, found ${nameOfType(value)}`),
    );
  const part: Part = { value, place: placeOf(where, ""), problem };
  const kind = value["kind"];
  const version = value["apiVersion"];
  if (kind === "List" && version === "v1") return readList(part, where, validation);
  if (kind === "Secret" && version === "v1") return parseSecret(part);
  const fault = typeFault(kind, version);
  if (fault) return failed(problem(fault.path, fault.message));
  return readObject(part, String(kind), validation);
};

const failed = (...problems: readonly Problem[]): FileContent => ({ ...nothing, problems });

const readList = (part: Part, where: Where, validation: Validation): FileContent => {
  const items = part.value["items"] ?? [];
  if (!Array.isArray(items)) return failed(part.problem("items", `expected a list, found ${nameOfType(items)}`));
  return joined(items.map((item, i) => readValue(item, { ...where, prefix: childPath("items", i) }, validation)));
};

const allowed = `${kinds.map(({ kind }) => kind).join(", ")} (apiVersion ${apiVersion}) and Secret (apiVersion v1)`;

const typeFault = (kind: unknown, version: unknown): { path: string; message: string } | undefined => {
  for (const [path, value] of Object.entries({ apiVersion: version, kind })) {
    if (value === undefined) return { path, message: `is missing; allowed are ${allowed}` };
    if (typeof value !== "string")
      return { path, message: `expected text, found ${nameOfType(value)}; allowed are ${allowed}` };
  }
  const name = String(kind);
  if (!isKind(name) && name !== "Secret") {
    const near = nearestKind(name);
    const hint = near === undefined ? "" : ` (did you mean ${JSON.stringify(near)}?)`;
    return { path: "kind", message: `kind ${JSON.stringify(name)} is not known${hint}; allowed are ${allowed}` };
  }
  const right = name === "Secret" ? "v1" : apiVersion;
  if (version === right) return undefined;
  return {
    path: "apiVersion",
    message: `${JSON.stringify(version)} is not the version of a ${name}: expected ${right}`,
  };
};

/** Fields of metadata that the store gives: taken as absent, as `kubectl apply` does with what `get -o yaml` printed. */
const given = new Set([
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
  "finalizers",
]);

const readObject = (part: Part, kind: string, validation: Validation): FileContent => {
  const named = identity(part);
  if ("message" in named) return failed(named);
  const key: Key = { kind, namespace: namespaceOf(kind, named.namespace), name: named.name };
  const problems = problemsAt(part.problem, key);
  const own = Object.fromEntries(Object.entries(named.metadata).filter(([name]) => !given.has(name)));
  const unlisted: FieldProblem[] = ["ownerReferences", "generateName"]
    .filter((name) => name in own)
    .map((name) => ({ path: `metadata.${name}`, message: "is not allowed in a file" }));
  const { status: _, ...rest } = part.value;
  const metadata = {
    ...own,
    ...(key.namespace === "" || named.namespace !== undefined ? {} : { namespace: key.namespace }),
  };
  const verdict = validation.validate({ ...rest, metadata } as unknown as Resource);
  const errors = [...unlisted, ...(verdict.ok ? [] : verdict.errors)];
  const base = { key, place: part.place, problems };
  if (errors.length > 0 || !verdict.ok) return { objects: [base], secrets: [], problems: problems(errors) };
  const manifest = manifestOf(key, verdict.object);
  return { objects: [{ ...base, key: manifest.key, manifest }], secrets: [], problems: [] };
};

const problemsAt =
  (report: Report, key: Key): ObjectDocument["problems"] =>
  (errors) =>
    errors.map(({ path, message }) => ({ ...report(path, message), key: keyText(key) }));

/** Written and read once: parts of a text keep all of it in memory. Frozen: the object that is made of it shares it. */
const manifestOf = (key: Key, { metadata, spec }: Resource): Manifest => {
  const { labels = {}, annotations = {} } = metadata;
  return frozenInDepth(JSON.parse(JSON.stringify({ key, labels, annotations, spec })) as Manifest);
};
