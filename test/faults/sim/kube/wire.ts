import type { Response, Sent, Wire } from "../../../../src/stores/kubernetes/connection.ts";
import type { Chance } from "../chance.ts";
import { InjectedError, type Process } from "../process.ts";
import { busy, failure, type Answered } from "./answers.ts";
import { isIn, type ApiModel, type Asked, type Change } from "./apiModel.ts";
import { placeOf, type Place } from "./places.ts";
import { WatchStream } from "./watchStream.ts";

/** What goes on between a process and the API server now. */
export interface WireState {
  /** down: nobody answers. storm: most requests are refused as too many. */
  state: "fine" | "down" | "storm";
  /** Watches tell nothing, and do not end. */
  frozen: boolean;
  /** Lists come without every other object. */
  halved: boolean;
}

const bookmarkMs = 60_000;

/** The network between processes and an API server, and all watches over it. */
export class KubeWires {
  readonly #model: ApiModel;
  readonly #streams = new Set<{ readonly place: Place; readonly stream: WatchStream; readonly process: Process }>();
  readonly weather: WireState = { state: "fine", frozen: false, halved: false };

  constructor(model: ApiModel) {
    this.#model = model;
  }

  of(process: Process): Wire {
    return {
      namespace: "aetherv",
      send: (sent) => this.#send(process, sent),
      close: () => Promise.resolve(),
    };
  }

  /** Told by the server of each change, in its order. */
  changed(change: Change): void {
    for (const { place, stream } of this.#streams) if (isIn(place, change)) stream.tell(change.type, change.object);
  }

  /** All watches end, some in the middle of a line. */
  cutWatches(chance: Chance): void {
    for (const { stream } of this.#streams) stream.end(chance.pick(["clean", "torn", "lost"] as const));
  }

  thaw(): void {
    this.weather.frozen = false;
    for (const { stream } of this.#streams) stream.thaw();
  }

  #send(process: Process, sent: Sent): Promise<Response> {
    const asked = askedOf(sent);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const give = (error: Error): void => reject(error);
    if (sent.signal?.aborted) return Promise.reject(aborted());
    sent.signal?.addEventListener("abort", () => give(aborted()), { once: true });
    // The server may have carried out what is given up here.
    const patience = process.later(sent.headersTimeout, "", () => give(new InjectedError("no answer in time")));
    const call = process.call(labelOf(asked), () => this.#carryOut(process, asked, sent));
    void call.then(resolve, give).finally(() => patience.cancel());
    return promise;
  }

  #carryOut(process: Process, asked: Asked, sent: Sent): Response | Promise<Response> {
    const { state } = this.weather;
    if (state === "down") return new Promise<Response>(() => undefined);
    if (state === "storm" && process.chance.is(0.8)) return plain(refusalOf(process.chance));
    const place = placeOf(asked.path);
    if (asked.query["watch"] === "1" && place) return this.#watch(process, place, asked, sent);
    const answered = this.#model.answer(asked);
    return plain(
      this.weather.halved && place?.name === undefined && asked.method === "GET" ? halved(answered) : answered,
    );
  }

  #watch(process: Process, place: Place, { query }: Asked, sent: Sent): Response {
    const changes = this.#model.since(place, Number(query["resourceVersion"]));
    if (!changes) return plain(failure(410, "Expired", "too old resource version"));
    const { weather } = this;
    const { signal, bodyTimeout: idleMs } = sent;
    const stream = new WatchStream({ process, signal, idleMs, weather, version: () => this.#model.version });
    const entry = { place, stream, process };
    this.#streams.add(entry);
    stream.over.finally(() => this.#streams.delete(entry)).catch(() => undefined);
    for (const { type, object } of changes) stream.tell(type, object);
    const beat = async (): Promise<void> => {
      for (;;) {
        await process.scheduler.sleep(bookmarkMs, "");
        if (!this.#streams.has(entry) || process.ended) return;
        stream.bookmark(place.collection);
      }
    };
    void beat();
    const seconds = Number(query["timeoutSeconds"]);
    process.scheduler.at(seconds * 1000, "", () => stream.end("clean"));
    return { statusCode: 200, headers: {}, body: stream.body };
  }
}

const halved = ({ code, body }: Answered): Answered => {
  const list = body as { readonly items?: readonly unknown[] };
  return { code, body: { ...list, items: list.items?.filter((_, index) => index % 2 === 1) } };
};

const aborted = (): InjectedError => new InjectedError("the request was aborted");

const refusalOf = (chance: Chance): Answered =>
  chance.pick([
    busy(429, 1),
    busy(503, 2),
    failure(500, "InternalError", "etcdserver: leader changed"),
    failure(504, "Timeout", "timed out"),
  ]);

const plain = ({ code, body, headers = {} }: Answered): Response => {
  const text = JSON.stringify(body);
  const whole = (): never => {
    throw new Error("this answer is read as a whole");
  };
  return {
    statusCode: code,
    headers,
    body: {
      text: () => Promise.resolve(text),
      json: () => Promise.resolve(JSON.parse(text) as unknown),
      [Symbol.asyncIterator]: whole,
    },
  };
};

const askedOf = ({ method, path, body }: Sent): Asked => {
  const [at = "", query = ""] = path.split("?");
  return {
    method,
    path: at,
    query: Object.fromEntries(new URLSearchParams(query)),
    ...(body !== undefined && { body: JSON.parse(body) as unknown }),
  };
};

const labelOf = ({ method, path, query }: Asked): string =>
  `${query["watch"] === "1" ? "WATCH" : method} ${path.replace(/^.*\/v1(alpha1)?\//, "")}`;
