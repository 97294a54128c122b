import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { freshMachine, play, sealedItems } from "../../rigs/windows/guest.ts";
import type { SeenStep } from "../../rigs/windows/guest.ts";
import type { ReadyRig } from "../rigs/shell.ts";

const rig = await ensurePowerShell();
const guestKey = String.raw`HKLM:\SOFTWARE\Microsoft\Virtual Machine\Guest`;

describe.skipIf(rig.kind === "skipped")("the Windows agent from its first start to Applied", () => {
  let folder = "";
  let first: readonly SeenStep[] = [];
  let then: readonly SeenStep[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-windows-"));
    const ready = rig as ReadyRig;
    const setup = String.raw`HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State`;
    const specializing = freshMachine();
    specializing.registry[setup] = { ImageState: "IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE" };
    const steps = [{ passes: 1 }, { machine: { registry: freshMachine().registry }, passes: 2 }];
    const played = await play(ready, folder, [{ name: "first", machine: specializing, kept: {}, steps }]);
    first = played["first"] ?? [];
    const spki = first[1]?.machine.registry[guestKey]?.["aetherv.guest.publicKey.0"] ?? "";
    const external = await sealedItems({ hostname: "SQL01" }, { generation: 1, spki });
    const files = Object.entries(first[1]?.files ?? {}).filter(([path]) => path.startsWith("state/guest/"));
    const kept = Object.fromEntries(files.map(([path, text]) => [path.slice("state/guest/".length), text]));
    const machine = freshMachine();
    const again = [{ external, passes: 1 }, { passes: 2 }, { external: {}, passes: 1 }];
    then = (await play(ready, folder, [{ name: "then", machine, kept, steps: again }]))["then"] ?? [];
  }, 240_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("does nothing before Windows Setup is done", () => {
    expect(first[0]?.passes).toMatchObject([{ thrown: "", state: null }]);
    expect(Object.keys(first[0]?.files ?? {})).toEqual([]);
  });

  it("makes a key, keeps it and waits", () => {
    expect(first[1]?.passes).toMatchObject([
      { thrown: "", state: "Waiting" },
      { thrown: "", state: "Waiting" },
    ]);
    expect(Object.keys(first[1]?.files ?? {}).toSorted()).toEqual(["state/guest/key", "state/guest/vmid"]);
    expect(first[1]?.machine.acls).toEqual({
      [String.raw`C:\state\guest`]: "*S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F",
    });
    expect(first[1]?.machine.registry[guestKey]).toMatchObject({ OtherProgram: "kept" });
  });

  it("renames the computer and restarts", () => {
    expect(then[0]?.passes).toMatchObject([{ thrown: "", state: "Rebooting", step: "hostname", generation: "1" }]);
    expect(then[0]?.machine).toMatchObject({ name: "SQL01", boots: 2 });
  });

  it("goes on after the restart and says Applied, again after a further start", () => {
    expect(then[1]?.passes).toMatchObject([
      { thrown: "", state: "Applied", generation: "1", step: "", error: "" },
      { thrown: "", state: "Applied", generation: "1" },
    ]);
    expect(then[1]?.machine.boots).toBe(2);
    expect(then[2]?.passes).toMatchObject([{ thrown: "", state: "Applied", generation: "1" }]);
  });
});
