import type { DraftLine } from "./derive.ts";
import { settingsOf, type Fact, type Setting } from "./settings.ts";

/**
 * Apply: the guest does it. Restart: it restarts for it. RunAgain: a script that runs with every configuration. Leave: not declared any
 * more, stays in the guest as it is. Unknown: a value of a Secret, which nobody compares.
 */
export type SettingEffect = "Apply" | "Restart" | "RunAgain" | "Leave" | "Unknown";

/** What becomes of one setting, by its name: never a value. */
export interface SettingChange {
  /** `hostname`, `network adapter lan (DNS)`, `user operator (password)`, `script setup` */
  readonly name: string;
  readonly effect: SettingEffect;
  readonly note?: string;
}

/** What a guest configured as `before` (undefined: not at all) does with the configuration `after`. Pure; values of Secrets are not read. */
export const compareConfigurations = (
  before: readonly DraftLine[] | undefined,
  after: readonly DraftLine[],
): readonly SettingChange[] => {
  const had = new Map(settingsOf(before ?? []).map((one) => [one.name, one]));
  const wants = settingsOf(after).filter(({ name }) => before !== undefined || name !== "operating system");
  const names = new Set(wants.map(({ name }) => name));
  const context = { isWindows: after.some(([key, value]) => key === "os" && value === "Windows") };
  const changes = [
    ...wants.flatMap((want) => changesOf(had.get(want.name), want, context)),
    ...[...had.keys()].filter((name) => !names.has(name)).map((name): SettingChange => ({ name, effect: "Leave" })),
    ...orderChanges([...had.keys()], [...names]),
  ];
  return changes.length === 0 || before === undefined ? changes : [...changes, ...repeated(wants, changes)];
};

interface Context {
  readonly isWindows: boolean;
}

const changesOf = (had: Setting | undefined, want: Setting, context: Context): readonly SettingChange[] => {
  if (!had) return [added(want, context)];
  const parts = [...new Set([...want.parts.keys(), ...had.parts.keys()])].filter(
    (part) => textOf(had, part) !== textOf(want, part),
  );
  const unknown = parts.filter((part) => [had, want].every((one) => one.parts.has(part)) && isSecret(had, want, part));
  const known = parts.filter((part) => !unknown.includes(part));
  return [
    ...(known.length > 0 ? [knownChange(want, known, context)] : []),
    ...(unknown.length > 0 ? [{ name: named(want, unknown), effect: "Unknown" } as const] : []),
  ];
};

const added = (want: Setting, context: Context): SettingChange => {
  const secrets = secretsIn([...want.parts.values()].flat());
  const note =
    secrets.length > 0 ? `its value is in Secret ${secrets.join(", ")}, which a plan does not read` : undefined;
  const effect = restarts(want, context) ? "Restart" : "Apply";
  return { name: want.name, effect, ...(note !== undefined && { note }) };
};

/** Names of the Secrets that values come from. */
const secretsIn = (facts: readonly Fact[]): readonly string[] => [
  ...new Set(facts.flatMap(([, value]) => (typeof value === "string" ? [] : [value.secret]))),
];

/** What of a configuration comes from which Secret. */
export const secretParts = (
  lines: readonly DraftLine[],
): readonly { readonly name: string; readonly secret: string }[] =>
  settingsOf(lines).flatMap((one) =>
    [...one.parts].flatMap(([part, facts]) => secretsIn(facts).map((secret) => ({ name: named(one, [part]), secret }))),
  );

const textOf = ({ parts }: Setting, part: string): string => JSON.stringify(parts.get(part) ?? null);

const isSecret = (had: Setting, want: Setting, part: string): boolean =>
  [had, want].some(({ parts }) => parts.get(part)?.some(([, value]) => typeof value !== "string"));

/** "" is the setting itself: of one that changes as a whole, no part is named. */
const named = ({ name }: Setting, parts: readonly string[]): string =>
  parts.includes("") ? name : `${name} (${parts.join(", ")})`;

/** What Windows does with a restart: docs/guest-windows.md. */
const restarts = ({ name }: Setting, { isWindows }: Context): boolean =>
  isWindows && (name === "hostname" || name === "domain");

const knownChange = (want: Setting, parts: readonly string[], context: Context): SettingChange => {
  const name = named(want, parts);
  if (want.name === "domain") {
    const note = parts.includes("")
      ? "a guest that is a member of another domain is not moved: it reports Failed"
      : "only for joining: a guest that is a member already stays as it is";
    return { name, effect: "Apply", note };
  }
  const run = want.name.startsWith("script ") ? valueOf(want.parts.get("run")) : undefined;
  const note = run === "Once" ? "run is Once: not again where it has run" : undefined;
  return { name, effect: restarts(want, context) ? "Restart" : "Apply", ...(note !== undefined && { note }) };
};

const valueOf = (facts: readonly Fact[] = []): Fact[1] | undefined => facts[0]?.[1];

/** Things of a list that stand in another order: it is another configuration, although no one of them differs. */
const orderChanges = (had: readonly string[], wants: readonly string[]): readonly SettingChange[] =>
  (["file", "service", "script"] as const).flatMap((word) => {
    const of = (names: readonly string[], others: readonly string[]): string =>
      JSON.stringify(names.filter((name) => name.startsWith(`${word} `) && others.includes(name)));
    return of(had, wants) === of(wants, had) ? [] : [{ name: `order of ${word}s`, effect: "Apply" } as const];
  });

/** Scripts that run with every configuration, and do not change themselves. */
const repeated = (wants: readonly Setting[], changes: readonly SettingChange[]): readonly SettingChange[] =>
  wants
    .filter(({ name, parts }) => name.startsWith("script ") && valueOf(parts.get("run")) === "Always")
    .filter(({ name }) => !changes.some((one) => one.name === name || one.name.startsWith(`${name} (`)))
    .map(({ name }) => ({ name, effect: "RunAgain" }));
