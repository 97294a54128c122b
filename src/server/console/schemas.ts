import { apiVersion, kinds, type KindInfo } from "../../api/kinds.ts";
import { abilities, roles } from "./access.ts";
import type { JsonSchema } from "./route.ts";

export const refTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
export const listOf = (name: string): JsonSchema => ({ type: "array", items: refTo(name) });

const text: JsonSchema = { type: "string" };
const flag: JsonSchema = { type: "boolean" };
const number: JsonSchema = { type: "number" };
const count: JsonSchema = { type: "integer", minimum: 0 };
const time: JsonSchema = { type: "string", format: "date-time" };
const anything: JsonSchema = {};
const numbers: JsonSchema = { type: "object", additionalProperties: number };
const texts: JsonSchema = { type: "object", additionalProperties: text };

/** An object; members whose name ends with "?" may be absent. */
const object = (members: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: "object",
  required: Object.keys(members).filter((name) => !name.endsWith("?")),
  properties: Object.fromEntries(Object.entries(members).map(([name, schema]) => [name.replace(/\?$/, ""), schema])),
});

const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const oneOf = (...values: readonly string[]): JsonSchema => ({ type: "string", enum: values });

const key = object({ kind: text, namespace: text, name: text });
const effect = oneOf("Hot", "Disruptive", "Restart", "Recreate", "Forbidden");
const settingEffect = oneOf("Apply", "Restart", "RunAgain", "Leave", "Unknown");
const place = { file: text, "line?": count, "column?": count } as const;
const problem = object({ ...place, "path?": text, message: text, "hint?": text });
const planActions = { create: count, adopt: count, update: count, delete: count } as const;
const standings = { stalled: count, unknown: count, reconciling: count, deleting: count, paused: count, ready: count };

const control: Readonly<Record<string, JsonSchema>> = {
  Key: key,
  Session: object({
    mode: oneOf("files", "kubernetes"),
    loggedIn: flag,
    "user?": text,
    "role?": oneOf(...roles),
    "expiresAt?": time,
    can: object(Object.fromEntries(abilities.map((one) => [one, flag]))),
    "csrf?": text,
    version: text,
    "readOnlyReason?": text,
  }),
  ControlStatus: object({
    version: text,
    controlPlaneId: text,
    mode: oneOf("running", "standby", "store"),
    "leader?": text,
    pid: count,
    epoch: count,
    startedAt: time,
    folders: list(text),
    "console?": text,
    "counters?": numbers,
  }),
  HostReport: object({
    name: text,
    reach: oneOf("connecting", "up", "down"),
    "since?": time,
    "fault?": object({ code: text, message: text }),
    "agent?": text,
    "observedAt?": time,
    complete: flag,
  }),
  HostInventory: object({
    host: text,
    observedAt: time,
    vms: list(anything),
    disks: list(anything),
    "state?": anything,
  }),
  FilesReport: object({
    problems: list(problem),
    missing: list(object({ key, since: time, "deletesAt?": time })),
  }),
  TrashEntry: object({
    host: text,
    path: text,
    originalPath: text,
    owner: object({ kind: text, namespace: text, name: text, uid: text }),
    deletedAt: text,
    purgeAt: text,
    fileSize: count,
  }),
  RestoreRequest: object({ host: text, path: text }),
  RestoreReport: object({ job: text, restoredPath: text, uid: text }),
  EventReport: object({
    key,
    type: oneOf("Normal", "Warning"),
    reason: text,
    message: text,
    count,
    firstSeen: text,
    lastSeen: text,
  }),
  JobRecord: object({
    id: text,
    key,
    uid: text,
    host: text,
    operation: text,
    request: { type: "object" },
    attempt: count,
    queuedAt: time,
    "startedAt?": time,
    "finishedAt?": time,
    "durationMs?": number,
    "percent?": number,
    status: oneOf("queued", "running", "success", "error", "partial", "withdrawn"),
    "code?": text,
    "message?": text,
  }),
  LogLine: object({ time: text, level: text, text }),
  ObjectChange: object({
    type: oneOf("changed", "removed", "synced"),
    "key?": key,
    "object?": refTo("AnyObject"),
  }),
  Summary: object({
    objects: list(object({ kind: text, total: count, ...standings })),
    hosts: object({ total: count, up: count, down: count, connecting: count }),
    capacity: list(object({ host: text, "capacity?": anything, "allocated?": anything })),
    attention: list(object({ key, reason: text, message: text })),
    counters: numbers,
  }),
  PlanRequest: object({
    "documents?": list(object({ object: { type: "object" }, "place?": object(place) })),
    "remove?": list(object({ kind: text, "namespace?": text, name: text })),
    "whole?": flag,
    "live?": flag,
  }),
  PlanReport: object({
    objects: list(
      object({
        key,
        action: oneOf("create", "adopt", "update", "delete"),
        "host?": text,
        "place?": object(place),
        changes: list(
          object({ path: text, "from?": anything, "to?": anything, effect, "reason?": text, operation: text }),
        ),
        "guest?": object({
          at: oneOf("First", "Change", "Dropped"),
          when: oneOf("Now", "NextStart", "AgentReports", "KeyApproved", "Resumed", "Adopted"),
          meaning: text,
          settings: list(object({ name: text, effect: settingEffect, meaning: text })),
        }),
        "note?": text,
        "blocked?": object({ reason: text, message: text }),
        "planHash?": text,
        "machine?": key,
        approval: oneOf("Manual", "Automatic"),
      }),
    ),
    summary: object(planActions),
    hosts: list(object({ name: text, "ageSeconds?": number, complete: flag, "fault?": text })),
    problems: list(problem),
    "untold?": list(object({ key, secrets: list(text), settings: list(text) })),
  }),
};

const metadata: Readonly<Record<string, JsonSchema>> = {
  ObjectMeta: {
    ...object({
      name: text,
      "namespace?": text,
      "uid?": text,
      "generation?": count,
      "resourceVersion?": text,
      "creationTimestamp?": text,
      "deletionTimestamp?": text,
      "labels?": texts,
      "annotations?": texts,
      "finalizers?": list(text),
      "ownerReferences?": list({ type: "object" }),
    }),
    description:
      "metav1.ObjectMeta: name and namespace, labels and annotations are the author's, the rest the server's.",
  },
  ListMeta: object({ resourceVersion: text }),
  Status: {
    ...object({
      kind: { const: "Status" },
      apiVersion: { const: "v1" },
      metadata: { type: "object" },
      status: { const: "Failure" },
      message: text,
      reason: text,
      code: count,
      "details?": object({
        "name?": text,
        "group?": text,
        "kind?": text,
        "causes?": list(object({ "reason?": text, "message?": text, "field?": text })),
        "retryAfterSeconds?": number,
      }),
    }),
    description: "metav1.Status: every answer other than success.",
  },
};

const objectSchema = ({ kind, schema }: KindInfo): JsonSchema => ({
  ...(schema as JsonSchema),
  required: ["apiVersion", "kind", "metadata", "spec"],
  properties: {
    ...schema.properties,
    apiVersion: { const: apiVersion },
    kind: { const: kind },
    metadata: refTo("ObjectMeta"),
  },
});

const listSchema = ({ kind }: KindInfo): JsonSchema =>
  object({
    apiVersion: { const: apiVersion },
    kind: { const: `${kind}List` },
    metadata: refTo("ListMeta"),
    items: listOf(kind),
  });

/** Everything that requests and answers are made of. Objects are as the CRDs say. */
export const schemas = (): Readonly<Record<string, JsonSchema>> => ({
  ...metadata,
  ...control,
  AnyObject: { oneOf: kinds.map(({ kind }) => refTo(kind)) },
  ...Object.fromEntries(
    kinds.flatMap((info) => [
      [info.kind, objectSchema(info)],
      [`${info.kind}List`, listSchema(info)],
    ]),
  ),
});
