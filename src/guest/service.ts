import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { VirtualMachine } from "../api/generated/types.ts";
import { keyOf, type Key, type Resource } from "../api/resource.ts";
import type {
  Blocked,
  Clock,
  GuestConfigs,
  GuestContent,
  GuestHeard,
  GuestSealed,
  GuestSources,
  Logger,
  PublishedConfig,
  SealOrder,
} from "../engine/ports.ts";
import { derive, sizeProblem } from "./derive.ts";
import type { DraftLine } from "./derive.ts";
import { configItems, configKeys, manifestKey, manifestOf, parseManifest } from "./format.ts";
import { payloadText } from "./payload.ts";
import type { Line } from "./payload.ts";
import { reportOf } from "./report.ts";
import { seal } from "./seal.ts";
import { signerItems } from "./signer.ts";
import type { Signer } from "./signer.ts";

/** Values of a Secret, read now; undefined when there is none. */
export type ReadSecret = (namespace: string, name: string) => Promise<Readonly<Record<string, Uint8Array>> | undefined>;

export interface GuestServiceParts {
  /** The control plane's key; asked for when the first configuration is wanted, and again after it failed. */
  readonly signer: () => Promise<Signer>;
  readonly secret: ReadSecret;
  /** An answer changed: the object is to be decided again. */
  readonly wake: (key: Key) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How old what was read of Secrets may be, milliseconds. */
const secretsAgeMs = 300_000;
/** A missing Secret, or one that could not be read, is looked for again this often, milliseconds. */
const missingAgeMs = 10_000;

interface Entry {
  readonly key: Key;
  /** Of the draft, its Secrets by name only. */
  readonly draft: string;
  readonly lines: readonly DraftLine[];
  content: GuestContent;
  readAt: number;
  reading: boolean;
  /** It is to be read once more after this time. */
  stale: boolean;
  sealed?: { readonly order: string; readonly answer: GuestSealed } | undefined;
  sealing?: string | undefined;
}

type Resolved = { readonly at: "resolved"; readonly lines: readonly Line[] } | Blocked;

/** Answers at once from what it knows, and reads Secrets and seals behind. Plaintext lives for the length of one sealing. */
export class GuestService implements GuestConfigs {
  readonly #parts: GuestServiceParts;
  /** By uid. */
  readonly #entries = new Map<string, Entry>();
  #signing: Promise<Signer> | undefined;

  constructor(parts: GuestServiceParts) {
    this.#parts = parts;
  }

  content(vm: Resource, sources: GuestSources): GuestContent {
    const derived = derive(vm as VirtualMachine, sources);
    if (!derived) return { at: "soon" };
    if (derived.at !== "derived") return derived;
    const entry = this.#entry(vm, derived.lines);
    if (entry.readAt + ageOf(entry) <= this.#now()) void this.#read(vm.metadata.uid, entry);
    return entry.content;
  }

  sealed(vm: Resource, sources: GuestSources, order: SealOrder): GuestSealed {
    const derived = derive(vm as VirtualMachine, sources);
    if (derived?.at !== "derived") return { at: "soon" };
    const entry = this.#entry(vm, derived.lines);
    const name = JSON.stringify([order.digest, order.vmId, order.generation, order.guestKey.fingerprint]);
    if (entry.sealed?.order === name) return entry.sealed.answer;
    if (entry.sealing !== name) void this.#seal(entry, order, name);
    return { at: "soon" };
  }

  heard(items: Readonly<Record<string, string>>): GuestHeard {
    return reportOf(items);
  }

  published(manifests: Readonly<Record<string, string>>): readonly PublishedConfig[] {
    return Object.entries(manifests).map(([key, value]) => {
      const manifest = parseManifest(value);
      if (!manifest || manifestKey(manifest.generation) !== key) return { generation: 0, hash: "", keys: [key] };
      return { generation: manifest.generation, hash: manifest.hash, keys: configKeys(manifest) };
    });
  }

  /** Looks at the Secrets of every machine again, until the signal fires; forgets machines that `exists` does not know. */
  async run(exists: (key: Key, uid: string) => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(missingAgeMs, signal);
      if (signal.aborted) return;
      for (const [uid, entry] of this.#entries) {
        if (!exists(entry.key, uid)) this.#entries.delete(uid);
        else if (secretsOf(entry.lines).length > 0 && entry.readAt + ageOf(entry) <= this.#now())
          await this.#read(uid, entry);
      }
    }
  }

  /** Secrets may have changed: those of every machine are read again now. */
  secretsChanged(): void {
    for (const [uid, entry] of this.#entries)
      if (secretsOf(entry.lines).length > 0) {
        // One that is being read may have been read before the change.
        entry.readAt = 0;
        entry.stale = entry.reading;
        void this.#read(uid, entry);
      }
  }

  #now(): number {
    return this.#parts.clock.now().getTime();
  }

  #entry(vm: Resource, lines: readonly DraftLine[]): Entry {
    const { uid } = vm.metadata;
    const draft = JSON.stringify(lines);
    const known = this.#entries.get(uid);
    if (known?.draft === draft) return known;
    const fresh: Entry = {
      key: keyOf(vm),
      draft,
      lines,
      content: { at: "soon" },
      readAt: 0,
      reading: false,
      stale: false,
    };
    this.#entries.set(uid, fresh);
    return fresh;
  }

  async #read(uid: string, entry: Entry): Promise<void> {
    if (entry.reading) return;
    entry.reading = true;
    const content = await this.#contentNow(entry);
    entry.reading = false;
    entry.readAt = this.#now();
    if (this.#entries.get(uid) !== entry) return;
    this.#learn(entry, content);
    if (!entry.stale) return;
    entry.stale = false;
    await this.#read(uid, entry);
  }

  /** Never throws. */
  async #contentNow(entry: Entry): Promise<GuestContent> {
    const resolved = await this.#resolve(entry);
    if (resolved.at !== "resolved") return resolved;
    try {
      return { at: "known", digest: digestOf(await this.#signer(), resolved.lines) };
    } catch (error) {
      this.#parts.log.warn({ err: error }, "the key that signs guest configurations could not be read");
      const why = error instanceof Error ? error.message : String(error);
      return { at: "waiting", reason: "GuestConfigurationPending", message: `No key to sign with: ${why}` };
    }
  }

  #signer(): Promise<Signer> {
    this.#signing ??= this.#parts.signer().catch((error: unknown) => {
      this.#signing = undefined;
      throw error;
    });
    return this.#signing;
  }

  #learn(entry: Entry, content: GuestContent): void {
    const same = JSON.stringify(content) === JSON.stringify(entry.content);
    entry.content = content;
    if (!same) this.#parts.wake(entry.key);
  }

  async #seal(entry: Entry, { digest, vmId, generation, guestKey }: SealOrder, name: string): Promise<void> {
    entry.sealing = name;
    try {
      const resolved = await this.#resolve(entry);
      if (resolved.at !== "resolved") return this.#learn(entry, resolved);
      const signer = await this.#signer();
      const now = digestOf(signer, resolved.lines);
      // Sealed is only what the generation was raised for.
      if (now !== digest) return this.#learn(entry, { at: "known", digest: now });
      const payload = payloadText([
        ["format", "1"],
        ["vm", vmId],
        ["generation", String(generation)],
        ...resolved.lines,
      ]);
      const text = await seal(signer, { vmId, generation, key: guestKey }, payload);
      const items = [...signerItems(signer), ...configItems(generation, text)];
      entry.sealed = { order: name, answer: { at: "sealed", hash: manifestOf(generation, text).hash, items } };
      this.#parts.wake(entry.key);
    } catch (error) {
      this.#parts.log.error({ key: entry.key, err: error }, "a guest configuration could not be sealed");
    } finally {
      entry.sealing = undefined;
    }
  }

  /** Puts the values of Secrets in the places of their names. Never throws. */
  async #resolve({ key, lines }: Entry): Promise<Resolved> {
    const secrets = new Map<string, Readonly<Record<string, Uint8Array>> | undefined>();
    for (const name of secretsOf(lines)) {
      try {
        secrets.set(name, await this.#parts.secret(key.namespace, name));
      } catch (error) {
        this.#parts.log.warn({ key, secret: name, err: error }, "a Secret could not be read");
        return waiting(`Secret ${name} could not be read.`);
      }
    }
    const resolved: Line[] = [];
    for (const [name, value] of lines) {
      const text = typeof value === "string" ? value : textOf(secrets.get(value.secret), value.secret, value.key);
      if (typeof text !== "string") return text;
      resolved.push([name, text]);
    }
    return sizeProblem(resolved) ?? { at: "resolved", lines: resolved };
  }
}

/** Equal for equal content; says nothing of it to who does not have the key. */
const digestOf = ({ digestKey }: Signer, lines: readonly Line[]): string =>
  bytesToHex(hmac(sha256, digestKey, utf8ToBytes(payloadText(lines)))).slice(0, 32);

const ageOf = ({ content }: Entry): number => (content.at === "known" ? secretsAgeMs : missingAgeMs);

const secretsOf = (lines: readonly DraftLine[]): readonly string[] => [
  ...new Set(lines.flatMap(([, value]) => (typeof value === "string" ? [] : [value.secret]))),
];

const waiting = (message: string): Blocked => ({ at: "waiting", reason: "WaitingForReference", message });

const textOf = (
  values: Readonly<Record<string, Uint8Array>> | undefined,
  secret: string,
  key: string,
): string | Blocked => {
  if (!values) return waiting(`Secret ${secret} does not exist, or may not be read.`);
  const bytes = values[key];
  if (!bytes)
    return waiting(`Secret ${secret} has no key ${key}; it has ${Object.keys(values).sort().join(", ") || "none"}.`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.includes("\0")) return text;
  } catch {
    // Told below; the error could hold bytes of the value.
  }
  return {
    at: "stalled",
    reason: "InvalidSpec",
    message: `Key ${key} of Secret ${secret} holds no text in UTF-8, or a NUL character.`,
  };
};
