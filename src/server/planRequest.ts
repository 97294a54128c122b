import { isKind, kindInfo } from "../api/kinds.ts";
import type { Key } from "../api/resource.ts";
import { ControlError, type DraftDocument, type PlanRequest, type SecretName } from "./control.ts";
import { isDeeperThan, mostLevels } from "./nesting.ts";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const lists = ["documents", "remove", "secrets"] as const;

/** A plan's request with drafts that name their objects, as the planner needs them; what they say is judged by the plan. */
export const planRequest = (body: unknown): PlanRequest => {
  if (isDeeperThan(body, mostLevels))
    throw new ControlError("Invalid", `the body is nested more than ${mostLevels} levels deep`);
  const { documents, remove, secrets } = listsIn(body);
  const { whole, live } = isObject(body) ? body : {};
  return {
    ...(documents && { documents: documents.map(draft) }),
    ...(remove && { remove: remove.map(removed) }),
    ...(secrets && { secrets: secrets.map(secretName) }),
    ...(whole === true ? { whole } : {}),
    ...(live === true ? { live } : {}),
  };
};

type Lists = Readonly<Partial<Record<(typeof lists)[number], readonly unknown[]>>>;

const listsIn = (body: unknown): Lists => {
  if (!isObject(body)) throw new ControlError("Invalid", "a plan's request must be an object");
  for (const name of lists)
    if (body[name] !== undefined && !Array.isArray(body[name]))
      throw new ControlError("Invalid", `${name} must be a list`);
  return body as Lists;
};

const draft = (given: unknown, index: number): DraftDocument => {
  const { object, place } = isObject(given) ? given : {};
  if (!isObject(object) || !isObject(object["metadata"]) || typeof object["metadata"]["name"] !== "string")
    throw new ControlError("Invalid", `documents[${index}].object must be an object with metadata.name`);
  const kind = String(object["kind"]);
  if (!isKind(kind)) throw new ControlError("Invalid", `documents[${index}].object: unknown kind "${kind}"`);
  const metadata = { ...object["metadata"] };
  if (kindInfo(kind).scope === "Namespaced") metadata["namespace"] ??= "default";
  const { file = "", line, column } = isObject(place) ? place : {};
  const at = {
    file: String(file),
    ...(typeof line === "number" ? { line } : {}),
    ...(typeof column === "number" ? { column } : {}),
  };
  return { object: { ...object, metadata }, place: at };
};

const removed = (given: unknown, index: number): Key => {
  const { kind, namespace = "", name } = isObject(given) ? given : {};
  if (typeof kind !== "string" || typeof namespace !== "string" || typeof name !== "string" || !isKind(kind))
    throw new ControlError("Invalid", `remove[${index}] must have kind, namespace and name`);
  return { kind, namespace, name };
};

const secretName = (given: unknown, index: number): SecretName => {
  const { namespace, name } = isObject(given) ? given : {};
  if (typeof namespace !== "string" || typeof name !== "string")
    throw new ControlError("Invalid", `secrets[${index}] must have namespace and name`);
  return { namespace, name };
};
