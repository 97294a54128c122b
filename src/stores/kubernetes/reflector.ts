import type { Resource } from "../../api/resource.ts";
import type { Clock, Logger, Random } from "../../engine/ports.ts";
import type { KubeClient } from "./client.ts";
import { isExpired, KubeError } from "./error.ts";
import { watchEvents } from "./watchEvents.ts";

/** Who keeps what a reflector hears. */
export interface Sink {
  /** All there is as of the version; what is not among it is gone. */
  replaced(objects: readonly Resource[], version: string): void;
  changed(object: Resource): void;
  removed(object: Resource): void;
  /** Everything up to this version was told. */
  bookmarked(version: string): void;
}

export interface ReflectorOptions {
  readonly client: KubeClient;
  /** Path of the collection. */
  readonly path: string;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly times?: ReflectorTimes;
}

export interface ReflectorTimes {
  /** Objects a page of a list. */
  readonly pageSize: number;
  /** Life of one watch as the server is asked to keep it, seconds; up to twice as much by chance. */
  readonly watchSeconds: number;
  /** A watch silent for so long (servers send bookmarks about every minute) is taken for dead, milliseconds. */
  readonly idleMs: number;
  /** Shortest and longest wait after failures in a row, milliseconds; jittered down to half. */
  readonly leastWaitMs: number;
  readonly longestWaitMs: number;
}

export const defaultTimes: ReflectorTimes = {
  pageSize: 500,
  watchSeconds: 240,
  idleMs: 100_000,
  leastWaitMs: 250,
  longestWaitMs: 30_000,
};

/** Watches that fail so often in a row are no use with their version: list anew. */
const failuresUntilList = 5;
/** A watch that ends sooner than this and told nothing counts as failed: else a server that closes at once is asked without pause. */
const shortWatchMs = 1_000;

interface List {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Resource[];
}

/** Keeps a sink as one collection of the API server is: lists, then watches, for ever, whatever happens in between. */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #times: ReflectorTimes;
  /** Ends the present watch or pause: a list is wanted now. */
  #interruption = new AbortController();
  #waiting: (() => void)[] = [];
  #failures = 0;
  /** Up to what the sink was told; undefined: a list is needed. */
  #version: string | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#times = options.times ?? defaultTimes;
  }

  /** Works until the signal fires. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#interruption = new AbortController();
      const either = AbortSignal.any([signal, this.#interruption.signal]);
      try {
        if (this.#version === undefined || this.#waiting.length > 0) await this.#list(signal);
        else await this.#watch(this.#version, either);
      } catch (error) {
        if (!either.aborted) await this.#failed(error, either);
      }
    }
  }

  /** Resolves once a list that was begun after this call has been told to the sink. */
  listed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#interruption.abort();
    return promise;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const served = this.#waiting.splice(0);
    try {
      const { objects, version } = await this.#pages(signal);
      this.#options.sink.replaced(objects, version);
      this.#version = version;
      this.#failures = 0;
      for (const resolve of served) resolve();
    } catch (error) {
      this.#waiting.unshift(...served);
      throw error;
    }
  }

  /** Pages are of one snapshot; when it is compacted meanwhile, everything is asked for again. */
  async #pages(signal: AbortSignal): Promise<{ readonly objects: readonly Resource[]; readonly version: string }> {
    const { client, path } = this.#options;
    const objects: Resource[] = [];
    let next: string | undefined;
    for (;;) {
      // Big collections change faster than they can be paged through when the server is slow: after a failure, all at once.
      const limit = this.#failures > 1 ? undefined : String(this.#times.pageSize);
      const page = await client.call<List>({ verb: "list", path, query: { limit, continue: next }, signal });
      objects.push(...page.items);
      const { resourceVersion, continue: more } = page.metadata;
      if (more === undefined || more === "") return { objects, version: resourceVersion };
      next = more;
    }
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { client, path, clock, random } = this.#options;
    const seconds = Math.round(this.#times.watchSeconds * (1 + random.next()));
    const query = {
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: from,
      timeoutSeconds: String(seconds),
    };
    const started = clock.now().getTime();
    const bytes = await client.stream({ verb: "watch", path, query, signal }, this.#times.idleMs);
    let told = false;
    for await (const event of watchEvents(bytes)) {
      this.#tell(event);
      this.#version = event.object.metadata.resourceVersion;
      this.#failures = 0;
      told = true;
    }
    if (!told && clock.now().getTime() - started < shortWatchMs)
      throw new KubeError(0, "the API server closed the watch at once");
    this.#failures = 0;
  }

  #tell(event: Awaited<ReturnType<ReturnType<typeof watchEvents>["next"]>>["value"]): void {
    const { sink } = this.#options;
    switch (event.type) {
      case "ADDED":
      case "MODIFIED":
        return sink.changed(event.object);
      case "DELETED":
        return sink.removed(event.object);
      default:
        return sink.bookmarked(event.object.metadata.resourceVersion);
    }
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const { log, path, clock } = this.#options;
    this.#failures += 1;
    const missing = error instanceof KubeError && error.code === 404;
    if (isExpired(error) || missing || this.#failures >= failuresUntilList) this.#version = undefined;
    const text = error instanceof Error ? error.message : String(error);
    const wait = this.#wait(error);
    log.warn({ path, failures: this.#failures, waitMs: Math.round(wait) }, `watching is interrupted: ${text}`);
    await clock.sleep(wait, signal);
  }

  #wait(error: unknown): number {
    const { leastWaitMs, longestWaitMs } = this.#times;
    // The first list after 410 is no retry of what failed.
    if (isExpired(error) && this.#failures === 1) return 0;
    const asked = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
    const wait = Math.min(longestWaitMs, leastWaitMs * 2 ** (this.#failures - 1));
    return Math.max(asked, wait * (0.5 + this.#options.random.next() / 2));
  }
}
