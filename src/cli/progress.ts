import type { Resource } from "../api/resource.ts";
import { keyOf, keyOfText, keyText } from "../api/resource.ts";
import { keyShort } from "./names.ts";
import type { Colours } from "./print/colour.ts";
import { conditionOf, isReady } from "./print/objects.ts";
import { table } from "./print/table.ts";

/** How far an object has come, in words. */
export interface Standing {
  readonly name: string;
  readonly state: "ready" | "working" | "stalled" | "deleting";
  readonly reason: string;
  readonly message: string;
  /** Of a clone or another long job. */
  readonly percent?: number;
}

export const standingOf = (object: Resource): Standing => {
  const name = keyShort(keyOf(object));
  const stalled = conditionOf(object, "Stalled");
  if (stalled?.status === "True") return { name, state: "stalled", reason: stalled.reason, message: stalled.message };
  const { reason, message } = conditionOf(object, "Ready") ?? { reason: "New", message: "not looked at yet" };
  if (isReady(object)) return { name, state: "ready", reason, message };
  const percent = (object.status as { progress?: { percent?: number } } | undefined)?.progress?.percent;
  const state = object.metadata.deletionTimestamp === undefined ? "working" : "deleting";
  return { name, state, reason, message, ...(percent === undefined ? {} : { percent }) };
};

const shownRows = 15;

/** A compact picture of all that is not Ready yet, to be drawn again and again. */
export const progressFrame = (objects: readonly Resource[], seconds: number, colours: Colours): string => {
  const standings = objects.map(standingOf);
  const ready = standings.filter((one) => one.state === "ready").length;
  const left = standings.filter((one) => one.state !== "ready");
  const rows = left
    .slice(0, shownRows)
    .map(({ name, state, reason, message, percent }) => [
      mark(state, colours),
      name,
      reason,
      percent === undefined ? shortened(message) : `${bar(percent)} ${percent}%`,
    ]);
  const more = left.length > shownRows ? colours.dim(`  and ${left.length - shownRows} more\n`) : "";
  return `${colours.bold(`${ready} of ${standings.length} objects Ready`)} ${colours.dim(`(${seconds}s)`)}\n${table([], rows)}${more}`;
};

const mark = (state: Standing["state"], colours: Colours): string =>
  state === "stalled" ? colours.red("!") : state === "deleting" ? colours.yellow("-") : colours.cyan("~");

const shortened = (text: string): string => (text.length > 70 ? `${text.slice(0, 69)}…` : text);

const bar = (percent: number): string => {
  const full = Math.round(percent / 10);
  return `[${"#".repeat(full)}${".".repeat(10 - full)}]`;
};

/** Says once what each object has come to: a line for a pipe when its state or reason changed. */
export class ProgressLines {
  readonly #said = new Map<string, string>();
  /** Looked at already; an object that changes is another one. */
  readonly #seen = new WeakSet<Resource>();

  /** Lines for what changed since the last call. */
  next(objects: readonly Resource[]): readonly string[] {
    const lines = objects.filter((object) => !this.#seen.has(object)).flatMap((object) => this.#news(object));
    return this.#said.size === objects.length ? lines : [...lines, ...this.#gone(objects)];
  }

  #news(object: Resource): readonly string[] {
    this.#seen.add(object);
    const key = keyText(keyOf(object));
    const { name, state, reason, message } = standingOf(object);
    const word = state === "ready" ? "Ready" : `${state === "stalled" ? "Stalled/" : ""}${reason}`;
    if (this.#said.get(key) === word) return [];
    this.#said.set(key, word);
    return [state === "ready" ? `${name}: Ready` : `${name}: ${word}: ${message}`];
  }

  #gone(objects: readonly Resource[]): readonly string[] {
    const present = new Set(objects.map((object) => keyText(keyOf(object))));
    const gone = [...this.#said.keys()].filter((key) => !present.has(key));
    for (const key of gone) this.#said.delete(key);
    return gone.map((key) => `${keyShort(keyOfText(key))}: gone`);
  }
}

/** Why objects are not Ready, one line each. */
export const reasonsText = (objects: readonly Resource[]): string =>
  objects
    .map(standingOf)
    .filter(({ state }) => state !== "ready")
    .map(
      ({ name, state, reason, message }) => `${name}: ${state === "stalled" ? "Stalled/" : ""}${reason}: ${message}\n`,
    )
    .join("");
