import { bytesText } from "../../../src/api/quantity.ts";

/** Bytes for people; nothing for nothing known. */
export const bytes = (value: number | undefined): string => (value === undefined ? "" : bytesText(value));

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** "2 d 3 h", "5 min", "12 s": the two largest units. */
export const duration = (ms: number): string => {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  let left = Math.floor(ms / 1000);
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
};

/** How long ago, in one unit: "3 min ago". What lies ahead: "in 3 min". */
export const ago = (time: string, now: number): string => {
  const seconds = Math.round((now - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) return time;
  if (Math.abs(seconds) < 5) return "just now";
  const [unit, size] = units.find(([, least]) => Math.abs(seconds) >= least) ?? (["s", 1] as const);
  const text = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
};

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A moment in the reader's own time zone. */
export const moment = (time: string): string => {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? time : full.format(at);
};

export const percent = (part: number, whole: number): number =>
  whole > 0 ? Math.max(0, Math.min(100, (part / whole) * 100)) : 0;

/** A field's value in a sentence. */
export const valueText = (value: unknown): string =>
  value === undefined || value === null || value === ""
    ? "not set"
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value as string | number | boolean);
