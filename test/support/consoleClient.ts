import { request } from "node:http";

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body's JSON. */
  json<T = Readonly<Record<string, unknown>>>(): T;
}

export interface Asking {
  readonly method?: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Asks the console's API; unlike fetch, with whatever headers. */
export class ConsoleClient {
  readonly url: string;

  constructor(url: string) {
    this.url = url.replace(/\/$/, "");
  }

  ask(path: string, asking: Asking = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const sent = this.#request(path, asking);
      sent.on("response", (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8");
          const json = <T>(): T => JSON.parse(text) as T;
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json });
        });
      });
      sent.on("error", reject);
    });
  }

  /** Events of a stream as they come; `data` of unnamed ones. */
  async *events(path: string, asking: Asking = {}): AsyncGenerator<{ readonly event: string; readonly data: unknown }> {
    const answer = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
      const sent = this.#request(path, asking);
      sent.on("response", (response) =>
        response.statusCode === 200 ? resolve(response) : reject(new Error(`HTTP ${response.statusCode}`)),
      );
      sent.on("error", reject);
    });
    let text = "";
    try {
      for await (const part of answer) {
        text += part.toString("utf8");
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (data !== undefined)
            yield { event: /^event: (.*)$/m.exec(block)?.[1] ?? "message", data: JSON.parse(data) as unknown };
        }
      }
    } catch (error) {
      if (asking.signal?.aborted !== true) throw error;
    }
  }

  #request(path: string, { method = "GET", token, body, headers = {}, signal }: Asking): ReturnType<typeof request> {
    const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const sent = request(`${this.url}${path}`, {
      method,
      agent: false,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
        ...headers,
      },
      ...(signal ? { signal } : {}),
    });
    sent.end(text);
    return sent;
  }
}
