import { wordsIn } from "./table.ts";

/** Something that can be found: all its words in one lower-case text. */
export interface Findable {
  readonly title: string;
  readonly text: string;
}

/** A name that begins so is wanted more than one that holds it, and that more than a mention elsewhere. */
const rank = (item: Findable, words: readonly string[]): number => {
  const title = item.title.toLowerCase();
  let sum = 0;
  for (const word of words) {
    if (!item.text.includes(word)) return -1;
    sum += title === word ? 4 : title.startsWith(word) ? 3 : title.includes(word) ? 2 : 1;
  }
  return sum;
};

/** The best `limit` items for the words typed; equal ones in the order given. */
export const find = <T extends Findable>(items: Iterable<T>, typed: string, limit: number): readonly T[] => {
  const words = wordsIn(typed);
  const found: { item: T; rank: number }[] = [];
  for (const item of items) {
    const value = rank(item, words);
    if (value >= 0) found.push({ item, rank: value });
  }
  return found
    .sort((a, b) => b.rank - a.rank)
    .slice(0, limit)
    .map(({ item }) => item);
};
