import type { Key } from "../../api/resource.ts";
import type { Manifest } from "../rows.ts";
import type { FieldProblem } from "../validation.ts";
import type { Place, Problem } from "./place.ts";

/** A document that names an object; `manifest` is there when it is valid. */
export interface ObjectDocument {
  readonly key: Key;
  readonly place: Place;
  readonly manifest?: Manifest;
  /** Problems of the model, each at its field. */
  problems(errors: readonly FieldProblem[]): readonly Problem[];
}

export interface FileContent {
  readonly objects: readonly ObjectDocument[];
  readonly secrets: readonly SecretDocument[];
  readonly problems: readonly Problem[];
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** One object within a document (all of it, or an item of a List), and how to name its places. */
export interface Part {
  readonly value: JsonObject;
  readonly place: Place;
  /** A problem of one of its fields, at the field. */
  readonly problem: (path: string, message: string) => Problem;
}

/** A Secret as a file declares it. Its values are read when they are used, and kept nowhere. */
export interface SecretDocument {
  readonly namespace: string;
  readonly name: string;
  readonly place: Place;
  /** Bytes of each value. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Only in what was read to be used. */
  readonly values?: Readonly<Record<string, Uint8Array>>;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const nameOfType = (value: unknown): string =>
  value === null
    ? "nothing"
    : Array.isArray(value)
      ? "a list"
      : typeof value === "string"
        ? "text"
        : `a ${typeof value}`;

/** Name and namespace of a part, as far as they can name an object. */
export const identity = (part: Part): { metadata: JsonObject; name: string; namespace?: string } | Problem => {
  const { metadata } = part.value;
  if (!isObject(metadata))
    return part.problem(
      "metadata",
      metadata === undefined ? "is missing" : `expected an object, found ${nameOfType(metadata)}`,
    );
  const { name, namespace } = metadata;
  if (typeof name !== "string" || name === "")
    return part.problem(
      "metadata.name",
      name === undefined || name === "" ? "is missing" : `expected text, found ${nameOfType(name)}: use quotes`,
    );
  if (namespace === undefined) return { metadata, name };
  if (typeof namespace !== "string")
    return part.problem("metadata.namespace", `expected text, found ${nameOfType(namespace)}: use quotes`);
  return { metadata, name, namespace };
};
