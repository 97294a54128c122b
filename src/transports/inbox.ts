import type { Fault } from "../protocol/errors.ts";

/** What came from an agent's channel, and who wants to hear it: the same over SSH and from a child process. */
export class Inbox {
  readonly #lines: ((line: string) => void)[] = [];
  readonly #closers: ((fault: Fault) => void)[] = [];
  /** Lines that came before anybody listened. */
  #early: string[] | undefined = [];
  #closed: Fault | undefined;

  /** Why the channel ended; undefined while it is open. */
  get closed(): Fault | undefined {
    return this.#closed;
  }

  onLine(callback: (line: string) => void): void {
    this.#lines.push(callback);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const line of early) callback(line);
  }

  onClose(callback: (fault: Fault) => void): void {
    if (this.#closed) callback(this.#closed);
    else this.#closers.push(callback);
  }

  line(line: string): void {
    if (this.#early) this.#early.push(line);
    for (const callback of this.#lines) callback(line);
  }

  close(fault: Fault): void {
    this.#closed = fault;
    for (const callback of this.#closers) callback(fault);
  }
}
