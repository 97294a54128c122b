import type { AnyResource } from "../../../src/api/generated/types.ts";
import type { Key, Resource } from "../../../src/api/resource.ts";
import { keyText } from "../../../src/api/resource.ts";
import type { ObjectChange } from "../../../src/server/control.ts";
import { ApiError } from "./api.ts";
import { Cell } from "./cell.svelte.ts";
import { kindWords, type ConsoleKind } from "./kinds.ts";
import { backoff, messages } from "./stream.ts";

export type Of<K extends ConsoleKind> = Extract<AnyResource, { kind: K }>;

/** live: what is shown is what the server knows. lost: the connection is gone, what is shown is older. */
export type Link =
  | { readonly at: "idle" | "loading" | "live" }
  | { readonly at: "lost"; readonly why: string; readonly attempt: number; readonly retryAt: number };

const byName = (left: Resource, right: Resource): number => {
  const a = `${left.metadata.namespace ?? ""}/${left.metadata.name}`;
  const b = `${right.metadata.namespace ?? ""}/${right.metadata.name}`;
  return a < b ? -1 : a > b ? 1 : 0;
};

/** Changes that come together are shown together, this many milliseconds after the first; later where lists are long. */
const batchMs = (objects: number): number => (objects > 2000 ? 250 : 40);

/** Every object of the control plane, kept current by one stream. */
class Objects {
  readonly link = new Cell<Link>({ at: "idle" });
  readonly #objects = new Map<string, Map<string, Resource>>(kindWords.map(({ kind }) => [kind, new Map()]));
  readonly #lists = new Map<string, Cell<readonly Resource[]>>(
    kindWords.map(({ kind }) => [kind, new Cell<readonly Resource[]>([])]),
  );
  readonly #dirty = new Set<string>();
  /** Keys of the list that is being read anew; what it lacks is gone. */
  #seen: Set<string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #end: AbortController | undefined;
  #wake: (() => void) | undefined;

  /** All objects of a kind, by namespace and name. */
  of<K extends ConsoleKind>(kind: K): readonly Of<K>[] {
    return (this.#lists.get(kind)?.current ?? []) as readonly Of<K>[];
  }

  get<K extends ConsoleKind>(kind: K, namespace: string, name: string): Of<K> | undefined {
    // Read the list, so that whoever asks hears of changes.
    void this.#lists.get(kind)?.current;
    return this.#objects.get(kind)?.get(keyText({ kind, namespace, name })) as Of<K> | undefined;
  }

  /** Whether the first list has been read. */
  get ready(): boolean {
    const { at } = this.link.current;
    return at === "live" || (at === "lost" && this.#loaded);
  }
  #loaded = false;

  /** Starts to follow, unless it does already. */
  start(): void {
    if (this.#end) return;
    const end = new AbortController();
    this.#end = end;
    if (!this.#loaded) this.link.current = { at: "loading" };
    void this.#follow(end.signal);
  }

  stop(): void {
    this.#end?.abort();
    this.#end = undefined;
    this.#wake?.();
  }

  /** Tries now what would be tried later. */
  retry(): void {
    this.#wake?.();
  }

  /** What a write answered, shown before the stream tells it. */
  put(object: Resource): void {
    this.#set(object);
    this.#plan();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const path = `/v1/watch?kinds=${kindWords.map(({ kind }) => kind).join(",")}`;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      let why = "The connection ended.";
      try {
        this.#seen = new Set();
        for await (const change of messages<ObjectChange>(path, signal)) if (this.#take(change)) attempt = 0;
      } catch (error) {
        if (signal.aborted) return;
        why = error instanceof Error ? error.message : String(error);
        if (error instanceof ApiError && error.code === 401) return this.#lost(why, attempt, 15_000, signal);
      }
      if (signal.aborted) return;
      await this.#lost(why, Math.max(attempt, 1), backoff(Math.max(attempt, 1), Math.random()), signal);
    }
  }

  async #lost(why: string, attempt: number, wait: number, signal: AbortSignal): Promise<void> {
    this.link.current = { at: "lost", why, attempt, retryAt: Date.now() + wait };
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const timer = setTimeout(resolve, wait);
      signal.addEventListener("abort", () => resolve(), { once: true });
      void timer;
    });
    this.#wake = undefined;
  }

  /** Takes one message in; true when the list is complete. */
  #take(change: ObjectChange): boolean {
    if (change.type === "changed" && change.object) {
      this.#set(change.object);
    } else if (change.type === "removed" && change.key) {
      this.#objects.get(change.key.kind)?.delete(keyText(change.key));
      this.#dirty.add(change.key.kind);
    } else if (change.type === "synced") {
      this.#synced();
      return true;
    }
    // While a list is read for the first time, there is nothing half to show.
    if (this.#loaded) this.#plan();
    return false;
  }

  #set(object: Resource): void {
    const key = keyText(keyFrom(object));
    this.#seen?.add(key);
    this.#objects.get(object.kind)?.set(key, object);
    this.#dirty.add(object.kind);
  }

  #synced(): void {
    for (const [kind, objects] of this.#objects)
      for (const key of objects.keys())
        if (this.#seen && !this.#seen.has(key)) {
          objects.delete(key);
          this.#dirty.add(kind);
        }
    this.#seen = undefined;
    this.#loaded = true;
    this.#show();
    this.link.current = { at: "live" };
  }

  #plan(): void {
    if (this.#timer !== undefined) return;
    const count = [...this.#objects.values()].reduce((sum, { size }) => sum + size, 0);
    this.#timer = setTimeout(() => this.#show(), batchMs(count));
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const kind of this.#dirty) {
      const cell = this.#lists.get(kind);
      if (cell) cell.current = [...(this.#objects.get(kind)?.values() ?? [])].sort(byName);
    }
    this.#dirty.clear();
  }
}

const keyFrom = (object: Resource): Key => ({
  kind: object.kind,
  namespace: object.metadata.namespace ?? "",
  name: object.metadata.name,
});

export const objects = new Objects();
