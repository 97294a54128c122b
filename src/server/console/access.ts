import type { Key, Resource } from "../../api/resource.ts";
import type { ControlPlane } from "../control.ts";

/** What people and machines of file mode may be: each role has the rights of those before it. */
export const roles = ["viewer", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

export const isRole = (text: string): text is Role => (roles as readonly string[]).includes(text);

/** What can be allowed beyond reading. */
export const abilities = [
  "power",
  "restart",
  "approve",
  "pause",
  "create",
  "edit",
  "delete",
  "orphan",
  "confirmDelete",
  "restore",
] as const;
export type Ability = (typeof abilities)[number];
export type Can = Readonly<Record<Ability, boolean>>;

const least: Readonly<Record<Ability, Role>> = {
  power: "operator",
  restart: "operator",
  approve: "operator",
  pause: "operator",
  create: "admin",
  edit: "admin",
  delete: "admin",
  orphan: "admin",
  confirmDelete: "admin",
  restore: "admin",
};

/** What somebody may do; without a role, or not logged in: nothing. */
export const abilitiesOf = (role: Role | undefined): Can => canAll((one) => roleHas(role, one));

export const canAll = (may: (ability: Ability) => boolean): Can =>
  Object.fromEntries(abilities.map((one) => [one, may(one)])) as Can;

const roleHas = (role: Role | undefined, ability: Ability): boolean =>
  role !== undefined && roles.indexOf(role) >= roles.indexOf(least[ability]);

/** The least role that has an ability, for a refusal's text. */
export const roleNeeded = (ability: Ability): Role => least[ability];

export interface ObjectList {
  readonly resourceVersion: string;
  readonly items: readonly Resource[];
}

/** The version that stands for whatever is there. */
export const whatever = "*";

export interface WriteOptions {
  /** Everything is checked, nothing is changed. */
  readonly dryRun: boolean;
  /** The version that the object must have, of If-Match; `whatever`: it must be there. */
  readonly version?: string | undefined;
}

/** An object as a client sends it: nothing of it has been checked. */
export type Sent = Readonly<Record<string, unknown>>;

/** Objects as one caller may see and change them, with the semantics of the Kubernetes API. Rejects with ApiErrors. */
export interface ObjectApi {
  list(kind: string, query: ListQuery): Promise<ObjectList>;
  get(key: Key): Promise<Resource>;
  create(key: Omit<Key, "name">, sent: Sent, options: WriteOptions): Promise<Resource>;
  replace(key: Key, sent: Sent, options: WriteOptions): Promise<Resource>;
  /** Asks for the deletion; the object as it is then. */
  remove(key: Key, options: WriteOptions & Preconditions): Promise<Resource>;
}

export interface ListQuery {
  /** All namespaces if absent. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export interface Preconditions {
  readonly uid?: string | undefined;
}

/** Somebody who has logged in, or sent a token. */
export interface ConsoleUser {
  readonly name: string;
  /** In file mode. */
  readonly role?: Role;
  /** When the token ends, if it tells. */
  readonly expires?: Date | undefined;
  /** Objects with this user's rights. */
  readonly objects: ObjectApi;
  /** The control plane as this user may see it. */
  readonly control: ControlPlane;
  /** Best effort where somebody else decides in the end. */
  can(): Promise<Can>;
  /** Rejects with an ApiError where the user surely may not. */
  require(ability: Ability, key?: Key): Promise<void>;
}

/** Who may come in, and what they find inside. */
export interface ConsoleDoor {
  readonly mode: "files" | "kubernetes";
  /** Undefined when the token proves nobody. */
  user(token: string): Promise<ConsoleUser | undefined>;
}
