/** Several members by one key; keeps no empty sets. */
export class MultiIndex<K, M> {
  readonly #sets = new Map<K, Set<M>>();

  add(key: K, member: M): void {
    const present = this.#sets.get(key);
    if (present) present.add(member);
    else this.#sets.set(key, new Set([member]));
  }

  remove(key: K, member: M): void {
    const present = this.#sets.get(key);
    if (present?.delete(member) && present.size === 0) this.#sets.delete(key);
  }

  of(key: K): ReadonlySet<M> {
    return this.#sets.get(key) ?? none;
  }
}

const none: ReadonlySet<never> = new Set<never>();
