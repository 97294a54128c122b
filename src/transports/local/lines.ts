import { StringDecoder } from "node:string_decoder";

/**
 * Cuts a stream of bytes into lines. Characters split over two chunks are joined again; CR before LF and a byte order
 * mark are dropped. Of a line longer than `limit` characters only the first `limit` are given, so that a flood can't
 * fill the memory; its reader sees it as cut off.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #limit: number;
  readonly #emit: (line: string) => void;
  #parts: string[] = [];
  #length = 0;

  constructor(limit: number, emit: (line: string) => void) {
    this.#limit = limit;
    this.#emit = emit;
  }

  write(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** Gives the last line when it had no end. */
  end(): void {
    this.#take(this.#decoder.end());
    if (this.#length > 0) this.#flush();
  }

  #take(text: string): void {
    let from = 0;
    for (let to = text.indexOf("\n"); to >= 0; to = text.indexOf("\n", from)) {
      this.#keep(text.slice(from, to));
      this.#flush();
      from = to + 1;
    }
    if (from < text.length) this.#keep(text.slice(from));
  }

  #keep(part: string): void {
    const room = this.#limit - this.#length;
    if (room <= 0) return;
    this.#parts.push(part.length > room ? part.slice(0, room) : part);
    this.#length += Math.min(part.length, room);
  }

  #flush(): void {
    const line = this.#parts
      .join("")
      .replace(/^\uFEFF/, "")
      .replace(/\r$/, "");
    this.#parts = [];
    this.#length = 0;
    this.#emit(line);
  }
}
