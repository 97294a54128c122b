import { isKind, kindInfo } from "../../api/kinds.ts";
import type { Key } from "../../api/resource.ts";
import type { DraftDocument, PlanRequest } from "../control.ts";
import { ApiError } from "./status.ts";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Beyond this, one request would keep the control plane from its hosts for seconds: its work grows with the square. */
const most = 1_000;

/** A plan's request with drafts that name their objects, as the planner needs them; what they say is judged by the plan. */
export const planRequest = (body: unknown): PlanRequest => {
  const { documents, remove, whole, live } = isObject(body) ? body : {};
  for (const [name, list] of Object.entries({ documents, remove }))
    if (list !== undefined && !Array.isArray(list)) throw new ApiError("BadRequest", `${name} must be a list`);
  const count = ((documents ?? []) as unknown[]).length + ((remove ?? []) as unknown[]).length;
  if (count > most)
    throw new ApiError(
      "RequestEntityTooLarge",
      `${count} documents and deletions: at most ${most} are planned at once`,
    );
  return {
    ...(documents === undefined ? {} : { documents: (documents as unknown[]).map(draft) }),
    ...(remove === undefined ? {} : { remove: (remove as unknown[]).map(removed) }),
    ...(whole === true ? { whole } : {}),
    ...(live === true ? { live } : {}),
  };
};

const draft = (given: unknown, index: number): DraftDocument => {
  const { object, place } = isObject(given) ? given : {};
  if (!isObject(object) || !isObject(object["metadata"]) || typeof object["metadata"]["name"] !== "string")
    throw new ApiError("BadRequest", `documents[${index}].object must be an object with metadata.name`);
  const kind = String(object["kind"]);
  if (!isKind(kind)) throw new ApiError("BadRequest", `documents[${index}].object: unknown kind "${kind}"`);
  const metadata = { ...object["metadata"] };
  if (kindInfo(kind).scope === "Namespaced") metadata["namespace"] ??= "default";
  const { file = "", line } = isObject(place) ? place : {};
  const at = { file: String(file), ...(typeof line === "number" ? { line } : {}) };
  return { object: { ...object, metadata }, place: at };
};

const removed = (given: unknown, index: number): Key => {
  const { kind, namespace = "", name } = isObject(given) ? given : {};
  if (typeof kind !== "string" || typeof namespace !== "string" || typeof name !== "string" || !isKind(kind))
    throw new ApiError("BadRequest", `remove[${index}] must have kind, namespace and name`);
  return { kind, namespace, name };
};
