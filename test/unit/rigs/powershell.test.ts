import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { type ReadyRig, runScript, runShell, runSnippets } from "./shell.ts";

const rig = await ensurePowerShell();
const why = rig.kind === "skipped" ? rig.why : undefined;
if (why !== undefined) it("needs PowerShell", (context) => context.skip(why));

/** The same snippet in both editions; what real ones answer. */
const semantics = [
  {
    why: "5.1 escapes what HTML would read",
    run: `ConvertTo-Json -InputObject "a'<&>" -Compress`,
    five: '"a\\u0027\\u003c\\u0026\\u003e"',
    seven: `"a'<&>"`,
  },
  {
    why: "5.1 writes dates as milliseconds",
    run: "ConvertTo-Json -InputObject ([datetime]::SpecifyKind([datetime]'2024-01-01', 'Utc')) -Compress",
    five: '"\\/Date(1704067200000)\\/"',
    seven: '"2024-01-01T00:00:00Z"',
  },
  {
    why: "7 alone reads ISO texts as dates",
    run: `(ConvertFrom-Json -InputObject '{"a":"2024-01-01T00:00:00Z"}').a.GetType().Name`,
    five: "String",
    seven: "DateTime",
  },
  {
    why: "a small number is Int32 in 5.1",
    run: `(ConvertFrom-Json -InputObject '{"a":1}').a.GetType().Name`,
    five: "Int32",
    seven: "Int64",
  },
  {
    why: "64-bit sizes survive",
    run: `(ConvertFrom-Json -InputObject '{"a":9007199254740993}').a`,
    five: "9007199254740993",
    seven: "9007199254740993",
  },
  {
    why: "a fraction is Decimal in 5.1",
    run: `(ConvertFrom-Json -InputObject '{"a":1.5}').a.GetType().Name`,
    five: "Decimal",
    seven: "Double",
  },
  {
    why: "7 enumerates an array, 5.1 does not",
    run: `@(ConvertFrom-Json -InputObject '[1,2]' | ForEach-Object { 'x' }).Count`,
    five: "1",
    seven: "2",
  },
  {
    why: "5.1 has no -AsHashtable",
    run: `(ConvertFrom-Json -InputObject '{"a":1}' -AsHashtable).GetType().Name`,
    five: "error:NamedParameterNotFound,InvalidArgument",
    seven: "Hashtable",
  },
  {
    why: "names that differ by case only are refused",
    run: `ConvertFrom-Json -InputObject '{"a":1,"A":2}'`,
    five: "error:System.ArgumentException,NotSpecified",
    seven: "error:System.ArgumentException,NotSpecified",
  },
  {
    why: "an array of one stays one",
    run: `ConvertTo-Json -InputObject ([ordered]@{ a = @(1); b = @() }) -Compress -Depth 5`,
    five: '{"a":[1],"b":[]}',
    seven: '{"a":[1],"b":[]}',
  },
  {
    why: "beyond the depth comes the value's text",
    run: `ConvertTo-Json -InputObject @{ a = @{ b = @{ c = 1 } } } -Compress -Depth 1 -WarningAction 'SilentlyContinue'`,
    five: '{"a":{"b":"System.Collections.Hashtable"}}',
    seven: '{"a":{"b":"System.Collections.Hashtable"}}',
  },
  {
    why: "5.1's UTF8 has a mark",
    run: `Set-Content -LiteralPath 'C:\\t.txt' -Value 'é' -Encoding 'UTF8'; (Get-Item -LiteralPath 'C:\\t.txt').Length`,
    five: "6",
    seven: "3",
  },
  {
    why: "files answer with Windows names",
    run: `$null = New-Item -Path 'C:\\a\\b' -ItemType 'Directory' -Force; (Get-ChildItem -LiteralPath 'C:\\a').FullName`,
    five: "C:\\a\\b",
    seven: "C:\\a\\b",
  },
  {
    why: "wildcards are letters in a literal path",
    run: `Set-Content -LiteralPath 'C:\\x[1].txt' -Value 'q'; Test-Path -LiteralPath 'C:\\x[1].txt'; Test-Path -Path 'C:\\x[1].txt'`,
    five: "True False",
    seven: "True False",
  },
  {
    why: "a missing file is ObjectNotFound",
    run: "Get-Item -LiteralPath 'C:\\nope'",
    five: "error:PathNotFound,ObjectNotFound",
    seven: "error:PathNotFound,ObjectNotFound",
  },
  {
    why: "paths join the Windows way",
    run: "Join-Path -Path 'C:\\a\\' -ChildPath '\\b'; Split-Path -Path 'C:\\a\\b.txt' -Leaf",
    five: "C:\\a\\b b.txt",
    seven: "C:\\a\\b b.txt",
  },
  {
    why: "PowerShell 5.1's Split-Path has no -Leaf beside -LiteralPath",
    run: "Split-Path -LiteralPath 'C:\\a\\b' -Leaf",
    five: "error:AmbiguousParameterSet,InvalidArgument",
    seven: "b",
  },
  {
    why: "the version tells the edition",
    run: "$PSVersionTable.PSVersion.Major; $PSVersionTable.PSEdition",
    five: "5 Desktop",
    seven: "7 Core",
  },
];

describe.skipIf(rig.kind === "skipped")("the PowerShell rig", () => {
  const ready = rig as ReadyRig;
  let root = "";
  let five: string[] = [];
  let seven: string[] = [];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "aetherv-shell-"));
    const snippets = semantics.map((one) => one.run);
    five = await runSnippets(ready, { root, edition: "5.1" }, snippets);
    seven = await runSnippets(ready, { root, edition: "7" }, snippets);
  }, 120_000);

  afterAll(() => rm(root, { recursive: true, force: true }));

  it.each(semantics.map((one, index) => ({ ...one, index })))("$why", (one) => {
    expect({ five: five[one.index], seven: seven[one.index] }).toEqual({ five: one.five, seven: one.seven });
  });

  it("passes arguments as text and STDIN as it is", async () => {
    const script = `param([switch]$Session, [string]$Name) "$Session $Name"; [IO.StreamReader]::new([Console]::OpenStandardInput()).ReadToEnd(); exit 3`;
    const ran = await runScript(ready, { root, edition: "5.1", stdin: "é\n" }, script, [
      "-Session",
      "-Name",
      "$(1) `x",
    ]);
    expect(ran).toEqual({ code: 3, out: "True $(1) `x\né\n\n", err: "" });
  });

  it("leaves no STDIN to a script that mentions $input", async () => {
    const script = `if ($false) { $input }; "<" + [IO.StreamReader]::new([Console]::OpenStandardInput()).ReadToEnd() + ">"`;
    expect((await runScript(ready, { root, edition: "5.1", stdin: "lost" }, script)).out).toBe("<>\n");
  });

  it("ends with 1 and words on STDERR when the script throws", async () => {
    const ran = await runScript(ready, { root, edition: "5.1" }, `throw 'broken'`);
    expect({ code: ran.code, out: ran.out, told: ran.err.includes("broken") }).toEqual({
      code: 1,
      out: "",
      told: true,
    });
  });

  it.each([
    { why: "a command that fails", args: ["-Command", "Get-Nonsense"], code: 1 },
    { why: "a command that ends by itself", args: ["-Command", "exit 4"], code: 4 },
    { why: "encoded text", args: ["-EncodedCommand", Buffer.from("exit 5", "utf16le").toString("base64")], code: 5 },
    { why: "an option that the rig lacks", args: ["-Nonsense"], code: 64 },
  ])("ends with $code on $why", async ({ args, code }) => {
    expect((await runShell(ready, { root, edition: "5.1" }, args)).code).toBe(code);
  });
});
