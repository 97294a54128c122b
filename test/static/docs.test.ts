import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = globSync(["README.md", "docs/**/*.md", "charts/*/README.md"], { cwd: root }).sort();
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
const own = /^(?:src|test|docs|controllers|agents|charts|scripts|crds|manifests|console|examples)\//;

const textOf = (page: string): string => readFileSync(join(root, page), "utf8");
const found = (page: string, pattern: RegExp): readonly string[] =>
  [...textOf(page).matchAll(pattern)].map(([, text]) => text ?? "");

/** Whether a path as pages write them is there: `a/{b,c}.ts`, `a/*.ts`, `a/KIND/` and `a/<kind>/` (placeholders) and `a/b.ts:12` are understood. */
const isThere = (path: string): boolean => {
  const plain = path.replace(/:\d+$/, "").replaceAll(/[A-Z]{4,}|<[a-z]+>/g, "*");
  return /[*{]/.test(plain) ? globSync(plain, { cwd: root }).length > 0 : existsSync(join(root, plain));
};

describe.each(pages)("%s", (page) => {
  it("names files of this repository that are there", () => {
    const named = found(page, /`([^`\s]+)`/g).filter((path) => own.test(path));
    expect(named.filter((path) => !isThere(path))).toEqual([]);
  });

  it("links to pages that are there", () => {
    const links = found(page, /\]\(([^)\s#]+)(?:#[^)]*)?\)/g).filter((link) => !/^[a-z]+:/.test(link));
    expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
  });

  it("names scripts of package.json that are there", () => {
    const named = found(page, /npm run ([a-z][a-z:-]*)/g);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
