import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { fileLinesOf, guestTexts } from "../../support/guestTexts.ts";
import { freshMachine, keptFiles, play, sealedItems } from "../../rigs/windows/guest.ts";
import type { SeenStep } from "../../rigs/windows/guest.ts";
import type { ReadyRig } from "../rigs/shell.ts";

const rig = await ensurePowerShell();
const short = guestTexts.filter(({ text }) => text.length < 2000);
const long = guestTexts.filter(({ text }) => text.length >= 2000);

describe.skipIf(rig.kind === "skipped")("texts on their way into files, to the Windows agent", () => {
  let folder = "";
  let steps: readonly SeenStep[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-texts-"));
    const external = async (set: typeof short, generation: number) => {
      const path = (at: number): string => `C:\\state\\texts-${generation}-${at}`;
      const lines = fileLinesOf(
        "Windows",
        path,
        set.map(({ text }) => text),
      );
      return sealedItems({ ...Object.fromEntries(lines), hostname: "WIN-FRESH" }, { generation });
    };
    const [first, second] = [await external(short, 1), await external(long, 2)];
    const machine = freshMachine();
    const scenario = { name: "texts", machine, kept: keptFiles() };
    const played = await play(rig as ReadyRig, folder, [
      {
        ...scenario,
        steps: [
          { external: first, passes: 1 },
          { external: second, passes: 1 },
        ],
      },
    ]);
    steps = played["texts"] ?? [];
  }, 240_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([...short.map((one, at) => ({ ...one, step: 0, at })), ...long.map((one, at) => ({ ...one, step: 1, at }))])(
    "derived, sealed, in chunks, opened, written: $why",
    ({ text, step, at }) => {
      expect(steps[step]?.passes).toMatchObject([{ thrown: "", state: "Applied", error: "" }]);
      expect(steps[step]?.bytes[`state/texts-${step + 1}-${at}`]).toBe(Buffer.from(text).toString("base64"));
    },
  );
});
