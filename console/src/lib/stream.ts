import { ApiError, open, type Status } from "./api.ts";

/** Reads server-sent events until the stream ends or the signal fires. An event named error is thrown as what it tells. */
export async function* messages<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
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
        const message = messageOf(block);
        if (message.event === "end") return;
        if (message.event === "error") throw errorOf(message.data);
        if (message.event === "" && message.data !== "") yield JSON.parse(message.data) as T;
      }
    }
  } finally {
    // An early end by the reader: the server stops sending.
    reader.cancel().catch(() => {});
  }
}

/** The lines of one message; comments (heartbeats) have neither. */
const messageOf = (block: string): { event: string; data: string } => {
  const values = (field: string): readonly string[] =>
    block
      .split(/\r?\n/)
      .flatMap((line) => (line.startsWith(`${field}:`) ? [line.slice(field.length + 1).trimStart()] : []));
  return { event: values("event")[0] ?? "", data: values("data").join("\n") };
};

const errorOf = (data: string): ApiError => {
  const status = JSON.parse(data) as Status;
  return new ApiError(status.code ?? 500, status);
};

/** How long to wait before the n-th attempt in a row (from 1): 1, 2, 4, 8 then 15 seconds, up to a quarter less by chance. */
export const backoff = (attempt: number, chance: number): number =>
  Math.round(Math.min(15_000, 1000 * 2 ** (attempt - 1)) * (1 - chance / 4));
