import { once } from "node:events";
import type { FastifyReply, FastifyRequest } from "fastify";

/** One server-sent event; `message` events have no name. */
export interface ServerEvent {
  readonly event?: string;
  readonly data: unknown;
}

export interface StreamOptions {
  /** Comments that keep proxies from closing what is silent, milliseconds apart. */
  readonly heartbeatMs: number;
  /** A reader that takes nothing for so long is let go, milliseconds. */
  readonly patienceMs: number;
  /** Asked at each heartbeat; the text of an error once the reader may no longer read. */
  readonly mayGoOn?: () => Promise<unknown>;
  readonly errorData: (error: unknown) => unknown;
}

/**
 * Sends events until the source ends or the reader goes. The source is asked for the next one only when the reader has taken
 * those before: what is kept for a slow one is what the source keeps, never a queue that grows.
 */
export const streamEvents = async (
  request: FastifyRequest,
  reply: FastifyReply,
  source: (signal: AbortSignal) => AsyncIterable<ServerEvent>,
  options: StreamOptions,
): Promise<void> => {
  const writer = new Writer(request, reply, options);
  try {
    for await (const { event, data } of source(writer.gone)) await writer.write(eventText(event, data));
    if (!writer.gone.aborted) await writer.write(eventText("end", {}));
  } catch (error) {
    await writer.write(eventText("error", options.errorData(error)));
  } finally {
    writer.end();
  }
};

const eventText = (event: string | undefined, data: unknown): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;

class Writer {
  readonly #reply: FastifyReply;
  readonly #options: StreamOptions;
  readonly #gone = new AbortController();
  readonly #heart: NodeJS.Timeout;

  constructor(request: FastifyRequest, reply: FastifyReply, options: StreamOptions) {
    this.#reply = reply;
    this.#options = options;
    request.raw.on("close", () => this.#gone.abort());
    reply.raw.on("close", () => this.#gone.abort());
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    reply.raw.flushHeaders();
    this.#heart = setInterval(() => void this.#beat(), options.heartbeatMs);
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  async write(text: string): Promise<void> {
    const { raw } = this.#reply;
    if (this.#gone.signal.aborted || raw.writableEnded || raw.write(text)) return;
    const late = AbortSignal.any([this.#gone.signal, AbortSignal.timeout(this.#options.patienceMs)]);
    await once(raw, "drain", { signal: late }).catch(() => this.#drop());
  }

  end(): void {
    clearInterval(this.#heart);
    this.#gone.abort();
    this.#reply.raw.end();
  }

  async #beat(): Promise<void> {
    const { raw } = this.#reply;
    try {
      await this.#options.mayGoOn?.();
      // A reader that is behind has no use for it.
      if (!raw.writableNeedDrain && !raw.writableEnded) raw.write(": still here\n\n");
    } catch (error) {
      if (!raw.writableEnded) raw.write(eventText("error", this.#options.errorData(error)));
      this.end();
    }
  }

  #drop(): void {
    this.#gone.abort();
    this.#reply.raw.destroy();
  }
}

/** Each item as an event without a name. */
export async function* messages<T>(source: AsyncIterable<T>): AsyncGenerator<ServerEvent> {
  for await (const data of source) yield { data };
}
