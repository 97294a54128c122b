import { keyText, type Key } from "../api/resource.ts";
import type { Objects } from "../engine/ports.ts";
import type { ObjectChange } from "../server/control.ts";

export interface Watched {
  readonly objects: Objects;
  readonly watch: (wake: (key: Key) => void, signal: AbortSignal) => Promise<void>;
}

/**
 * Every object of the kinds, `synced`, then each change. What a slow reader has not taken is kept by key: it gets the newest
 * state of each object, and never more of them than there are.
 */
export async function* watchObjects(
  { objects, watch }: Watched,
  kindNames: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<ObjectChange> {
  const wanted = new Set(kindNames);
  const pending = new Map<string, Key>();
  const news = new Bell();
  const ended = new AbortController();
  signal.addEventListener("abort", () => (ended.abort(), news.ring()), { once: true });
  try {
    await watch((key) => {
      if (!wanted.has(key.kind)) return;
      pending.set(keyText(key), key);
      news.ring();
    }, ended.signal);
    let synced = false;
    while (!ended.signal.aborted) {
      const batch = [...pending.values()];
      pending.clear();
      for (const key of batch) yield changeOf(objects, key);
      if (!synced) yield { type: "synced" };
      synced = true;
      if (pending.size === 0) await news.wait();
    }
  } finally {
    ended.abort();
  }
}

const changeOf = (objects: Objects, key: Key): ObjectChange => {
  const object = objects.get(key);
  return object ? { type: "changed", key, object } : { type: "removed", key };
};

/** Wakes one waiter; a ring before the wait is not lost. */
class Bell {
  #rung = false;
  #waiter: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#waiter?.();
  }

  async wait(): Promise<void> {
    if (!this.#rung) await new Promise<void>((resolve) => (this.#waiter = resolve));
    this.#rung = false;
    this.#waiter = undefined;
  }
}
