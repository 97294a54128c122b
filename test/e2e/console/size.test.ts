import { readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../rig.ts";
import { buildPage } from "./rig.ts";

const folder = join(root, "dist/console");
const limit = 120 * 1024;

/** Files that a script loads before it runs; not what it asks for later, `import()`. */
const imports = (text: string): readonly string[] =>
  [
    ...text.matchAll(
      /(?:^|[;}\s])import\s*(?:[\w*{][^"';()]*?from\s*)?["'](\.[^"']+)["']|\bfrom\s*["'](\.[^"']+)["']/g,
    ),
  ].map(([, bare, from]) => bare ?? from ?? "");

/** Where people begin; each is a file that the entry asks for. */
const beginnings = ["OverviewPage", "ListPage", "ObjectPage"];

/** All scripts of a first load: of the entry and the page that is begun with, and all that these import. */
const firstLoad = async (beginning: string): Promise<ReadonlyMap<string, Buffer>> => {
  const page = await readFile(join(folder, "index.html"), "utf8");
  const waiting = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, path]) => path ?? "");
  const entry = await Promise.all(waiting.map((path) => readFile(join(folder, path), "utf8")));
  const first = new RegExp(`[\\w./]*(${beginning}-[\\w-]+\\.js)`).exec(entry.join(""))?.[1];
  if (first === undefined) throw new Error(`no script asks for ${beginning}`);
  waiting.push(`assets/${first}`);
  const loaded = new Map<string, Buffer>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (loaded.has(path)) continue;
    const bytes = await readFile(join(folder, path));
    loaded.set(path, bytes);
    for (const next of imports(bytes.toString())) waiting.push(posix.join(dirname(path), next));
  }
  return loaded;
};

describe("what the console's first load weighs", () => {
  beforeAll(buildPage, 120_000);

  it.each(beginnings)("is at most 120 kB of compressed script that begins with %s", async (beginning) => {
    const loaded = await firstLoad(beginning);
    const sizes = [...loaded].map(([path, bytes]) => [path, gzipSync(bytes, { level: 6 }).length] as const);
    const total = sizes.reduce((sum, [, size]) => sum + size, 0);
    expect(loaded.size).toBeGreaterThan(3);
    expect(total, JSON.stringify(sizes)).toBeGreaterThan(10_000);
    expect(total, JSON.stringify(sizes)).toBeLessThanOrEqual(limit);
  });

  it("has nothing that the policy refuses: no inline script or style, no data: URL, no eval", async () => {
    const page = await readFile(join(folder, "index.html"), "utf8");
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|data:/);
    const loads = await Promise.all(beginnings.map(firstLoad));
    for (const [path, bytes] of loads.flatMap((load) => [...load]))
      expect(bytes.toString(), path).not.toMatch(/\beval\(|new Function\(|url\(data:/);
  });
});
