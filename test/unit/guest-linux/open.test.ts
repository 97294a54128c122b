import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { KvpItem } from "../../../src/guest/format.ts";
import { inAgent, makeRoot, poolFile, poolItems, repository, shells } from "./rig.ts";

interface OpenCase {
  readonly name: string;
  readonly why: string;
  readonly vmId: string;
  readonly guestKey: "a" | "b";
  readonly state: {
    readonly highestGeneration: number;
    readonly pinnedSigner?: { readonly spki: string };
    readonly applied?: { readonly generation: number; readonly hash: string };
  };
  readonly items: readonly KvpItem[];
  readonly expected: {
    readonly verdict: string;
    readonly generation?: number;
    readonly hash?: string;
    readonly payload?: string;
    readonly signerFingerprint?: string;
  };
}

const folder = join(repository, "test/fixtures/guest");
const json = <T>(name: string): T => JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
const keys = json<{ guests: Record<string, { privateKey: string; fingerprint: string }> }>("keys.json");
const cases = readdirSync(join(folder, "open")).map((name) => json<OpenCase>(`open/${name}`));
const timeout = 300_000;

const keptOf = ({ vmId, guestKey, state }: OpenCase): Record<string, string> => ({
  vm: `${vmId}\n`,
  "key.pem": keys.guests[guestKey]?.privateKey ?? "",
  fingerprint: keys.guests[guestKey]?.fingerprint ?? "",
  ...(state.highestGeneration > 0 ? { generation: `${state.highestGeneration}\n` } : {}),
  ...(state.pinnedSigner ? { signer: `${state.pinnedSigner.spki}\n` } : {}),
  ...(state.applied ? { applied: `${state.applied.generation} ${state.applied.hash}\n` } : {}),
});

describe.each(shells.filter(({ there }) => there))("the guest agent on $name", (shell) => {
  test.each(cases)("$name: $why", { timeout }, (one) => {
    const root = makeRoot();
    try {
      for (const [name, text] of Object.entries(keptOf(one))) root.write(`var/lib/aetherv/${name}`, text);
      root.write("var/lib/hyperv/.kvp_pool_0", poolFile(one.items));
      const ran = inAgent(
        shell,
        root,
        `kvp_items "$KVP/.kvp_pool_0" >"$RUN/items"; open_sealed "$RUN/items"; echo "$VERDICT $KVP_GENERATION $KVP_HASH $SIGNER_FINGERPRINT"`,
      );
      const [verdict, generation, hash, signer] = ran.out.trim().split(" ");
      expect({ verdict, log: ran.log }).toEqual({ verdict: one.expected.verdict, log: "" });
      if (one.expected.verdict === "Nothing") return;
      expect([generation, hash]).toEqual([String(one.expected.generation), one.expected.hash]);
      if (one.expected.verdict !== "Accepted") return;
      expect(signer).toBe(one.expected.signerFingerprint);
      expect(root.read("run/aetherv/work/payload")).toBe(one.expected.payload);
    } finally {
      root.remove();
    }
  });

  test("reads a pool file with stale tails, and only what is whole", { timeout }, () => {
    const root = makeRoot();
    try {
      const pool = json<{ items: readonly KvpItem[]; file: string }>("pool.json");
      const bytes = Buffer.from(pool.file, "base64");
      root.write("var/lib/hyperv/.kvp_pool_0", bytes);
      const read = inAgent(shell, root, `kvp_items "$KVP/.kvp_pool_0"`);
      const wanted = pool.items.filter(({ key }) => key.startsWith("aetherv."));
      expect(read.out).toBe(wanted.map(({ key, value }) => `${key}\t${value}\n`).join(""));
      root.write("var/lib/hyperv/.kvp_pool_0", bytes.subarray(0, bytes.length - 7));
      expect(inAgent(shell, root, `kvp_items "$KVP/.kvp_pool_0"`)).toMatchObject({ code: 1, out: "" });
    } finally {
      root.remove();
    }
  });

  test("writes its items beside those of other programs, which stay as they are", { timeout }, () => {
    const root = makeRoot();
    try {
      const others = [
        { key: "Other", value: "1" },
        { key: "More", value: "ä".repeat(1024) },
      ];
      const file = poolFile(
        [others[0], { key: "aetherv.guest.state", value: "old" }, others[1]].filter((one) => !!one),
      );
      root.write("var/lib/hyperv/.kvp_pool_1", file);
      const items = [
        { key: "aetherv.guest.state", value: "Waiting" },
        { key: "aetherv.guest.error", value: "" },
        { key: "aetherv.guest.facts", value: "x".repeat(1000) },
      ];
      const lines = items.map(({ key, value }) => `${key}\t${value}\n`).join("");
      root.write("lines", lines);
      expect(inAgent(shell, root, `kvp_write <"$AETHERV_ROOT/lines"`)).toEqual({ code: 0, out: "", log: "" });
      const written = root.bytes("var/lib/hyperv/.kvp_pool_1");
      expect(written.length).toBe(5 * 2560);
      expect(poolItems(written)).toEqual([...others, ...items]);
    } finally {
      root.remove();
    }
  });

  test("authenticates as RFC 7518, appendix B.3", { timeout }, () => {
    const root = makeRoot();
    try {
      const rfc = json<{ a256cbcHs512: Record<"key" | "aad" | "iv" | "ciphertext" | "tag" | "plaintext", string> }>(
        "rfc.json",
      );
      const { key, aad, iv, ciphertext, tag, plaintext } = rfc.a256cbcHs512;
      root.write("text", Buffer.from(ciphertext, "hex"));
      root.write("var/lib/aetherv/key.pem", keys.guests["a"]?.privateKey ?? "");
      const mac = inAgent(shell, root, `tag_of ${key.slice(0, 64)} '${aad}' ${iv} "$AETHERV_ROOT/text"`);
      expect(mac.out.trim()).toBe(tag);
      expect(inAgent(shell, root, `aes_open ${key.slice(64)} ${iv} "$AETHERV_ROOT/text"`).out).toBe(plaintext);
    } finally {
      root.remove();
    }
  });
});
