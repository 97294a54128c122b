import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { agentFolder, poolFile } from "../../unit/guest-linux/rig.ts";
import type { Target } from "../fuzzer.ts";

const run = promisify(execFile);
const RECORD = 2560;
const KEY = 512;

/** Fields end at their first NUL; keys of ours and printable values are given. Undefined: a torn file. */
const reference = (bytes: Buffer): string | undefined => {
  if (bytes.length % RECORD !== 0) return undefined;
  const text = (field: Buffer): string => field.toString("latin1").replace(/\0.*$/s, "");
  let lines = "";
  for (let at = 0; at < bytes.length; at += RECORD) {
    const key = text(bytes.subarray(at, at + KEY));
    const value = text(bytes.subarray(at + KEY, at + RECORD));
    if (/^aetherv\.[A-Za-z0-9.]+$/.test(key) && /^[ -~]*$/.test(value)) lines += `${key}\t${value}\n`;
  }
  return lines;
};

const script = `
umask 077
log() { :; }
. "$LIB/kvp.sh"
for file in "$FOLDER"/in.*; do
  if kvp_items "$file" >"$FOLDER/out.\${file##*.}"; then :; else echo torn >"$FOLDER/out.\${file##*.}"; fi
done
`;

/** Reads files as the Linux guest agent reads hv_kvp_daemon's pools. */
const read = async (inputs: readonly Buffer[]): Promise<readonly string[]> => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-pool-"));
  try {
    await mkdir(join(folder, "run"));
    await Promise.all(inputs.map((bytes, index) => writeFile(join(folder, `in.${index}`), bytes)));
    const env = {
      PATH: process.env["PATH"],
      LIB: join(agentFolder, "lib"),
      FOLDER: folder,
      RUN: join(folder, "run"),
      LC_ALL: "C",
    };
    await run("dash", ["-c", script], { env, timeout: 120_000 });
    return await Promise.all(inputs.map((_, index) => readFile(join(folder, `out.${index}`), "latin1")));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** Most changes break the length: half of the inputs are made whole again. */
const whole = (bytes: Buffer): Buffer =>
  (bytes[0] ?? 0) % 2 === 0
    ? bytes
    : Buffer.concat([bytes, Buffer.alloc(RECORD)], Math.max(1, Math.round(bytes.length / RECORD)) * RECORD);

const items = [
  { key: "aetherv.signer", value: "abc" },
  { key: "aetherv.config.1.0", value: "x".repeat(1000) },
  { key: "aetherv.config.1.manifest", value: `aetherv1 1 1 1000 ${"0".repeat(64)}` },
  { key: "Foreign", value: "a\tb\nc" },
];

export const pool: Target = {
  name: "pool",
  shape: "bytes",
  coverage: "none",
  seeds: [
    poolFile(items),
    poolFile(items.slice(0, 1)),
    Buffer.alloc(0),
    Buffer.alloc(RECORD, "a"),
    Buffer.alloc(RECORD, 1),
  ],
  check: async (inputs) => {
    const files = inputs.map(whole);
    const found = await read(files);
    for (const [index, file] of files.entries()) {
      const wanted = reference(file) ?? "torn\n";
      if (found[index] !== wanted)
        throw new Error(`the agent reads ${JSON.stringify(found[index])}, it holds ${JSON.stringify(wanted)}`);
    }
  },
};
