import { createPrivateKey, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "../../support/fc.ts";
import { compactDecrypt, compactVerify } from "jose";
import { afterAll, describe, expect, test } from "vitest";
import { open, openContent } from "../../../agents/simulator/guest/open.ts";
import type { Keys } from "../../../scripts/guest/keys.ts";
import { fileSigner } from "../../../src/app/signer.ts";
import {
  chunksOf,
  configItems,
  configKeys,
  manifestOf,
  manifestText,
  parseManifest,
} from "../../../src/guest/format.ts";
import { guestKeyOf } from "../../../src/guest/keys.ts";
import { payloadText } from "../../../src/guest/payload.ts";
import { reportOf } from "../../../src/guest/report.ts";
import { seal } from "../../../src/guest/seal.ts";
import { parseSigner, openSigner, signerItems, succeed } from "../../../src/guest/signer.ts";

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, "../../fixtures/guest", name), "utf8")) as T;
const keys = read<Keys>("keys.json");
const vmId = "7f2c5a86-9d1e-4b3a-8f60-0d9be1c47a52";
const guest = keys.guests.a;
const record = { ...keys.signers.one, digestKey: btoa("d".repeat(32)), handovers: [] };
const guestKey = guestKeyOf(guest.spki) ?? { spki: "", fingerprint: "" };
const opener = {
  vmId,
  privateKey: createPrivateKey(guest.privateKey),
  fingerprint: guest.fingerprint,
  highestGeneration: 0,
};

describe("vectors of the RFCs", () => {
  const rfc = read<{ a256cbcHs512: Record<string, string>; rs256: Record<string, string> }>("rfc.json");
  const hex = (name: string): Buffer => Buffer.from(rfc.a256cbcHs512[name] ?? "", "hex");
  const content = {
    key: hex("key"),
    header: rfc.a256cbcHs512["aad"] ?? "",
    iv: hex("iv"),
    ciphertext: hex("ciphertext"),
    tag: hex("tag"),
  };

  test("A256CBC-HS512: RFC 7518, B.3", () => {
    expect(openContent(content).toString()).toBe(rfc.a256cbcHs512["plaintext"]);
  });
  test.each(["key", "iv", "ciphertext", "tag"] as const)("A256CBC-HS512: another %s is refused", (part) => {
    const bytes = Buffer.from(content[part]);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    expect(() => openContent({ ...content, [part]: bytes })).toThrow("Tampered");
  });
  test("RS256: RFC 7515, A.2, by jose and by node:crypto", async () => {
    const { n = "", e = "", jws = "" } = rfc.rs256;
    const { payload } = await compactVerify(jws, { kty: "RSA", n, e, alg: "RS256" });
    expect(new TextDecoder().decode(payload)).toContain('"iss":"joe"');
    const [header, body, signature = ""] = jws.split(".");
    const key = createPublicKey({ key: { kty: "RSA", n, e }, format: "jwk" });
    expect(verify("sha256", Buffer.from(`${header}.${body}`), key, Buffer.from(signature, "base64url"))).toBe(true);
  });
});

describe("sealing", () => {
  test("jose opens what is sealed, with the algorithms pinned; headers are the very texts", async () => {
    const signer = await openSigner(record);
    const sealed = await seal(signer, { vmId, generation: 3, key: guestKey }, "text");
    const head = Buffer.from(sealed.split(".")[0] ?? "", "base64url").toString();
    expect(head).toBe(
      `{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","typ":"aetherv-guest","kid":"${guest.fingerprint}","vm":"${vmId}","gen":3}`,
    );
    const { plaintext } = await compactDecrypt(sealed, createPrivateKey(guest.privateKey), {
      keyManagementAlgorithms: ["RSA-OAEP-256"],
      contentEncryptionAlgorithms: ["A256CBC-HS512"],
    });
    const { payload } = await compactVerify(plaintext, createPublicKey(keys.signers.one.publicKey), {
      algorithms: ["RS256"],
    });
    expect(new TextDecoder().decode(payload)).toBe("text");
  });

  test("never the same twice", async () => {
    const signer = await openSigner(record);
    const order = { vmId, generation: 1, key: guestKey };
    expect(await seal(signer, order, "text")).not.toBe(await seal(signer, order, "text"));
  });

  test("any text comes out of a guest as it went in", async () => {
    const signer = await openSigner(record);
    const lengths = fc.constantFrom(0, 1, 100, 1000, 1001);
    const text = lengths.chain((length) => fc.string({ unit: "binary", minLength: length, maxLength: length }));
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 2_147_483_647 }), async (value, generation) => {
        const lines = [
          ["format", "1"],
          ["vm", vmId],
          ["generation", String(generation)],
          ["file.0.content", value],
        ] as const;
        const sealed = await seal(signer, { vmId, generation, key: guestKey }, payloadText(lines));
        const items = [...signerItems(signer), ...configItems(generation, sealed)];
        const opened = open(opener, Object.fromEntries(items.map((one) => [one.key, one.value])));
        expect(opened.verdict === "Accepted" && opened.values.get("file.0.content")).toBe(value);
      }),
      { numRuns: 40 },
    );
  });

  test("a successor is named by every retired key, and a guest follows", async () => {
    const third = await succeed(parseSigner(JSON.stringify(await succeed(record))));
    expect(third.digestKey).toBe(record.digestKey);
    const signer = await openSigner(third);
    const payload = payloadText([
      ["format", "1"],
      ["vm", vmId],
      ["generation", "2"],
    ]);
    const sealed = await seal(signer, { vmId, generation: 2, key: guestKey }, payload);
    const items = Object.fromEntries(
      [...signerItems(signer), ...configItems(2, sealed)].map((one) => [one.key, one.value]),
    );
    const pinnedSigner = { fingerprint: keys.signers.one.fingerprint, spki: keys.signers.one.spki };
    expect(open({ ...opener, pinnedSigner }, items)).toMatchObject({
      verdict: "Accepted",
      signer: { fingerprint: signer.fingerprint },
    });
    expect(Object.values(items).every((value) => value.length <= 1000)).toBe(true);
  });
});

describe("chunks and manifests", () => {
  test.each([
    { why: "nothing", length: 0, chunks: [] },
    { why: "one character", length: 1, chunks: [1] },
    { why: "exactly one chunk", length: 1000, chunks: [1000] },
    { why: "one more", length: 1001, chunks: [1000, 1] },
    { why: "two full ones", length: 2000, chunks: [1000, 1000] },
  ])("$why", ({ length, chunks }) => {
    expect(chunksOf("x".repeat(length)).map((one) => one.length)).toEqual(chunks);
  });
  test("the manifest is written last and removed first", () => {
    const items = configItems(7, "x".repeat(1500));
    expect(items.map(({ key }) => key)).toEqual([
      "aetherv.config.7.0",
      "aetherv.config.7.1",
      "aetherv.config.7.manifest",
    ]);
    expect(configKeys(manifestOf(7, "x".repeat(1500)))).toEqual([
      "aetherv.config.7.manifest",
      "aetherv.config.7.0",
      "aetherv.config.7.1",
    ]);
  });
  const right = manifestText(manifestOf(7, "text"));
  test("a manifest is read as it was written", () => {
    expect(parseManifest(right)).toEqual(manifestOf(7, "text"));
  });
  test.each([
    { why: "another version", text: right.replace("aetherv1", "aetherv2") },
    { why: "leading zeros", text: right.replace(" 7 ", " 07 ") },
    { why: "no generation", text: right.replace(" 7 ", " 0 ") },
    { why: "a generation too high", text: right.replace(" 7 ", " 2147483648 ") },
    { why: "two spaces", text: right.replace(" 7 ", "  7 ") },
    { why: "upper case", text: right.toUpperCase() },
    { why: "more behind", text: `${right} x` },
    { why: "a line end", text: `${right}\n` },
    { why: "empty", text: "" },
  ])("no manifest: $why", ({ text }) => {
    expect(parseManifest(text)).toBeUndefined();
  });
});

describe("what is not believed", () => {
  test.each([
    { why: "no key", spki: "" },
    { why: "no base64", spki: `!${guest.spki.slice(1)}` },
    { why: "cut", spki: guest.spki.slice(0, -4) },
    { why: "longer", spki: `${guest.spki}AAAA` },
    { why: "another prefix", spki: `A${guest.spki.slice(1)}` },
    { why: "another exponent", spki: guest.spki.replace(/AAE=$/, "AAM=") },
  ])("a guest key: $why", ({ spki }) => {
    expect(guestKeyOf(spki)).toBeUndefined();
  });
  test("no item of a guest agent is silence, not an error", () => {
    expect(reportOf({ NetworkAddressIPv4: "192.0.2.1", "aetherv.other": "x" })).toEqual({ at: "silent" });
  });
});

describe("the signer of a data folder", () => {
  const folders: string[] = [];
  const fresh = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), "aetherv-signer-"));
    folders.push(folder);
    return join(folder, "signer.json");
  };
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true });
  });

  test("made once, readable by its owner alone, the same at the next start", async () => {
    const path = await fresh();
    const one = await fileSigner(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await fileSigner(path)).fingerprint).toBe(one.fingerprint);
  });
  test.each(["", "{}", '{"privateKey": "x"}', "no json"])("a damaged one is never made anew: %s", async (text) => {
    const path = await fresh();
    await writeFile(path, text, { mode: 0o600 });
    await expect(fileSigner(path)).rejects.toThrow(`${path} is damaged`);
    expect(await readFile(path, "utf8")).toBe(text);
  });
});
