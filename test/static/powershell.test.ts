import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../scripts/rigs/powershell.mjs";
import { checkScripts, type Finding, scriptsIn } from "./powershell.ts";

const root = join(import.meta.dirname, "../..");
const rig = await ensurePowerShell();
const why = rig.kind === "skipped" ? rig.why : undefined;
if (why !== undefined) it("needs PowerShell", (context) => context.skip(why));

const planted = [
  { why: "7's ternary", code: "$x = $true ? 1 : 2", rule: "newer-syntax" },
  { why: "7's null coalescing", code: "$x = $null ?? 1", rule: "newer-syntax" },
  { why: "7's null assignment", code: "$x = 1; $x ??= 2", rule: "newer-syntax" },
  { why: "7's chain", code: "Get-Date && Get-Date", rule: "newer-syntax" },
  { why: "7's background pipeline", code: "Get-Date &", rule: "newer-syntax" },
  { why: "7's null-conditional member", code: "${x}?.Length", rule: "newer-syntax" },
  { why: "a parameter that 5.1 lacks", code: "ConvertFrom-Json -InputObject '{}' -AsHashtable", rule: "newer-syntax" },
  { why: "a variable that 5.1 lacks", code: "$IsWindows", rule: "newer-syntax" },
  { why: "a number suffix that 5.1 lacks", code: "$x = 5u", rule: "newer-syntax" },
  { why: "an alias", code: "@(1) | % { $_ }", rule: "alias" },
  { why: "a positional argument of a cmdlet", code: "Join-Path 'a' -ChildPath 'b'", rule: "positional" },
  {
    why: "a positional argument of a function",
    code: "function Get-It { param($A) $A }\nGet-It 1",
    rule: "positional",
  },
  { why: "an argument after a switch", code: "Get-ChildItem -Recurse 'x'", rule: "positional" },
  { why: "an unapproved verb", code: "function Fetch-It { 1 }", rule: "verb" },
  { why: "an unknown command", code: "Get-Nonsense", rule: "unknown-command" },
  { why: "an unknown parameter", code: "Get-Date -Nonsense 1", rule: "unknown-parameter" },
  { why: "an abbreviated parameter", code: "Get-ChildItem -Rec", rule: "unknown-parameter" },
  {
    why: "a parameter that New-VM does not have",
    code: "Hyper-V\\New-VM -Name 'x' -Notes 'y'",
    rule: "unknown-parameter",
  },
  { why: "a Hyper-V call that another module could take", code: "Get-VM -Name 'x'", rule: "unqualified" },
  { why: "text run as code", code: "Invoke-Expression -Command '1'", rule: "text-as-code" },
  { why: "text made a script block", code: "$x = '1'; [scriptblock]::Create($x)", rule: "text-as-code" },
  { why: "the variable that swallows STDIN", code: "$input", rule: "input" },
  { why: "a colon that becomes part of a variable's name", code: '$script:x = 1; "$script:x: y"', rule: "colon" },
  { why: "a line continuation", code: "Get-Date `\n  -Format 'o'", rule: "backtick" },
  { why: "no PowerShell at all", code: "function {", rule: "syntax" },
];

const clean = `
function Get-Thing {
    param([string]$Name, [switch]$All)
    $splat = @{ Path = 'a'; ChildPath = $Name }
    $made = Join-Path @splat
    return @(Get-ChildItem -LiteralPath $made -Recurse:$All | Where-Object { $_.Length -gt 5kb } | Sort-Object -Property 'Name')
}
Get-Thing -Name 'x' -All -ErrorAction 'Stop'
Hyper-V\\Get-VM -Name 'x'
`;

const lines = (findings: readonly Finding[]): string[] =>
  findings.map((one) => `${relative(root, one.file)}:${one.line} ${one.rule}: ${one.text}`);

describe.skipIf(rig.kind === "skipped")("static checks of PowerShell", () => {
  const ready = rig as Extract<typeof rig, { kind: "ready" }>;
  let folder = "";
  let found: readonly Finding[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-planted-"));
    for (const [index, one] of planted.entries()) await writeFile(join(folder, `${index}.ps1`), `${one.code}\n`);
    await writeFile(join(folder, "clean.ps1"), clean);
    found = await checkScripts(ready, await scriptsIn(folder));
  }, 120_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(planted.map((one, index) => ({ ...one, index })))("finds $why", ({ index, rule }) => {
    const rules = found.filter((one) => one.file === join(folder, `${index}.ps1`)).map((one) => one.rule);
    expect(rules).toContain(rule);
  });

  it("finds nothing in what is right", () => {
    expect(lines(found.filter((one) => one.file === join(folder, "clean.ps1")))).toEqual([]);
  });

  // The emulated cmdlets have real parameters only: an unknown cmdlet or parameter of the guest agent is found by them.
  it("finds nothing in agents/guest-windows", async () => {
    const folders = ["agents/guest-windows", "test/rigs/windows"];
    const files = await Promise.all(folders.map((name) => scriptsIn(join(root, name))));
    expect(lines(await checkScripts(ready, files.flat()))).toEqual([]);
  }, 60_000);

  it.each(["agents/hyperv", "test/static"])(
    "finds nothing in %s",
    async (name) => {
      expect(lines(await checkScripts(ready, await scriptsIn(join(root, name))))).toEqual([]);
    },
    60_000,
  );
});
