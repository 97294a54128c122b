import { Cell } from "./cell.svelte.ts";

export interface Location {
  readonly path: string;
  readonly query: URLSearchParams;
}

const here = (): Location => ({ path: window.location.pathname, query: new URLSearchParams(window.location.search) });

export const location = new Cell<Location>(here());

/** Asked before the page is left; false stays. One at a time: the form on the screen. */
let guard: ((to: string) => boolean) | undefined;

/**
 * While `mayLeave` answers false, links and the back button don't leave the page; it is told where to, so that it can go
 * there once somebody agreed. `isSafe` says the same when the tab is closed. Returns what takes it off again.
 */
export const guardLeaving = (mayLeave: (to: string) => boolean, isSafe: () => boolean): (() => void) => {
  guard = mayLeave;
  const unload = (event: BeforeUnloadEvent): void => {
    if (!isSafe()) event.preventDefault();
  };
  window.addEventListener("beforeunload", unload);
  return () => {
    if (guard === mayLeave) guard = undefined;
    window.removeEventListener("beforeunload", unload);
  };
};

const isSamePage = (path: string): boolean => path === location.current.path;

/** Goes to a page of the console; `replace` leaves no entry to go back to. False when the page did not want to be left. */
export const navigate = (to: string, { replace = false } = {}): boolean => {
  const next = new URL(to, window.location.origin);
  const text = `${next.pathname}${next.search}`;
  if (!isSamePage(next.pathname) && guard && !guard(text)) return false;
  if (replace) window.history.replaceState(null, "", text);
  else window.history.pushState(null, "", text);
  location.current = here();
  return true;
};

/** Sets parts of the query and leaves the others; "" takes a part out. No entry in the history: filters are no pages. */
export const setQuery = (values: Readonly<Record<string, string>>): void => {
  const query = new URLSearchParams(location.current.query);
  for (const [name, value] of Object.entries(values)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  window.history.replaceState(null, "", `${window.location.pathname}${text === "" ? "" : `?${text}`}`);
  location.current = here();
};

const isPlainClick = (event: MouseEvent): boolean =>
  event.button === 0 && !event.defaultPrevented && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

/** Follows links of the console without loading the page again. Returns what ends it. */
export const followLinks = (): (() => void) => {
  const click = (event: MouseEvent): void => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || !isPlainClick(event) || link.hasAttribute("target") || link.hasAttribute("download")) return;
    // Read as an attribute: the links of a picture (SVG) have no other.
    const href = link.getAttribute("href") ?? "#";
    if (!href.startsWith("/") || href.startsWith("//")) return;
    event.preventDefault();
    navigate(href);
  };
  const back = (): void => {
    const { pathname, search } = window.location;
    if (!isSamePage(pathname) && guard && !guard(`${pathname}${search}`)) {
      const { path, query } = location.current;
      window.history.pushState(null, "", `${path}${query.size > 0 ? `?${query.toString()}` : ""}`);
      return;
    }
    location.current = here();
  };
  document.addEventListener("click", click);
  window.addEventListener("popstate", back);
  return () => {
    document.removeEventListener("click", click);
    window.removeEventListener("popstate", back);
  };
};
