import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parse } from "yaml";
import { root } from "./kubeTools.ts";

/** What of Lua's C interface is used; fengari brings no types. */
interface Fengari {
  readonly lua: {
    lua_getfield(state: unknown, index: number, name: Uint8Array): void;
    lua_tojsstring(state: unknown, index: number): string | null;
    lua_pop(state: unknown, count: number): void;
  };
  readonly lauxlib: {
    luaL_newstate(): unknown;
    luaL_dostring(state: unknown, code: Uint8Array): number;
  };
  readonly lualib: { luaL_openlibs(state: unknown): void };
  to_luastring(text: string): Uint8Array;
}

const { lua, lauxlib, lualib, to_luastring } = createRequire(import.meta.url)("fengari") as Fengari;

const bytes = (text: string): string =>
  `"${[...Buffer.from(text, "utf8")].map((byte) => `\\${String(byte).padStart(3, "0")}`).join("")}"`;

/** A value as Lua source. */
const literal = (value: unknown): string => {
  if (value === null || value === undefined) return "nil";
  if (typeof value === "string") return bytes(value);
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `{${value.map(literal).join(",")}}`;
  return `{${Object.entries(value)
    .map(([key, of]) => `[${bytes(key)}]=${literal(of)}`)
    .join(",")}}`;
};

/** Health of an object as Argo CD shows it, by the check in manifests/argocd/argocd-cm.yaml for its kind. */
export const argoHealth = async (object: { readonly kind: string }): Promise<{ status: string; message: string }> => {
  const settings = parse(await readFile(join(root, "manifests/argocd/argocd-cm.yaml"), "utf8")) as {
    data: Readonly<Record<string, string>>;
  };
  const script = settings.data[`resource.customizations.health.aetherv.io_${object.kind}`];
  if (script === undefined) throw new Error(`argocd-cm.yaml has no health check of ${object.kind}`);
  const state = lauxlib.luaL_newstate();
  lualib.luaL_openlibs(state);
  const failed = lauxlib.luaL_dostring(state, to_luastring(`obj = ${literal(object)}\n${script}`));
  if (failed !== 0) throw new Error(`Lua: ${lua.lua_tojsstring(state, -1)}`);
  const field = (name: string): string => {
    lua.lua_getfield(state, -1, to_luastring(name));
    const text = lua.lua_tojsstring(state, -1) ?? "";
    lua.lua_pop(state, 1);
    return text;
  };
  return { status: field("status"), message: field("message") };
};
