import { ApiError, open } from "./api.ts";

/** Reads server-sent events: `data` of each message, until the stream ends or the signal fires. */
export async function* messages(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const response = await open(path, { headers: { accept: "text/event-stream" }, signal });
  if (!response.body) throw new ApiError(response.status, { kind: "Status", message: "The answer has no body." });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = dataOf(block);
        if (data !== "") yield data;
      }
    }
  } finally {
    // An early end by the reader: the server stops sending.
    reader.cancel().catch(() => {});
  }
}

const dataOf = (block: string): string =>
  block
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(5).trimStart()] : []))
    .join("\n");

/** How long to wait before the n-th attempt in a row (from 1): 1, 2, 4, 8 then 15 seconds, up to a quarter less by chance. */
export const backoff = (attempt: number, chance: number): number =>
  Math.round(Math.min(15_000, 1000 * 2 ** (attempt - 1)) * (1 - chance / 4));
