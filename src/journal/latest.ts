/**
 * Hands the newest item of each key from callbacks to one reader: one that is slow skips what was overtaken, so that what is
 * kept for it never grows beyond the number of keys.
 */
export class Latest<T> implements AsyncIterable<T> {
  readonly #items = new Map<string, T>();
  #ended = false;
  #wake: () => void = () => {};

  constructor(signal: AbortSignal) {
    if (signal.aborted) this.#ended = true;
    signal.addEventListener("abort", () => this.end(), { once: true });
  }

  put(key: string, item: T): void {
    if (this.#ended) return;
    // Behind what came before it: readers see the order of the last changes.
    this.#items.delete(key);
    this.#items.set(key, item);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      for (const [key, item] of this.#items) {
        this.#items.delete(key);
        yield item;
      }
      if (this.#items.size > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
