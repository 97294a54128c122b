import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PowerShellRig } from "../../../scripts/rigs/powershell.mjs";

/** What a run of the rig left. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export type ReadyRig = Extract<PowerShellRig, { kind: "ready" }>;

/** Runs the launcher of an edition on an emulated machine. */
export const runShell = (
  rig: ReadyRig,
  at: { readonly root: string; readonly edition: "5.1" | "7"; readonly stdin?: string },
  args: readonly string[],
): Promise<Ran> =>
  new Promise((done, fail) => {
    const env = { ...process.env, AETHERV_RIG_ROOT: at.root, PSModulePath: rig.modules };
    const child = spawn(join(rig.bin, at.edition === "7" ? "pwsh" : "powershell.exe"), args, { env });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.on("error", fail).on("close", (code) => done({ code, out, err }));
    child.stdin.end(at.stdin ?? "");
  });

/** Runs a script's text as a file. */
export const runScript = async (
  rig: ReadyRig,
  at: { readonly root: string; readonly edition: "5.1" | "7"; readonly stdin?: string },
  script: string,
  args: readonly string[] = [],
): Promise<Ran> => {
  await mkdir(join(at.root, "C"), { recursive: true });
  const file = join(at.root, "C", "script.ps1");
  await writeFile(file, script);
  return runShell(rig, at, ["-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-File", file, ...args]);
};

/** Runs snippets in one process and answers what each wrote, joined by blanks, or `error:<id>,<category>` of its first error. */
export const runSnippets = async (
  rig: ReadyRig,
  at: { readonly root: string; readonly edition: "5.1" | "7" },
  snippets: readonly string[],
): Promise<string[]> => {
  const script = `
$ErrorActionPreference = 'Stop'
$results = foreach ($text in (ConvertFrom-Json -InputObject ([Console]::In.ReadToEnd()))) {
    try { (@(& ([scriptblock]::Create($text))) | ForEach-Object { [string]$_ }) -join ' ' }
    catch { "error:$($_.FullyQualifiedErrorId.Split(',')[0]),$($_.CategoryInfo.Category)" }
}
[Console]::Out.WriteLine((ConvertTo-Json -InputObject @($results) -Compress))
`;
  const ran = await runScript(rig, { ...at, stdin: JSON.stringify(snippets) }, script);
  if (ran.code !== 0) throw new Error(`the snippets' script failed: ${ran.out}${ran.err}`);
  return JSON.parse(ran.out) as string[];
};
