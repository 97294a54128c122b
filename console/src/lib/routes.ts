import type { Component } from "svelte";
import { kindWords } from "./kinds.ts";

/** Parts of the address, and the page's own words. Each page takes what it needs. */
export interface Params {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly id?: string;
}

export interface Route {
  /** First part of the path: what the navigation marks. */
  readonly section: string;
  readonly title: string;
  readonly params: Params;
  readonly load: () => Promise<{ default: Page | Component }>;
}

/** A page that has no parameters takes none. */
export type Page = Component<{ params: Params }>;

type Load = Route["load"];
type Pattern = readonly [pattern: string, title: string, load: Load, fixed?: Params];

const list: Load = () => import("../pages/ListPage.svelte");
const object: Load = () => import("../pages/ObjectPage.svelte");

const form: Load = () => import("../forms/FormPage.svelte");

const patterns: readonly Pattern[] = [
  ["/", "Overview", () => import("../pages/OverviewPage.svelte")],
  ...kindWords.map(({ kind, path, title }): Pattern => [`/${path}`, title, list, { kind }]),
  ...kindWords.map(({ kind, path, title, namespaced }): Pattern => [
    namespaced ? `/${path}/:namespace/:name` : `/${path}/:name`,
    title,
    object,
    { kind },
  ]),
  ["/topology", "Topology", () => import("../pages/TopologyPage.svelte")],
  ["/jobs", "Jobs", () => import("../pages/JobsPage.svelte")],
  ["/jobs/:id", "Job", () => import("../pages/JobPage.svelte")],
  ["/events", "Events", () => import("../pages/EventsPage.svelte")],
  ["/trash", "Trash", () => import("../actions/TrashPage.svelte")],
  ["/new/:kind", "New", form],
  ["/edit/:kind/:namespace/:name", "Edit", form],
];

const matched = (pattern: string, path: string): Record<string, string> | undefined => {
  const wanted = pattern.split("/");
  const given = path.replace(/\/+$/, "").split("/");
  if (given.length === 1) given.push("");
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const value = decoded(given[at] ?? "");
    if (part.startsWith(":")) found[part.slice(1)] = value;
    else if (part !== value) return undefined;
  }
  return found;
};

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    // A broken escape: it names nothing.
    return part;
  }
};

/** The page of an address; undefined when there is none. */
export const routeOf = (path: string): Route | undefined => {
  for (const [pattern, title, load, fixed] of patterns) {
    const params = matched(pattern, path);
    if (params)
      return {
        section: pattern.split("/")[1] ?? "",
        title: params["name"] ?? params["id"] ?? title,
        params: { ...params, ...fixed },
        load,
      };
  }
  return undefined;
};
