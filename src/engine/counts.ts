/** How many there are of each text. */
export class Counts {
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#counts.size;
  }

  add(text: string): void {
    this.#counts.set(text, this.of(text) + 1);
  }

  /** One less, if there is any. */
  remove(text: string): void {
    const left = this.of(text) - 1;
    if (left > 0) this.#counts.set(text, left);
    else this.#counts.delete(text);
  }

  of(text: string): number {
    return this.#counts.get(text) ?? 0;
  }

  has(text: string): boolean {
    return this.#counts.has(text);
  }

  texts(): Iterable<string> {
    return this.#counts.keys();
  }
}
