import { configItems, handoverKey, manifestKey, manifestText, sha256Hex, signerKey } from "../../src/guest/format.ts";
import type { KvpItem } from "../../src/guest/format.ts";
import { guestKeyOf } from "../../src/guest/keys.ts";
import { payloadText } from "../../src/guest/payload.ts";
import type { Line } from "../../src/guest/payload.ts";
import { seal } from "../../src/guest/seal.ts";
import { openSigner, signerItems } from "../../src/guest/signer.ts";
import { compose, jwe, jweHeader, jws, jwsHeader } from "./compose.ts";
import type { KeyFixture, Keys } from "./keys.ts";
import { contents } from "./contents.ts";

export const vmId = "7f2c5a86-9d1e-4b3a-8f60-0d9be1c47a52";
const otherVm = "1b0e7c11-2222-4333-8444-555566667777";

interface Expected {
  readonly verdict: string;
  readonly generation?: number;
  readonly hash?: string;
  readonly payload?: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly signerFingerprint?: string;
}

export interface OpenCase {
  readonly name: string;
  readonly why: string;
  readonly vmId: string;
  readonly guestKey: "a";
  readonly signer: "one" | "two";
  readonly state: {
    readonly highestGeneration: number;
    readonly pinnedSigner?: { readonly fingerprint: string; readonly spki: string };
    readonly applied?: { readonly generation: number; readonly hash: string };
  };
  readonly items: readonly KvpItem[];
  readonly expected: Expected;
}

const headerLines = (generation: number): readonly Line[] => [
  ["format", "1"],
  ["vm", vmId],
  ["generation", String(generation)],
];

const plain = (
  generation: number,
  more: readonly Line[] = [
    ["os", "Linux"],
    ["hostname", "web"],
  ],
): string => payloadText([...headerLines(generation), ...more]);

const valuesOf = (payload: string): Record<string, string> =>
  Object.fromEntries(
    payload
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const [key = "", value = ""] = line.split(" ");
        return [key, Buffer.from(value, "base64url").toString("utf8")];
      }),
  );

/** Cases of one set of keys; `a` is the guest. */
class Bench {
  readonly #keys: Keys;
  readonly guest: KeyFixture;
  readonly one: KeyFixture;
  constructor(keys: Keys) {
    this.#keys = keys;
    this.guest = keys.guests.a;
    this.one = keys.signers.one;
  }

  pin(signer: KeyFixture = this.one): { readonly fingerprint: string; readonly spki: string } {
    return { fingerprint: signer.fingerprint, spki: signer.spki };
  }

  /** Sealed by the product's own code. */
  async sealed(generation: number, payload: string): Promise<string> {
    const key = guestKeyOf(this.guest.spki);
    if (!key) throw new Error("the guest key has no right form");
    return seal(
      await openSigner({ ...this.one, digestKey: btoa("x".repeat(32)), handovers: [] }),
      { vmId, generation, key },
      payload,
    );
  }

  /** Sealed part by part, right but for what `change` says. */
  spoilt(
    generation: number,
    change: { header?: string; inner?: string; payload?: string; signer?: KeyFixture; guest?: KeyFixture } = {},
  ): string {
    const { guest, one } = this;
    return compose({
      guest: change.guest ?? guest,
      signer: change.signer ?? one,
      jweHeader: change.header ?? jweHeader(guest, vmId, generation),
      jwsHeader: change.inner ?? jwsHeader(one, guest, vmId, generation),
      payload: change.payload ?? plain(generation),
    });
  }

  items(generation: number, sealed: string, more: readonly KvpItem[] = []): readonly KvpItem[] {
    return [{ key: signerKey, value: this.one.spki }, ...more, ...configItems(generation, sealed)];
  }

  accepted(generation: number, sealed: string, payload: string): Expected {
    return {
      verdict: "Accepted",
      generation,
      hash: sha256Hex(sealed),
      payload,
      values: valuesOf(payload),
      signerFingerprint: this.one.fingerprint,
    };
  }

  refused(
    name: string,
    why: string,
    at: { verdict: string; generation: number; sealed: string; state?: OpenCase["state"]; items?: readonly KvpItem[] },
  ): OpenCase {
    const { verdict, generation, sealed } = at;
    return {
      name,
      why,
      vmId,
      guestKey: "a",
      signer: "one",
      state: at.state ?? { highestGeneration: 0 },
      items: at.items ?? this.items(generation, sealed),
      expected: { verdict, generation, hash: sha256Hex(sealed) },
    };
  }

  get two(): KeyFixture {
    return this.#keys.signers.two;
  }
  get otherGuest(): KeyFixture {
    return this.#keys.guests.b;
  }
}

const acceptedCases = async (bench: Bench): Promise<OpenCase[]> => {
  const cases: OpenCase[] = [];
  for (const { name, why, lines } of contents) {
    const payload = plain(1, lines);
    const sealed = await bench.sealed(1, payload);
    cases.push({
      name: `accepted-${name}`,
      why,
      vmId,
      guestKey: "a",
      signer: "one",
      state: { highestGeneration: 0 },
      items: bench.items(1, sealed),
      expected: bench.accepted(1, sealed, payload),
    });
  }
  return cases;
};

const chunkCases = async (bench: Bench): Promise<OpenCase[]> => {
  const old = await bench.sealed(4, plain(4));
  const next = await bench.sealed(5, plain(5));
  const both = [...bench.items(4, old), ...configItems(5, next)];
  const base = {
    vmId,
    guestKey: "a",
    signer: "one",
    state: { highestGeneration: 4, pinnedSigner: bench.pin() },
  } as const;
  const without = (key: string): readonly KvpItem[] => both.filter((item) => item.key !== key);
  const swapped = both.map((item) =>
    item.key === "aetherv.config.5.0" ? { ...item, value: `x${item.value.slice(1)}` } : item,
  );
  const lying = both.map((item) =>
    item.key === manifestKey(5)
      ? { ...item, value: manifestText({ generation: 6, chunks: 2, characters: next.length, hash: sha256Hex(next) }) }
      : item,
  );
  const zeros = [
    ...bench.items(4, old),
    ...configItems(5, next).map((item) => ({ ...item, key: item.key.replace(".5.", ".05.") })),
  ];
  const beyond = [
    ...both,
    { key: "aetherv.config.5.99", value: "stale" },
    { key: "aetherv.configuration", value: "another's" },
  ];
  const toOld = bench.accepted(4, old, plain(4));
  return [
    {
      ...base,
      name: "chunks-two-generations",
      why: "the highest complete manifest counts",
      items: both,
      expected: bench.accepted(5, next, plain(5)),
    },
    {
      ...base,
      name: "chunks-order-of-items",
      why: "the order of the items in the pool means nothing",
      items: both.toReversed(),
      expected: bench.accepted(5, next, plain(5)),
    },
    {
      ...base,
      name: "chunks-beyond-count",
      why: "items beyond the count and look-alikes are ignored",
      items: beyond,
      expected: bench.accepted(5, next, plain(5)),
    },
    {
      ...base,
      name: "chunks-no-manifest-yet",
      why: "without its manifest a generation is not there yet",
      items: without(manifestKey(5)),
      expected: toOld,
    },
    {
      ...base,
      name: "chunks-one-missing",
      why: "a missing chunk: not complete",
      items: without("aetherv.config.5.1"),
      expected: toOld,
    },
    {
      ...base,
      name: "chunks-one-changed",
      why: "a chunk that does not fit the hash: not complete",
      items: swapped,
      expected: toOld,
    },
    {
      ...base,
      name: "chunks-manifest-of-another",
      why: "a manifest under another generation's key is none",
      items: lying,
      expected: toOld,
    },
    {
      ...base,
      name: "chunks-leading-zero",
      why: "a key with a leading zero is none of ours",
      items: zeros,
      expected: toOld,
    },
    { ...base, name: "nothing-empty", why: "an empty pool", items: [], expected: { verdict: "Nothing" } },
    {
      ...base,
      name: "nothing-signer-only",
      why: "all cleared: the signer stays",
      items: [{ key: signerKey, value: bench.one.spki }],
      expected: { verdict: "Nothing" },
    },
  ];
};

const stateCases = async (bench: Bench): Promise<OpenCase[]> => {
  const sealed = await bench.sealed(7, plain(7));
  const hash = sha256Hex(sealed);
  const pinnedSigner = bench.pin();
  const base = { vmId, guestKey: "a", signer: "one", items: bench.items(7, sealed) } as const;
  const accepted = bench.accepted(7, sealed, plain(7));
  return [
    {
      ...base,
      name: "state-same-applied",
      why: "applied already: nothing to do",
      state: { highestGeneration: 7, pinnedSigner, applied: { generation: 7, hash } },
      expected: { verdict: "Unchanged", generation: 7, hash },
    },
    {
      ...base,
      name: "state-same-not-applied",
      why: "interrupted before its end: opened again",
      state: { highestGeneration: 7, pinnedSigner },
      expected: accepted,
    },
    {
      ...base,
      name: "state-sealed-again",
      why: "the same generation sealed again (the host had lost it): applied again",
      state: { highestGeneration: 7, pinnedSigner, applied: { generation: 7, hash: sha256Hex("another sealing") } },
      expected: accepted,
    },
    {
      ...base,
      name: "state-leap",
      why: "generations may be left out",
      state: { highestGeneration: 2, pinnedSigner, applied: { generation: 2, hash: sha256Hex("the second") } },
      expected: accepted,
    },
    bench.refused("replayed-lower", "a generation below the highest verified one", {
      verdict: "Replayed",
      generation: 7,
      sealed,
      state: { highestGeneration: 8, pinnedSigner, applied: { generation: 8, hash: sha256Hex("the eighth") } },
    }),
    bench.refused(
      "replayed-under-a-higher-key",
      "an old ciphertext under a new generation's key: its header says the old one",
      {
        verdict: "HeaderMismatch",
        generation: 9,
        sealed,
        state: { highestGeneration: 8, pinnedSigner },
        items: bench.items(9, sealed),
      },
    ),
  ];
};

const signerCases = async (bench: Bench): Promise<OpenCase[]> => {
  const { one, two, guest } = bench;
  const bySecond = bench.spoilt(3, { signer: two, inner: jwsHeader(two, guest, vmId, 3) });
  const pinnedSigner = bench.pin();
  const config = configItems(3, bySecond);
  const present = { key: signerKey, value: two.spki };
  const header = (kid: string, key: string): string =>
    `{"alg":"RS256","typ":"aetherv-signer","kid":"${kid}","key":"${key}"}`;
  const handover = jws(one, header(one.fingerprint, two.fingerprint), two.fingerprint);
  const other = jws(two, header("0".repeat(64), two.fingerprint), two.fingerprint);
  const forged = jws(two, header(one.fingerprint, two.fingerprint), two.fingerprint);
  const state = { highestGeneration: 2, pinnedSigner };
  const expected = { ...bench.accepted(3, bySecond, plain(3)), signerFingerprint: two.fingerprint };
  const base = { vmId, guestKey: "a", signer: "two", state } as const;
  const refused = (name: string, why: string, items: readonly KvpItem[], verdict = "SignerChanged"): OpenCase =>
    bench.refused(name, why, { verdict, generation: 3, sealed: bySecond, state, items });
  return [
    {
      ...base,
      name: "signer-handover",
      why: "the pinned signer names the new one",
      items: [present, { key: handoverKey(0), value: handover }, ...config],
      expected,
    },
    {
      ...base,
      name: "signer-handover-second",
      why: "handovers of other retired keys come first",
      items: [present, { key: handoverKey(0), value: other }, { key: handoverKey(1), value: handover }, ...config],
      expected,
    },
    refused("signer-changed", "another signer without a handover", [present, ...config]),
    refused("signer-forged-handover", "a handover that the pinned key did not sign", [
      present,
      { key: handoverKey(0), value: forged },
      ...config,
    ]),
    refused("signer-gap", "handovers are looked through until one is missing", [
      present,
      { key: handoverKey(1), value: handover },
      ...config,
    ]),
    refused("signer-missing", "no signer item", config, "Malformed"),
    refused(
      "signer-other-shape",
      "a signer of another shape",
      [{ key: signerKey, value: two.spki.slice(4) }, ...config],
      "Malformed",
    ),
    refused(
      "signer-not-the-signing-one",
      "the items name the pinned signer, but another one signed",
      [{ key: signerKey, value: one.spki }, ...config],
      "HeaderMismatch",
    ),
  ];
};

const swapPart = (sealed: string, index: number, change: (part: string) => string): string =>
  sealed
    .split(".")
    .map((part, at) => (at === index ? change(part) : part))
    .join(".");

const flip = (part: string): string => {
  const bytes = Buffer.from(part, "base64url");
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  return bytes.toString("base64url");
};

const tamperedCases = async (bench: Bench): Promise<OpenCase[]> => {
  const { guest, one, two, otherGuest } = bench;
  const good = await bench.sealed(2, plain(2));
  const make = (name: string, why: string, verdict: string, sealed: string): OpenCase =>
    bench.refused(name, why, { verdict, generation: 2, sealed });
  const again = (payload: string): string => bench.spoilt(2, { payload });
  return [
    make("tampered-key", "a bit of the wrapped key", "Tampered", swapPart(good, 1, flip)),
    make("tampered-iv", "a bit of the IV", "Tampered", swapPart(good, 2, flip)),
    make("tampered-ciphertext", "a bit of the ciphertext", "Tampered", swapPart(good, 3, flip)),
    make("tampered-tag", "a bit of the tag", "Tampered", swapPart(good, 4, flip)),
    make(
      "tampered-short-tag",
      "a shorter tag is no tag",
      "Tampered",
      swapPart(good, 4, (part) => part.slice(0, 22)),
    ),
    make(
      "tampered-other-guests-key",
      "wrapped for another guest's key under this guest's header",
      "Tampered",
      bench.spoilt(2, { guest: otherGuest }),
    ),
    make(
      "header-algorithm",
      "RSA1_5 in place of RSA-OAEP-256",
      "HeaderMismatch",
      bench.spoilt(2, { header: jweHeader(guest, vmId, 2).replace("RSA-OAEP-256", "RSA1_5") }),
    ),
    make(
      "header-other-guest",
      "sealed for another guest's key",
      "HeaderMismatch",
      bench.spoilt(2, { guest: otherGuest, header: jweHeader(otherGuest, vmId, 2) }),
    ),
    make(
      "header-other-vm",
      "sealed for another VM",
      "HeaderMismatch",
      bench.spoilt(2, { header: jweHeader(guest, otherVm, 2), inner: jwsHeader(one, guest, otherVm, 2) }),
    ),
    make(
      "header-signed-for-other-vm",
      "signed for another VM, put into an envelope for this one by somebody who knows the guest's public key",
      "HeaderMismatch",
      bench.spoilt(2, { inner: jwsHeader(one, guest, otherVm, 2) }),
    ),
    make(
      "header-signed-other-generation",
      "signed for another generation",
      "HeaderMismatch",
      bench.spoilt(2, { inner: jwsHeader(one, guest, vmId, 1) }),
    ),
    make(
      "header-none",
      "alg none inside",
      "HeaderMismatch",
      bench.spoilt(2, { inner: jwsHeader(one, guest, vmId, 2).replace("RS256", "none") }),
    ),
    make(
      "signature-other-key",
      "signed with another key under the signer's name",
      "BadSignature",
      bench.spoilt(2, { signer: two }),
    ),
    make(
      "signature-changed-payload",
      "a payload that was not signed",
      "BadSignature",
      jwe(guest, jweHeader(guest, vmId, 2), swapPart(jws(one, jwsHeader(one, guest, vmId, 2), plain(2)), 1, flip)),
    ),
    make("malformed-parts", "four parts", "Malformed", good.split(".").slice(0, 4).join(".")),
    make(
      "malformed-empty-part",
      "an empty wrapped key",
      "Malformed",
      swapPart(good, 1, () => ""),
    ),
    make(
      "malformed-padding",
      "base64 padding is no base64url",
      "Malformed",
      swapPart(good, 4, (part) => `${part}=`),
    ),
    make("malformed-inner", "no JWS inside", "Malformed", jwe(guest, jweHeader(guest, vmId, 2), "hello")),
    make("malformed-line", "a line without a value", "Malformed", again(`${plain(2)}hostname\n`)),
    make("malformed-twice", "a key twice", "Malformed", again(`${plain(2)}hostname d2Vi\n`)),
    make("malformed-no-end", "the last line does not end", "Malformed", again(plain(2).slice(0, -1))),
    make(
      "malformed-other-vm-inside",
      "the payload's own VM is another",
      "Malformed",
      again(plain(2).replace(Buffer.from(vmId).toString("base64url"), Buffer.from(otherVm).toString("base64url"))),
    ),
    make("malformed-other-generation-inside", "the payload's own generation is another", "Malformed", again(plain(3))),
    make("unknown-format", "a later format", "UnknownFormat", again(plain(2).replace("format MQ", "format Mg"))),
  ];
};

/** All cases; those that are accepted carry what must come out. */
export const openCases = async (keys: Keys): Promise<readonly OpenCase[]> => {
  const bench = new Bench(keys);
  // `signerItems` is what the product writes; the bench writes the same by hand.
  const [first] = signerItems(
    await openSigner({ ...keys.signers.one, digestKey: btoa("x".repeat(32)), handovers: [] }),
  );
  if (first?.value !== keys.signers.one.spki) throw new Error("signerItems has another form");
  return (
    await Promise.all([acceptedCases, chunkCases, stateCases, signerCases, tamperedCases].map((make) => make(bench)))
  ).flat();
};
