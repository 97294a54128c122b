import { deepEqual } from "./equal.ts";
import type { Change, Effect, PendingChange, Step } from "./ports.ts";

/** From harmless to impossible. */
export const effectOrder: readonly Effect[] = ["Hot", "Disruptive", "Restart", "Recreate", "Forbidden"];

export const compareEffects = (a: Effect, b: Effect): number => effectOrder.indexOf(a) - effectOrder.indexOf(b);

/** The graver of the effects; Hot when there is none. */
export const worstEffect = (effects: readonly Effect[]): Effect =>
  effects.reduce<Effect>((worst, effect) => (compareEffects(effect, worst) > 0 ? effect : worst), "Hot");

/** Possible, but not unasked: somebody approves it. */
export const needsApproval = (effect: Effect): boolean => effect === "Disruptive" || effect === "Restart";

/** Not done by itself, whatever is approved. */
export const isImpossible = (effect: Effect): boolean => effect === "Recreate" || effect === "Forbidden";

/** A change, as long as `to` is set and differs from `from`: an absent field of the spec is left as found. */
export const changeIf = (path: string, from: unknown, to: unknown): readonly Change[] =>
  to === undefined || deepEqual(from, to) ? [] : [{ path, ...(from !== undefined && { from }), to }];

/**
 * Changes of the fields named: `want` and `have` by field name, paths are `<prefix>.<name>`. Fields absent from `want` are
 * left alone.
 */
export const diffFields = (
  prefix: string,
  want: Readonly<Record<string, unknown>>,
  have: Readonly<Record<string, unknown>>,
): readonly Change[] => Object.keys(want).flatMap((name) => changeIf(`${prefix}.${name}`, have[name], want[name]));

/** What a plan's steps change, each with its step's effect and reason. */
export const changesOf = (steps: readonly Step[]): readonly PendingChange[] =>
  steps.flatMap(({ changes, effect, reason }) =>
    changes.map((change) => ({ ...change, effect, ...(reason !== undefined && { reason }) })),
  );

/** What of a plan is not done by itself: awaits approval, or is impossible. */
export const pendingOf = (steps: readonly Step[]): readonly PendingChange[] =>
  changesOf(steps).filter(({ effect }) => effect !== "Hot");

/** A value as status.pendingChanges shows it: text as it is, else JSON; undefined when not set. At most 1024 characters. */
export const valueText = (value: unknown): string | undefined => {
  if (value === undefined) return undefined;
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 1024 ? `${text.slice(0, 1023)}…` : text;
};

/** One entry of status.pendingChanges. */
export interface ShownChange {
  path: string;
  from?: string;
  to?: string;
  effect: Effect;
  reason?: string;
}

/** Pending changes as a status has them, in the order given. */
export const shownChanges = (pending: readonly PendingChange[]): ShownChange[] =>
  pending.map(({ path, from, to, effect, reason }) => {
    const [fromText, toText] = [valueText(from), valueText(to)];
    return {
      path,
      ...(fromText !== undefined && { from: fromText }),
      ...(toText !== undefined && { to: toText }),
      effect,
      ...(reason !== undefined && { reason }),
    };
  });

/**
 * The canonical text under a planHash: the uid, and {path, to, effect} of what needs approval, sorted, so that neither the order
 * nor the present value matters. Takes changes as planned or as status shows them: both give the same text.
 */
export const planHashInput = (
  uid: string,
  changes: readonly Pick<PendingChange, "path" | "to" | "effect">[],
): string => {
  const lines = changes
    .filter(({ effect }) => needsApproval(effect))
    .map(({ path, to, effect }) => JSON.stringify([path, valueText(to) ?? null, effect]));
  return JSON.stringify([uid, ...[...new Set(lines)].sort()]);
};

/**
 * Name of a plan, 12 hexadecimal digits; undefined when nothing in it needs approval. `sha256Hex` gives the SHA-256 of a text
 * in UTF-8 as hexadecimal digits.
 */
export const planHash = (
  uid: string,
  changes: readonly Pick<PendingChange, "path" | "to" | "effect">[],
  sha256Hex: (text: string) => string,
): string | undefined =>
  changes.some(({ effect }) => needsApproval(effect)) ? sha256Hex(planHashInput(uid, changes)).slice(0, 12) : undefined;
