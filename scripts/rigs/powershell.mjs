// Builds the PowerShell rig and the emulated Hyper-V module into .cache/rigs, once for each state of the sources, and prints where
// they are. `node scripts/rigs/powershell.mjs` for people; tests import ensurePowerShell().
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const rigs = join(root, "test/rigs");
const cache = join(root, ".cache/rigs");

/**
 * Where the rig is, or why there is none.
 * @typedef {{ kind: "ready", folder: string, bin: string, modules: string } | { kind: "skipped", why: string }} PowerShellRig
 * `bin` holds the launchers `powershell.exe` (5.1) and `pwsh` (7); `modules` holds the emulated Hyper-V and CimCmdlets modules.
 */

/** Builds the rig if the sources changed. Several processes may call it at once. @returns {Promise<PowerShellRig>} */
export async function ensurePowerShell() {
  const version = await run("dotnet", ["--version"]).catch(() => null);
  if (version === null) return { kind: "skipped", why: "no .NET SDK: `dotnet` is not on PATH" };
  if (Number.parseInt(version.stdout, 10) < 10) {
    return { kind: "skipped", why: `the .NET SDK is ${version.stdout.trim()}, 10 or newer is needed` };
  }
  const folder = join(cache, `powershell-${await hashOfSources()}`);
  if (!(await exists(join(folder, "bin/pwsh")))) {
    const failed = await withLock(() => build(folder));
    if (failed !== null) return { kind: "skipped", why: failed };
  }
  return { kind: "ready", folder, bin: join(folder, "bin"), modules: join(folder, "RigModules") };
}

/** @param {string} folder @returns {Promise<string | null>} why it failed */
async function build(folder) {
  if (await exists(join(folder, "bin/pwsh"))) return null;
  const making = `${folder}.making`;
  await rm(making, { recursive: true, force: true });
  try {
    const project = join(rigs, "powershell/host/AetherV.PowerShell.csproj");
    const args = [
      "publish",
      project,
      "-c",
      "Release",
      "-o",
      making,
      "-v",
      "quiet",
      "-nologo",
      "--disable-build-servers",
      "--no-self-contained",
    ];
    await run("dotnet", args, { maxBuffer: 1 << 24 });
  } catch (error) {
    const text = `${error.stdout ?? ""}${error.stderr ?? ""}`.split("\n").filter((line) => line.includes("error"));
    return `the rig did not build: ${[...new Set(text)].slice(0, 5).join("; ") || String(error)}`;
  }
  await mkdir(join(making, "bin"), { recursive: true });
  await launcher(join(making, "bin/powershell.exe"), "5.1", folder);
  await launcher(join(making, "bin/pwsh"), "7", folder);
  await rm(folder, { recursive: true, force: true });
  await rename(making, folder);
  await removeOld(folder);
  return null;
}

/** @param {string} path @param {string} edition @param {string} folder */
async function launcher(path, edition, folder) {
  const dll = join(folder, "aetherv-powershell.dll");
  await writeFile(path, `#!/bin/sh\nAETHERV_RIG_EDITION=${edition} exec dotnet "${dll}" "$@"\n`);
  await chmod(path, 0o755);
}

/** Builds of older sources, unless used within the last hour. @param {string} current */
async function removeOld(current) {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    if (!name.startsWith("powershell-") || path === current) continue;
    if (Date.now() - (await stat(path)).mtimeMs > 3_600_000) await rm(path, { recursive: true, force: true });
  }
}

async function hashOfSources() {
  const hash = createHash("sha256");
  for (const file of (await sources(rigs)).sort()) {
    hash
      .update(relative(rigs, file))
      .update("\0")
      .update(await readFile(file))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/** @param {string} folder @returns {Promise<string[]>} */
async function sources(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const parts = /\.(cs|csproj|props|psd1)$/;
  return entries
    .filter((entry) => entry.isFile() && parts.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** One builder at a time over all processes; a lock of a dead process is taken over. @template T @param {() => Promise<T>} work */
async function withLock(work) {
  const lock = join(cache, "powershell.lock");
  await mkdir(cache, { recursive: true });
  for (;;) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (!alive(Number(await readFile(lock, "utf8").catch(() => "0")))) await rm(lock, { force: true });
      else await new Promise((done) => setTimeout(done, 250));
    }
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

/** @param {number} pid 0: the lock was just made or just removed, so wait */
function alive(pid) {
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} path */
async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const rig = await ensurePowerShell();
  console.log(
    rig.kind === "ready" ? `${rig.bin}/powershell.exe\n${rig.bin}/pwsh\n${rig.modules}` : `skipped: ${rig.why}`,
  );
}
