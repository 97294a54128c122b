import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { freshMachine } from "../../rigs/windows/guest.ts";
import type { Machine } from "../../rigs/windows/guest.ts";
import { runScript } from "../rigs/shell.ts";
import type { ReadyRig } from "../rigs/shell.ts";

const rig = await ensurePowerShell();
const root = join(import.meta.dirname, "../../..");
const agent = join(root, "agents/guest-windows");

describe.skipIf(rig.kind === "skipped")("installing the Windows agent", () => {
  let folder = "";
  const run = async (medium: string, commands: readonly string[]): Promise<Machine> => {
    await writeFile(join(folder, "state.json"), JSON.stringify({ ...freshMachine(), medium }));
    const lines = [`$env:AETHERV_RIG_WINDOWS = '${folder}'`, `. '${join(root, "test/rigs/windows/machine.ps1")}'`];
    const ran = await runScript(rig as ReadyRig, { root: folder, edition: "5.1" }, [...lines, ...commands].join("\n"));
    expect(ran).toMatchObject({ code: 0, err: "" });
    return JSON.parse(await readFile(join(folder, "state.json"), "utf8")) as Machine;
  };
  const installed = async (): Promise<readonly string[]> => {
    const found = await readdir(join(folder, "C/Program Files/AetherV/guest"), { recursive: true });
    return found.filter((name) => name.includes(".")).toSorted();
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-install-"));
    await mkdir(join(folder, "C"));
    await mkdir(join(folder, "D"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("copies all that the agent loads, drops what an older version had, and starts it at boot as SYSTEM", async () => {
    const old = join(folder, "C/Program Files/AetherV/guest/Modules/gone.ps1");
    await mkdir(join(old, ".."), { recursive: true });
    await writeFile(old, "");
    const machine = await run("", [`& '${agent}/install.ps1' -NoStart`, `& '${agent}/install.ps1'`]);
    const parts = await Promise.all(
      ["Private", "Modules"].map(async (name) => (await readdir(join(agent, name))).map((file) => `${name}/${file}`)),
    );
    expect(await installed()).toEqual(["agent.ps1", "version.json", ...parts.flat()].toSorted());
    expect(machine.acls).toEqual({
      [String.raw`C:\ProgramData\AetherV`]: "*S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F",
    });
    expect(machine.tasks).toMatchObject([
      {
        name: "AetherV guest agent",
        trigger: { atStartup: true },
        principal: { userId: "S-1-5-18", runLevel: "Highest" },
        settings: { limit: 0 },
        started: 1,
      },
    ]);
  });

  it("the image's stub installs from the medium", async () => {
    await cp(agent, join(folder, "D/WINPROVISIONING"), { recursive: true });
    const machine = await run("D:", [`& '${agent}/unattended.ps1' -Seconds 0`]);
    expect(machine.tasks).toHaveLength(1);
    expect(await installed()).toContain("agent.ps1");
  });

  it("a DVD without the agent is no medium", async () => {
    expect((await run("D:", [`& '${agent}/unattended.ps1' -Seconds 0`])).tasks).toEqual([]);
  });

  it("without a medium the stub does nothing", async () => {
    expect((await run("", [`& '${agent}/unattended.ps1' -Seconds 0`])).tasks).toEqual([]);
  });
});
