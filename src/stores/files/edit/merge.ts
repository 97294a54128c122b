import { equalJson } from "../../equal.ts";
import { isObject } from "../part.ts";

/** A value before and after a change, both complete with their defaults, and as its author sent it. */
export interface Edit {
  readonly before: unknown;
  readonly after: unknown;
  readonly sent: unknown;
}

/**
 * What a file is to say so that its object changes so: fields that did not change stay as the file has them, and defaults that
 * the store filled in stay unwritten. Pure.
 */
export const mergedValue = (file: unknown, { before, after, sent }: Edit): unknown => {
  if (equalJson(before, after)) return file;
  if (!isObject(file) || !isObject(before) || !isObject(after) || !isObject(sent)) return sent;
  const merged: Record<string, unknown> = { ...file };
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (equalJson(before[name], after[name])) continue;
    if (sent[name] === undefined) delete merged[name];
    else if (!Object.hasOwn(file, name)) merged[name] = sent[name];
    else merged[name] = mergedValue(file[name], { before: before[name], after: after[name], sent: sent[name] });
  }
  return merged;
};
