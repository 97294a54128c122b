import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyValue, Random } from "../engine/ports.ts";
import { ControlError } from "../server/control.ts";

const epochKey = "meta/epoch";
const identityKey = "meta/control-plane-id";

const identityFile = (data: string): string => join(data, "identity.json");

/** The control plane's id as identity.json of the data folder has it; undefined when there is none. */
export const readIdentity = async (data: string): Promise<string | undefined> => {
  const path = identityFile(data);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { controlPlaneId } = JSON.parse(text) as { controlPlaneId?: unknown };
    if (typeof controlPlaneId === "string" && /^[A-Za-z0-9-]{8,64}$/.test(controlPlaneId)) return controlPlaneId;
  } catch {
    // Told below, with the file's name.
  }
  throw new ControlError(
    "Invalid",
    `${path} is damaged: it must hold {"controlPlaneId": "..."}`,
    "restore it from a backup: with another id, this control plane would not know its own machines",
  );
};

export const writeIdentity = (data: string, controlPlaneId: string): Promise<void> =>
  writeFile(identityFile(data), `${JSON.stringify({ controlPlaneId }, null, 2)}\n`, { mode: 0o600 });

/**
 * The id under which machines are stamped: of identity.json, else of the store, else new. Both keep it, so that the loss of one
 * changes nothing.
 */
export const ensureIdentity = async (data: string, store: KeyValue, random: Random): Promise<string> => {
  const filed = await readIdentity(data);
  const stored = await store.get(identityKey);
  if (filed !== undefined && stored !== undefined && filed !== stored)
    throw new ControlError(
      "Conflict",
      `${identityFile(data)} says control plane ${filed}, the store beside it ${stored}`,
      "the folder was mixed from two: put back the file that belongs to the store",
    );
  const id = filed ?? stored ?? random.uuid();
  if (stored === undefined) await store.write(new Map([[identityKey, id]]));
  if (filed === undefined) await writeIdentity(data, id);
  return id;
};

/** The fencing counter of file mode. Each start raises it by a synced write before any job is sent. */
export class Epoch {
  readonly #store: KeyValue;
  #value: number;
  #raising: Promise<number>;

  private constructor(store: KeyValue, value: number) {
    this.#store = store;
    this.#value = value;
    this.#raising = Promise.resolve(value);
  }

  static async next(store: KeyValue): Promise<Epoch> {
    const epoch = new Epoch(store, await storedEpoch(store));
    await epoch.raise(epoch.value + 1);
    return epoch;
  }

  get value(): number {
    return this.#value;
  }

  /** At least `min`, durably. A host that has seen a higher one than ours asks for it. */
  raise(min: number): Promise<number> {
    this.#raising = this.#raising.then(async () => {
      if (min <= this.#value) return this.#value;
      await this.#store.write(new Map([[epochKey, String(min)]]));
      this.#value = min;
      return min;
    });
    return this.#raising;
  }
}

export const storedEpoch = async (store: KeyValue): Promise<number> => Number((await store.get(epochKey)) ?? 0);
