import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { freshMachine, keptFiles, sealedItems } from "../../rigs/windows/guest.ts";
import { runScript } from "../rigs/shell.ts";
import type { ReadyRig } from "../rigs/shell.ts";

const rig = await ensurePowerShell();
const root = join(import.meta.dirname, "../../..");
const agent = join(root, "agents/guest-windows");

/** One agent that keeps running: what each look said, by name. */
const script = (folder: string): string => `
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$env:AETHERV_RIG_WINDOWS = '${folder}'
. '${root}/test/rigs/windows/machine.ps1'
foreach ($part in 'Private', 'Modules') { foreach ($file in [System.IO.Directory]::GetFiles("${agent}/$part", '*.ps1')) { . $file } }
$guestKey = 'HKLM:\\SOFTWARE\\Microsoft\\Virtual Machine\\Guest'
$items = ConvertFrom-Json -InputObject ([Console]::In.ReadToEnd())
function Set-External($Of) { $m = Get-Machine; $m.registry.'HKLM:\\SOFTWARE\\Microsoft\\Virtual Machine\\External' = $Of; Save-Machine -Machine $m }
$agent = New-Agent -Root '${agent}' -StateFolder 'C:\\guest' -Shell 'none'
$said = [ordered]@{}
Set-External $items.failing
$said.first = Invoke-AgentPass -Agent $agent
$said.wait1 = $agent.LastTry.Wait
$said.early = Invoke-AgentPass -Agent $agent
foreach ($at in 2..7) { $agent.LastTry.Next = [datetime]::UtcNow; $said."due$at" = Invoke-AgentPass -Agent $agent; $said."wait$at" = $agent.LastTry.Wait }
$agent.LastTry.Next = [datetime]::UtcNow
Set-External $items.good
$said.new = Invoke-AgentPass -Agent $agent
$m = Get-Machine
foreach ($name in @($m.registry.$guestKey.PSObject.Properties.Name)) { if ($name -like 'aetherv.*') { $m.registry.$guestKey.PSObject.Properties.Remove($name) } }
Save-Machine -Machine $m
$said.emptied = Invoke-AgentPass -Agent $agent
$said.told = (Get-Machine).registry.$guestKey.'aetherv.guest.state'
Set-External $items.half
$said.half = Invoke-AgentPass -Agent $agent
$said.toldHalf = (Get-Machine).registry.$guestKey.'aetherv.guest.state'
[Console]::Out.WriteLine((ConvertTo-Json -InputObject $said -Compress))
`;

describe.skipIf(rig.kind === "skipped")("an agent that keeps running", () => {
  let folder = "";
  let said: Readonly<Record<string, unknown>> = {};

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-retry-"));
    await mkdir(join(folder, "C/guest"), { recursive: true });
    for (const [name, text] of Object.entries(keptFiles())) await writeFile(join(folder, "C/guest", name), text);
    await writeFile(join(folder, "state.json"), JSON.stringify(freshMachine()));
    const failing = { hostname: "WIN-FRESH", "service.0.name": "Nope" };
    const good = await sealedItems({ hostname: "WIN-FRESH" }, { generation: 2 });
    const late = Object.entries(await sealedItems({ hostname: "OTHER" }, { generation: 3 }));
    const half = Object.fromEntries(late.filter(([key]) => key !== "aetherv.config.3.0"));
    const stdin = JSON.stringify({ failing: await sealedItems(failing, { generation: 1 }), good, half });
    const ran = await runScript(rig as ReadyRig, { root: folder, edition: "5.1", stdin }, script(folder));
    expect(ran).toMatchObject({ code: 0, err: "" });
    said = JSON.parse(ran.out) as typeof said;
  }, 240_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("tries again after a minute, doubling to a quarter of an hour, never earlier", () => {
    expect(said).toMatchObject({ first: "Failed", wait1: 60, early: "Later", due2: "Failed", due7: "Failed" });
    expect([2, 3, 4, 5, 6, 7].map((at) => said[`wait${at}`])).toEqual([120, 240, 480, 900, 900, 900]);
  });

  it("takes a new configuration at once", () => {
    expect(said["new"]).toBe("Applied");
  });

  it("tells its state again when somebody emptied the key", () => {
    expect(said).toMatchObject({ emptied: "Later", told: "Applied" });
  });

  it("a configuration with a missing chunk is none: the last report stays", () => {
    expect(said).toMatchObject({ half: "Nothing", toldHalf: "Applied" });
  });
});
