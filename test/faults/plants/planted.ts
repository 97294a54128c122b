import type { Change } from "./plants.ts";

/** The source with the changes in it. Throws when a place is not there exactly once: then the plant is to be written anew. */
export const planted = (source: string, changes: readonly Change[]): string =>
  changes.reduce((text, { file, from, to }) => {
    const parts = text.split(from);
    if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${from}`);
    return parts.join(to);
  }, source);
