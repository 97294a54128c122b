interface Taken {
  readonly digest: string;
  /** When the answer was folded. */
  readonly at: number;
}

const KEPT = 20;

/** The digests of the last inventories: from which one on the host shall tell its changes. */
export class Digests {
  #taken: Taken[] = [];

  /** Of what is known; undefined = the host shall tell everything. */
  get last(): string | undefined {
    return this.#taken.at(-1)?.digest;
  }

  add(digest: string, at: Date): void {
    if (digest === this.last) return;
    this.#taken = [...this.#taken, { digest, at: at.getTime() }].slice(-KEPT);
  }

  /**
   * A job that was sent at `at` has told what it saw: an inventory taken in since may have seen later, so the next one
   * tells once more what changed since the job was sent.
   */
  backTo(at: Date): void {
    this.#taken = this.#taken.filter((taken) => taken.at < at.getTime());
  }

  forget(): void {
    this.#taken = [];
  }
}
