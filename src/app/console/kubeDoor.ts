import { createHash } from "node:crypto";
import { kinds } from "../../api/kinds.ts";
import { canAll, type Ability, type Can, type ConsoleDoor, type ConsoleUser } from "../../server/console/access.ts";
import { ApiError } from "../../server/console/status.ts";
import type { ControlPlane } from "../../server/control.ts";
import type { Access } from "../../server/guard.ts";
import { KubeClient } from "../../stores/kubernetes/client.ts";
import type { Connection } from "../../stores/kubernetes/connection.ts";
import { KubeError } from "../../stores/kubernetes/error.ts";
import { OwnReviews, type OwnAccess } from "../../stores/kubernetes/reviews.ts";
import type { Parts } from "../parts.ts";
import { kubeControl } from "./kubeControl.ts";
import { KubeObjects } from "./kubeObjects.ts";

export interface KubeDoorOptions extends Pick<Parts, "clock"> {
  readonly connection: Connection;
  readonly control: () => ControlPlane;
  readonly changes: ControlPlane["watch"];
  /** Where to look whether somebody may do something who may not do it everywhere. */
  readonly namespaces: () => readonly string[];
}

/** What the cluster said of a token is believed for so long, milliseconds: a stream asks about each object. */
const believedMs = 15_000;
const mostTokens = 1_000;

interface Known {
  readonly name: string;
  readonly askedAt: number;
  readonly rights: Map<string, Promise<boolean>>;
}

/** Kubernetes mode's way in: the user's own token, which the API server judges at everything. */
export const kubeDoor = (options: KubeDoorOptions): ConsoleDoor => {
  const known = new Map<string, Known>();
  return {
    mode: "kubernetes",
    async user(token) {
      const connection = options.connection.withToken(token);
      const client = new KubeClient(connection, options.clock);
      const reviews = new OwnReviews(client);
      const found = await believed(known, token, { reviews, now: options.clock.now().getTime() });
      if (!found) return undefined;
      const may = (access: OwnAccess): Promise<boolean> => right(found.rights, access, reviews);
      const caller = { name: found.name, may: (access: Access) => may(access) };
      return {
        name: found.name,
        expires: expiryOf(token),
        objects: new KubeObjects(client),
        control: kubeControl({
          control: options.control(),
          caller,
          cluster: { connection, client },
          changes: options.changes,
        }),
        can: () => canOf(may, options.namespaces()),
        // The API server refuses by itself, and says what is missing.
        require: () => Promise.resolve(),
      } satisfies ConsoleUser;
    },
  };
};

interface Asking {
  readonly reviews: OwnReviews;
  readonly now: number;
}

const believed = async (
  known: Map<string, Known>,
  token: string,
  { reviews, now }: Asking,
): Promise<Known | undefined> => {
  const key = createHash("sha256").update(token).digest("hex");
  const before = known.get(key);
  if (before && now - before.askedAt < believedMs) return before;
  known.delete(key);
  const name = await nameOf(reviews);
  if (name === undefined) return undefined;
  for (const [other, { askedAt }] of known)
    if (now - askedAt >= believedMs || known.size >= mostTokens) known.delete(other);
  const fresh = { name, askedAt: now, rights: new Map<string, Promise<boolean>>() };
  known.set(key, fresh);
  return fresh;
};

const nameOf = async (reviews: OwnReviews): Promise<string | undefined> => {
  try {
    return await reviews.name();
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.code === 401) return undefined;
    throw new ApiError("ServiceUnavailable", `the API server could not be asked who you are: ${error.message}`);
  }
};

const right = (rights: Map<string, Promise<boolean>>, access: OwnAccess, reviews: OwnReviews): Promise<boolean> => {
  const { verb, kind, namespace, name = "" } = access;
  const text = [verb, kind, namespace, name].join("/");
  const asked = rights.get(text) ?? reviews.may(access);
  rights.set(text, asked);
  // What could not be asked is asked again.
  asked.catch(() => rights.delete(text));
  return asked;
};

/** When a JSON Web Token ends, as it says itself: for people; whether it is valid is the API server's to say. */
const expiryOf = (token: string): Date | undefined => {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as {
      exp?: unknown;
    };
    return typeof exp === "number" ? new Date(exp * 1000) : undefined;
  } catch {
    return undefined;
  }
};

const neededFor: Readonly<Record<Ability, { readonly verb: OwnAccess["verb"]; readonly kind: string }>> = {
  power: { verb: "update", kind: "VirtualMachine" },
  restart: { verb: "patch", kind: "VirtualMachine" },
  approve: { verb: "patch", kind: "VirtualMachine" },
  pause: { verb: "patch", kind: "VirtualMachine" },
  create: { verb: "create", kind: "VirtualMachine" },
  edit: { verb: "update", kind: "VirtualMachine" },
  delete: { verb: "delete", kind: "VirtualMachine" },
  orphan: { verb: "patch", kind: "VirtualMachine" },
  confirmDelete: { verb: "patch", kind: "VirtualMachine" },
  restore: { verb: "update", kind: "VirtualDisk" },
};

const mostNamespaces = 10;

/** Whether somebody may do something anywhere: buttons are for those. Where exactly, the API server says at each use. */
const canOf = async (may: (access: OwnAccess) => Promise<boolean>, namespaces: readonly string[]): Promise<Can> => {
  const places = ["", ...namespaces.slice(0, mostNamespaces)];
  const anywhere = async (ability: Ability): Promise<readonly [Ability, boolean]> => {
    for (const namespace of places) if (await may({ ...neededFor[ability], namespace })) return [ability, true];
    return [ability, false];
  };
  const found = new Map(await Promise.all((Object.keys(neededFor) as Ability[]).map(anywhere)));
  return canAll((ability) => found.get(ability) === true);
};

/** Namespaces that hold objects, besides "default". */
export const namespacesOf = (
  list: (kind: string) => readonly { readonly metadata: { readonly namespace?: string } }[],
): readonly string[] =>
  [
    ...new Set(["default", ...kinds.flatMap(({ kind }) => list(kind).map(({ metadata }) => metadata.namespace ?? ""))]),
  ].filter((name) => name !== "");
