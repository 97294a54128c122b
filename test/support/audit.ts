import type { AuditEntry } from "../../agents/simulator/model/audit.ts";

interface Held {
  readonly id: string;
  readonly operation: string;
}

const name = ({ operation, id }: Held): string => `${operation} ${id}`;

/**
 * What a host's own record shows to be wrong: two jobs at once on one target, or a job or effect of an older control plane process after
 * a newer one was heard. Empty when all is well.
 */
export const violations = (entries: readonly AuditEntry[]): readonly string[] => {
  const found: string[] = [];
  const held = new Map<string, Held>();
  const highest = new Map<string, number>();
  for (const entry of entries) {
    const { at, id, operation, controlPlane = "", epoch = 0, locks = [] } = entry;
    const newest = highest.get(controlPlane) ?? 0;
    switch (at) {
      case "look":
      case "begin":
      case "effect":
        if (epoch < newest) found.push(`${at} of ${name(entry)} with epoch ${epoch} after ${newest} was heard`);
        highest.set(controlPlane, Math.max(newest, epoch));
        break;
      default:
    }
    if (at === "begin")
      for (const lock of locks) {
        const other = held.get(lock);
        if (other) found.push(`${name(entry)} began on ${lock} while ${name(other)} was at work on it`);
        held.set(lock, { id, operation });
      }
    if (at === "end" || at === "died") for (const [lock, holder] of held) if (holder.id === id) held.delete(lock);
  }
  return found;
};

/** Refusals with this code. */
export const refusals = (entries: readonly AuditEntry[], code: string): readonly AuditEntry[] =>
  entries.filter((entry) => (entry.at === "refused" || entry.at === "end") && entry.code === code);
