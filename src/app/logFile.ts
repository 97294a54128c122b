import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface LogFileLimits {
  /** A file that would grow beyond this is put aside, bytes. */
  readonly maxBytes: number;
  /** Files put aside that are kept: FILE.1 is the youngest. */
  readonly kept: number;
}

const defaults: LogFileLimits = { maxBytes: 10 * 2 ** 20, kept: 4 };

/** A log file (mode 0600) that does not grow for ever. Each line is written at once: the last ones before a crash are there. */
export class LogFile {
  readonly #path: string;
  readonly #limits: LogFileLimits;
  #file: number;
  #size: number;

  /** Throws the system's error where the file can't be made. */
  constructor(path: string, limits: LogFileLimits = defaults) {
    this.#path = path;
    this.#limits = limits;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#file = openSync(path, "a", 0o600);
    this.#size = fstatSync(this.#file).size;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#limits.maxBytes) this.#rotate();
      this.#size += writeSync(this.#file, bytes);
    } catch {
      // A full disk costs lines of the log, not the control plane.
    }
  }

  #rotate(): void {
    for (let number = this.#limits.kept; number >= 1; number -= 1) {
      const from = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
      try {
        renameSync(from, `${this.#path}.${number}`);
      } catch {
        // There are not that many yet.
      }
    }
    const old = this.#file;
    this.#file = openSync(this.#path, "a", 0o600);
    this.#size = fstatSync(this.#file).size;
    closeSync(old);
  }
}
