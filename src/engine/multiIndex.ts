/** Several members by one key; a key with one member, as most have, costs no set. Members are texts. */
export class MultiIndex<K> {
  readonly #members = new Map<K, string | Set<string>>();

  add(key: K, member: string): void {
    const present = this.#members.get(key);
    if (present === undefined) this.#members.set(key, member);
    else if (typeof present !== "string") present.add(member);
    else if (present !== member) this.#members.set(key, new Set([present, member]));
  }

  remove(key: K, member: string): void {
    const present = this.#members.get(key);
    if (present === member) this.#members.delete(key);
    else if (typeof present === "object" && present.delete(member) && present.size === 0) this.#members.delete(key);
  }

  of(key: K): Iterable<string> {
    const present = this.#members.get(key);
    if (present === undefined) return none;
    return typeof present === "string" ? [present] : present;
  }

  keys(): Iterable<K> {
    return this.#members.keys();
  }
}

const none: readonly never[] = [];
