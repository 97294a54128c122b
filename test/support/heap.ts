/** The least of many first. Items that are over leave it once they are the most of it. */
export class Heap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #isOver: (item: T) => boolean;
  #items: T[] = [];
  #dead = 0;

  constructor(before: (a: T, b: T) => boolean, isOver: (item: T) => boolean) {
    this.#before = before;
    this.#isOver = isOver;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || this.#before(above, item)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** The least that is not over. */
  peek(): T | undefined {
    for (;;) {
      const [first] = this.#items;
      if (first === undefined || !this.#isOver(first)) return first;
      this.pop();
      this.#dead -= 1;
    }
  }

  pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [items[2 * at + 1], items[2 * at + 2]];
      const least = right !== undefined && left !== undefined && this.#before(right, left) ? 2 * at + 2 : 2 * at + 1;
      const child = items[least];
      if (child === undefined || this.#before(last, child)) break;
      items[at] = child;
      at = least;
    }
    items[at] = last;
  }

  /** The item is about to be over. */
  drop(item: T): void {
    this.#dead += 1;
    if (this.#dead < 64 || this.#dead * 2 < this.#items.length) return;
    const alive = this.#items.filter((one) => one !== item && !this.#isOver(one));
    this.#items = [];
    this.#dead = 0;
    for (const one of alive) this.push(one);
  }
}
