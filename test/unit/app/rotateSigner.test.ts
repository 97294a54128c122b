import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { fileSigner } from "../../../src/app/signer.ts";
import { openStore } from "../../../src/app/plane.ts";
import { rotateSigner } from "../../../src/app/rotateSigner.ts";
import { guest, GuestLab } from "../../support/guestLab.ts";
import { declareWeb } from "../../support/samples.ts";

const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "aetherv-rotate-"));
  folders.push(made);
  return made;
};
afterEach(() => {
  for (const one of folders.splice(0)) rmSync(one, { recursive: true, force: true });
});

const file = (data: string): string => join(data, "signer.json");

describe("a new key that signs guest configurations, in a data folder", () => {
  test("a guest that pinned the first key follows to the third, and nothing is sent for the change alone", async () => {
    const data = folder();
    let signer = await fileSigner(file(data));
    const first = signer.fingerprint;
    const lab = GuestLab.make(() => Promise.resolve(signer));
    declareWeb(lab, { guest });
    await lab.settle();
    expect(lab.sim().guestAgent?.pinnedSigner?.fingerprint).toBe(first);

    const { before, after: second } = await rotateSigner(data);
    expect(before).toBe(first);
    const { after: third, handovers } = await rotateSigner(data);
    expect(handovers).toBe(2);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(statSync(file(data)).mode & 0o777).toBe(0o600);
    signer = await fileSigner(file(data));
    expect(signer.fingerprint).toBe(third);

    lab.restart();
    const sent = lab.sent.length;
    await lab.settle();
    expect(lab.sent.length).toBe(sent);
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");

    declareWeb(lab, { guest: { ...guest, hostname: "shop" } });
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 2 is applied.");
    expect(lab.sim().guestAgent?.pinnedSigner?.fingerprint).toBe(third);
  });

  test("refused while a control plane has the folder; the key stays", async () => {
    const data = folder();
    await fileSigner(file(data));
    const text = readFileSync(file(data), "utf8");
    const store = await openStore(data);
    await expect(rotateSigner(data)).rejects.toMatchObject({ code: "Conflict" });
    await store.close();
    expect(readFileSync(file(data), "utf8")).toBe(text);
  });

  test("a folder without a key is not made into one", async () => {
    const data = join(folder(), "none");
    await expect(rotateSigner(data)).rejects.toMatchObject({ code: "NotFound" });
    expect(existsSync(data)).toBe(false);
  });

  test("a damaged key stays as it is, and no part of it is told", async () => {
    const data = folder();
    mkdirSync(data, { recursive: true });
    writeFileSync(file(data), '{"privateKey":"planted-key"}', { mode: 0o600 });
    const error = await rotateSigner(data).then(
      () => undefined,
      (one: unknown) => one as Error,
    );
    expect(error).toMatchObject({ code: "Invalid" });
    expect(`${error?.stack} ${JSON.stringify(error)}`).not.toContain("planted-key");
    expect(readFileSync(file(data), "utf8")).toBe('{"privateKey":"planted-key"}');
  });
});
