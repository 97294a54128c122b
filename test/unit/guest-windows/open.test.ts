import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { keptKey } from "../../rigs/windows/guest.ts";
import { runShell } from "../rigs/shell.ts";
import type { ReadyRig } from "../rigs/shell.ts";

const rig = await ensurePowerShell();
const root = join(import.meta.dirname, "../../..");
const fixtures = join(root, "test/fixtures/guest");
const files = (await readdir(join(fixtures, "open"))).filter((name) => name.endsWith(".json"));

interface Vector {
  readonly name: string;
  readonly why: string;
  readonly expected: Readonly<Record<string, unknown>>;
}

interface Outcomes {
  readonly cases: Readonly<Record<string, unknown>>;
  readonly spki: string;
  readonly rfcPlaintext: string;
}

interface Keys {
  readonly guests: Readonly<Record<"a" | "b", { readonly privateKey: string; readonly spki: string }>>;
}

const read = async <T>(path: string): Promise<T> => JSON.parse(await readFile(join(fixtures, path), "utf8")) as T;
const vectors = await Promise.all(files.map((name) => read<Vector>(`open/${name}`)));

describe.skipIf(rig.kind === "skipped")("the Windows agent opens what the control plane seals", () => {
  let folder = "";
  let outcomes: Outcomes;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-open-"));
    const script = join(root, "test/unit/guest-windows/open.ps1");
    const args = ["-NoProfile", "-NonInteractive", "-File", script];
    const all = [...args, "-Agent", join(root, "agents/guest-windows"), "-Fixtures", fixtures];
    const { guests } = await read<Keys>("keys.json");
    const stdin = JSON.stringify({ a: keptKey(guests.a.privateKey), b: keptKey(guests.b.privateKey) });
    const ran = await runShell(rig as ReadyRig, { root: folder, edition: "5.1", stdin }, all);
    expect(ran.err).toBe("");
    outcomes = JSON.parse(ran.out) as Outcomes;
  }, 240_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(vectors.map((vector) => ({ ...vector })))("$name: $why", ({ name, expected }) => {
    expect(outcomes.cases[name]).toMatchObject(expected);
  });

  it("writes its own public key as the very DER", async () => {
    expect(outcomes.spki).toBe((await read<Keys>("keys.json")).guests.a.spki);
  });

  it("opens RFC 7518's vector of A256CBC-HS512", async () => {
    const rfc = await read<{ a256cbcHs512: { plaintext: string } }>("rfc.json");
    expect(outcomes.rfcPlaintext).toBe(rfc.a256cbcHs512.plaintext);
  });
});
