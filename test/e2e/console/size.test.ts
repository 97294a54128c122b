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

/** All scripts of the first load, from the page's entry on; with what the page itself asks for. */
const firstLoad = async (): Promise<ReadonlyMap<string, Buffer>> => {
  const page = await readFile(join(folder, "index.html"), "utf8");
  const waiting = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, path]) => path ?? "");
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

  it("is at most 120 kB of compressed script", async () => {
    const loaded = await firstLoad();
    const sizes = [...loaded].map(([path, bytes]) => [path, gzipSync(bytes, { level: 6 }).length] as const);
    const total = sizes.reduce((sum, [, size]) => sum + size, 0);
    expect(loaded.size).toBeGreaterThan(1);
    expect(total, JSON.stringify(sizes)).toBeGreaterThan(10_000);
    expect(total, JSON.stringify(sizes)).toBeLessThanOrEqual(limit);
  });

  it("has nothing that the policy refuses: no inline script or style, no data: URL, no eval", async () => {
    const page = await readFile(join(folder, "index.html"), "utf8");
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|data:/);
    for (const [path, bytes] of await firstLoad())
      expect(bytes.toString(), path).not.toMatch(/\beval\(|new Function\(|url\(data:/);
  });
});
