import { untrack } from "svelte";
import { ApiError, request, useCredentials } from "./api.ts";
import { Cell } from "./cell.svelte.ts";

/** What the page may offer; the server decides again at each request. */
export type Permission =
  "create" | "edit" | "delete" | "power" | "restart" | "approve" | "pause" | "orphan" | "confirmDelete" | "restore";

export interface Session {
  readonly mode: "files" | "kubernetes";
  readonly loggedIn: boolean;
  readonly user?: string;
  readonly role?: "viewer" | "operator" | "admin";
  readonly can: Readonly<Partial<Record<string, boolean>>>;
  readonly csrf?: string;
  readonly version: string;
  readonly readOnlyReason?: string;
}

/** starting: not asked yet. failed: the server gave no answer. expired: was in; the page stays as it is under the login. */
export type SessionState =
  | { readonly at: "starting" }
  | { readonly at: "failed"; readonly why: string }
  | { readonly at: "out"; readonly session?: Session }
  | { readonly at: "in"; readonly session: Session }
  | { readonly at: "expired"; readonly session: Session };

export const session = new Cell<SessionState>({ at: "starting" });

/** The session while somebody is in, also while it is expired. */
export const current = (): Session | undefined => {
  const state = session.current;
  return state.at === "in" || state.at === "expired" ? state.session : undefined;
};

/** Why the action is not offered; undefined when it is. */
export const refusal = (permission: Permission): string | undefined => {
  const now = current();
  if (!now) return "You are not logged in.";
  if (now.can[permission]) return undefined;
  if (now.readOnlyReason) return now.readOnlyReason;
  return now.role ? `The role ${now.role} may not do this.` : "Your account may not do this.";
};

/** Requests that wait for a new login. */
let waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];

const settle = (how: "resolve" | "reject"): void => {
  const before = waiting;
  waiting = [];
  for (const each of before) each[how](new Error("logged out"));
};

useCredentials({
  // A request is no reason to run an effect again when the session changes.
  csrf: () => untrack(() => current()?.csrf),
  expired: () => {
    const state = untrack(() => session.current);
    if (state.at === "in") session.current = { at: "expired", session: state.session };
    else if (state.at !== "expired") return Promise.reject(new Error("logged out"));
    return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
  },
});

/** Asks who we are. */
export const load = async (): Promise<void> => {
  try {
    const answer = await request<Session>("/v1/session", { asIs: true });
    session.current = answer.loggedIn ? { at: "in", session: answer } : { at: "out", session: answer };
    if (answer.loggedIn) settle("resolve");
  } catch (error) {
    if (error instanceof ApiError && error.code === 401) session.current = { at: "out" };
    else session.current = { at: "failed", why: error instanceof Error ? error.message : String(error) };
  }
};

/** Rejects with the server's refusal, and leaves the page as it is. */
export const login = async (token: string): Promise<void> => {
  await request("/v1/login", { method: "POST", body: { token: token.trim() }, asIs: true });
  await load();
};

export const logout = async (): Promise<void> => {
  await request("/v1/logout", { method: "POST", asIs: true }).catch(() => {});
  settle("reject");
  await load();
};
