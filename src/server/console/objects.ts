import { apiVersion, kinds, type KindInfo } from "../../api/kinds.ts";
import type { Key } from "../../api/resource.ts";
import { whatever, type Preconditions, type Sent, type WriteOptions } from "./access.ts";
import type { Call, Route } from "./route.ts";
import { refTo } from "./schemas.ts";
import { ApiError } from "./status.ts";

const base = `/apis/${apiVersion}`;
const maxBytes = 1024 * 1024;

const dryRun = { dryRun: { type: "string", enum: ["All"], description: "Check everything, change nothing." } } as const;
const ifMatch = {
  "if-match": {
    type: "string",
    description: "resourceVersion that the object must have, else 412; * for whatever is there.",
  },
} as const;

const listRoute = (info: KindInfo, url: string, suffix: string): Route => ({
  method: "GET",
  url,
  id: `list${info.kind}${suffix}`,
  summary: `The objects of kind ${info.kind}${suffix === "" ? "" : " of all namespaces"}`,
  query: { labelSelector: { type: "string" } },
  answer: refTo(`${info.kind}List`),
  async handle({ user, params, query }: Call) {
    const { namespace } = params;
    const { resourceVersion, items } = await user.objects.list(info.kind, {
      namespace,
      labelSelector: query["labelSelector"],
    });
    return { apiVersion, kind: `${info.kind}List`, metadata: { resourceVersion }, items };
  },
});

const createRoute = (info: KindInfo, url: string): Route => ({
  method: "POST",
  url,
  id: `create${info.kind}`,
  summary: `Make an object of kind ${info.kind}`,
  query: dryRun,
  body: refTo(info.kind),
  answer: refTo(info.kind),
  code: 201,
  bodyLimit: maxBytes,
  async handle({ user, params, query, body }: Call) {
    await user.require("create");
    return user.objects.create(
      { kind: info.kind, namespace: params["namespace"] ?? "" },
      sentIn(body),
      optionsOf(query, undefined),
    );
  },
});

const oneRoutes = (info: KindInfo, collection: string): readonly Route[] => {
  const url = `${collection}/:name`;
  const keyIn = ({ params }: Call): Key => ({
    kind: info.kind,
    namespace: params["namespace"] ?? "",
    name: params["name"] ?? "",
  });
  return [
    {
      method: "GET",
      url,
      id: `get${info.kind}`,
      summary: `One object of kind ${info.kind}`,
      answer: refTo(info.kind),
      handle: (call) => call.user.objects.get(keyIn(call)),
    },
    {
      method: "PUT",
      url,
      id: `replace${info.kind}`,
      summary: `Put another object of kind ${info.kind} in the place of one`,
      query: dryRun,
      headers: ifMatch,
      body: refTo(info.kind),
      answer: refTo(info.kind),
      bodyLimit: maxBytes,
      async handle(call) {
        await call.user.require("edit", keyIn(call));
        return call.user.objects.replace(keyIn(call), sentIn(call.body), optionsOf(call.query, matchIn(call)));
      },
    },
    {
      method: "DELETE",
      url,
      id: `delete${info.kind}`,
      summary: `Ask for the deletion of an object of kind ${info.kind}`,
      query: dryRun,
      headers: ifMatch,
      answer: refTo(info.kind),
      async handle(call) {
        await call.user.require("delete", keyIn(call));
        const { uid, version, dryRun: isTried = false } = deleteOptionsIn(call.body);
        const { dryRun, version: match = version } = optionsOf(call.query, matchIn(call));
        return call.user.objects.remove(keyIn(call), { dryRun: dryRun || isTried, uid, version: match });
      },
    },
  ];
};

export const sentIn = (body: unknown): Sent => {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Sent;
  throw new ApiError("BadRequest", "the body must be an object in JSON");
};

const optionsOf = (query: Call["query"], version: string | undefined): WriteOptions => {
  const asked = query["dryRun"];
  if (asked !== undefined && asked !== "All") throw new ApiError("BadRequest", `dryRun: "${asked}" is not "All"`);
  return { dryRun: asked === "All", version };
};

/** RFC 9110, section 13.1.1. A weak validator never matches. */
const matchIn = ({ request }: Call): string | undefined => {
  const given = request.headers["if-match"];
  if (given === undefined || given.trim() === whatever) return given?.trim();
  const version = /^"?([^",\s]+)"?$/.exec(given.trim())?.[1];
  if (version === undefined || given.startsWith("W/"))
    throw new ApiError("BadRequest", "If-Match must be one resourceVersion");
  return version;
};

/**
 * metav1.DeleteOptions, as far as both modes have it. What it may ask for and nobody would heed is refused: a deletion that
 * was to be tried only, or to leave things behind, must not be done as another one.
 */
const deleteOptionsIn = (body: unknown): Deletion => {
  if (body === undefined || body === null) return {};
  const { preconditions, dryRun: asked, propagationPolicy, orphanDependents } = sentIn(body);
  const isTried = Array.isArray(asked) && asked.length === 1 && asked[0] === "All";
  const isAbsent = asked === undefined || asked === null || (Array.isArray(asked) && asked.length === 0);
  if (!isTried && !isAbsent) throw new ApiError("BadRequest", 'dryRun must be ["All"]');
  if (propagationPolicy === "Orphan" || orphanDependents === true)
    throw new ApiError("BadRequest", "to leave what it stands for, use the action orphan, or spec.deletionPolicy");
  const { uid, resourceVersion } = preconditions === undefined || preconditions === null ? {} : sentIn(preconditions);
  for (const one of [uid, resourceVersion])
    if (one !== undefined && typeof one !== "string") throw new ApiError("BadRequest", "preconditions must be text");
  return {
    dryRun: isTried,
    ...(typeof uid === "string" ? { uid } : {}),
    ...(typeof resourceVersion === "string" ? { version: resourceVersion } : {}),
  };
};

interface Deletion extends Preconditions {
  readonly dryRun?: boolean;
  readonly version?: string;
}

/** The objects, each kind under the paths that the API server of Kubernetes has for it. */
export const objectRoutes: readonly Route[] = kinds.flatMap((info) => {
  const within = info.scope === "Cluster" ? base : `${base}/namespaces/:namespace`;
  const everywhere = info.scope === "Cluster" ? [] : [listRoute(info, `${base}/${info.plural}`, "AllNamespaces")];
  const collection = `${within}/${info.plural}`;
  return [
    ...everywhere,
    listRoute(info, collection, ""),
    createRoute(info, collection),
    ...oneRoutes(info, collection),
  ];
});
