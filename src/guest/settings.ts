import type { DraftLine, Value } from "./derive.ts";

/** One line of a setting, without the part of its key that only says where the setting stands. */
export type Fact = readonly [key: string, value: Value];

/** A setting of a guest as people call it (`user operator`), with its facts by the part they belong to; "" is the setting itself. */
export interface Setting {
  readonly name: string;
  readonly parts: ReadonlyMap<string, readonly Fact[]>;
}

/** Where a line belongs. */
interface Home {
  readonly name: string;
  readonly part: string;
  readonly key: string;
}

/** The settings of a derived configuration, in its order. */
export const settingsOf = (lines: readonly DraftLine[]): readonly Setting[] => {
  const texts = new Map(lines.flatMap(([key, value]) => (typeof value === "string" ? [[key, value] as const] : [])));
  const found = new Map<string, Map<string, Fact[]>>();
  for (const [line, value] of lines) {
    const { name, part, key } = homeOf(line, texts);
    const parts = found.get(name) ?? new Map<string, Fact[]>();
    parts.set(part, [...(parts.get(part) ?? []), [key, value]]);
    found.set(name, parts);
  }
  return [...found].map(([name, parts]) => ({ name, parts }));
};

type Texts = ReadonlyMap<string, string>;

const homeOf = (line: string, texts: Texts): Home => {
  const [, list = "", at = "", rest = ""] = /^(adapter|file|service|script)\.(\d+)\.(.+)$/.exec(line) ?? [];
  const listed = lists[list];
  if (listed)
    return {
      name: `${listed.word} ${texts.get(`${list}.${at}.${listed.by}`) ?? at}`,
      part: listed.part(rest),
      key: rest,
    };
  const single = singles.find(({ keys }) => keys.test(line));
  return single
    ? { name: single.name(texts), part: single.part?.(line) ?? "", key: line }
    : { name: line, part: "", key: line };
};

const lists: Readonly<
  Record<string, { readonly word: string; readonly by: string; readonly part: (rest: string) => string }>
> = {
  adapter: {
    word: "network adapter",
    by: "name",
    part: (rest) => {
      if (rest === "name") return "";
      if (rest === "mac") return "MAC address";
      if (/\.(dns|search)\./.test(rest)) return "DNS";
      return rest.startsWith("ipv4") ? "IPv4" : "IPv6";
    },
  },
  file: { word: "file", by: "path", part: (rest) => (rest === "path" ? "" : rest) },
  service: { word: "service", by: "name", part: (rest) => (rest === "name" ? "" : rest) },
  script: {
    word: "script",
    by: "name",
    part: (rest) => (rest === "name" ? "" : rest === "timeoutSeconds" ? "time limit" : rest),
  },
};

const singles: readonly {
  readonly keys: RegExp;
  readonly name: (texts: Texts) => string;
  readonly part?: (line: string) => string;
}[] = [
  { keys: /^os$/, name: () => "operating system" },
  { keys: /^timeZone/, name: () => "time zone" },
  {
    keys: /^admin\./,
    name: (texts) => `user ${texts.get("admin.name") ?? ""}`,
    part: (line) => (line === "admin.name" ? "" : line === "admin.password" ? "password" : "SSH keys"),
  },
  {
    keys: /^automation\./,
    name: (texts) => `automation user ${texts.get("automation.user") ?? ""}`,
    part: (line) => (line === "automation.user" ? "" : "SSH key"),
  },
  {
    keys: /^domain\./,
    name: () => "domain",
    part: (line) => (line === "domain.name" ? "" : line === "domain.ou" ? "organizational unit" : "credentials"),
  },
  { keys: /^(growFilesystems|rootDisk\.)/, name: () => "root filesystem" },
];
