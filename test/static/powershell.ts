import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { PowerShellRig } from "../../scripts/rigs/powershell.mjs";

/** What the static checks found at one place. */
export interface Finding {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const here = dirname(fileURLToPath(import.meta.url));

/** All PowerShell files below a folder. */
export const scriptsIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = entries.filter((entry) => entry.isFile() && /\.psm?1$/.test(entry.name));
  return found.map((entry) => join(entry.parentPath, entry.name)).toSorted();
};

/** Runs the checks on files that form one bundle: their functions know each other. */
export const checkScripts = async (
  rig: Extract<PowerShellRig, { kind: "ready" }>,
  files: readonly string[],
): Promise<Finding[]> => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-static-"));
  try {
    const list = join(folder, "list.txt");
    await writeFile(list, files.join("\n"));
    const args = ["-NoProfile", "-NonInteractive", "-File", join(here, "check.ps1"), "-List", list];
    const env = { ...process.env, PSModulePath: rig.modules, AETHERV_RIG_ROOT: folder };
    const { stdout } = await promisify(execFile)(join(rig.bin, "pwsh"), args, { env, maxBuffer: 1 << 24 });
    return JSON.parse(stdout) as Finding[];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
