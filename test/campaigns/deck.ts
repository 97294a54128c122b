import { SeededRandom } from "../support/random.ts";
import { allEdits, type Edit } from "./edits.ts";

/** Edits of a sequence: each deck is dealt to its end before the next is shuffled, so that all come up. */
export const hands = function* (seed: number, size: number): Generator<readonly Edit[], never> {
  const random = new SeededRandom(seed);
  let deck: Edit[] = [];
  for (;;) {
    if (deck.length < size) deck = [...deck, ...shuffled(random, allEdits)];
    yield deck.splice(0, size);
  }
};

const shuffled = (random: SeededRandom, edits: readonly Edit[]): readonly Edit[] =>
  edits
    .map((edit) => ({ edit, order: random.next() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ edit }) => edit);
