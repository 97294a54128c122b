/**
 * The one form in which Windows paths are compared: backslashes, no `\\?\` prefix, no doubled or trailing separator, and
 * upper case unit by unit as NTFS compares names (so that "ß" and "SS" stay apart). For comparison only: never sent or shown.
 */
export const pathKey = (path: string): string => (isPlain(path) ? upper(path) : upper(plain(path)));

/** Nothing of it has another spelling but for letters' case; nearly all paths that hosts tell. */
const isPlain = (path: string): boolean => path.length > 3 && !/[/]|\\\\|\\$/.test(path);

const plain = (path: string): string => {
  const slashed = path.replaceAll("/", "\\").replace(/^\\\\\?\\(UNC\\)?/i, (_, unc) => (unc ? "\\\\" : ""));
  const single = slashed.slice(0, 1) + slashed.slice(1).replace(/\\{2,}/g, "\\");
  return single.length > 3 ? single.replace(/\\+$/, "") : single;
};

const upper = (text: string): string =>
  /^[\x20-\x7e]*$/.test(text) ? text.toUpperCase() : Array.from(text.split(""), upperUnit).join("");

const upperUnit = (unit: string): string => {
  const raised = unit.toUpperCase();
  return raised.length === 1 ? raised : unit;
};

/** Whether two Windows paths name the same file, as far as their text tells. */
export const samePath = (a: string, b: string): boolean => a === b || pathKey(a) === pathKey(b);

/** Whether `path` lies in the folder (at any depth, not the folder itself). */
export const isUnder = (path: string, folder: string): boolean => {
  const parent = pathKey(folder);
  return pathKey(path).startsWith(parent.endsWith("\\") ? parent : `${parent}\\`);
};

/** A map by Windows path: finds by any spelling of a path, lists the spelling last set. */
export class PathMap<V> extends Map<string, V> {
  readonly #spelling = new Map<string, string>();

  override get(path: string): V | undefined {
    const known = this.#spelling.get(pathKey(path));
    return known === undefined ? undefined : super.get(known);
  }

  override has(path: string): boolean {
    return this.#spelling.has(pathKey(path));
  }

  override set(path: string, value: V): this {
    const key = pathKey(path);
    const known = this.#spelling.get(key);
    if (known !== undefined && known !== path) super.delete(known);
    this.#spelling.set(key, path);
    return super.set(path, value);
  }

  override delete(path: string): boolean {
    const key = pathKey(path);
    const known = this.#spelling.get(key);
    if (known === undefined) return false;
    this.#spelling.delete(key);
    return super.delete(known);
  }

  override clear(): void {
    this.#spelling.clear();
    super.clear();
  }
}

/** A set of things by their Windows path (or by an id without letters' case). Lists the spelling first added. */
export class PathSet extends Set<string> {
  readonly #spelling = new Map<string, string>();

  override has(path: string): boolean {
    return this.#spelling.has(pathKey(path));
  }

  override add(path: string): this {
    const key = pathKey(path);
    if (this.#spelling.has(key)) return this;
    this.#spelling.set(key, path);
    return super.add(path);
  }

  override delete(path: string): boolean {
    const key = pathKey(path);
    const known = this.#spelling.get(key);
    if (known === undefined) return false;
    this.#spelling.delete(key);
    return super.delete(known);
  }

  override clear(): void {
    this.#spelling.clear();
    super.clear();
  }
}
