// What `npm start` and `npm test` share: dependencies installed, sources built. Each is skipped when it is up to date.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Node of the project (24, from npm), else the one that runs this. */
export const nodeBinary = (root) => {
  const own = join(root, "node_modules/.bin", process.platform === "win32" ? "node.cmd" : "node");
  return existsSync(own) ? own : process.execPath;
};

/** Runs a command and resolves with its exit code; output goes where ours goes, or is kept and shown on failure. */
export const run = (command, args, { cwd, quiet = false, env = process.env }) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
      shell: process.platform === "win32",
    });
    let kept = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part) => (kept += part));
    child.on("error", (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      resolve(127);
    });
    child.on("close", (code) => {
      if (quiet && code !== 0) process.stderr.write(kept);
      resolve(code ?? 1);
    });
  });

const hashOf = (paths) => {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(`${path}\0`).update(existsSync(path) ? readFileSync(path) : "");
  return hash.digest("hex");
};

/** True when the stamp file says that this was done with the same content. */
const isCurrent = (stamp, hash) => existsSync(stamp) && readFileSync(stamp, "utf8") === hash;

/** `npm ci` when node_modules is missing, incomplete or of another package-lock.json. */
export const install = async (root) => {
  const modules = join(root, "node_modules");
  const stamp = join(modules, ".aetherv-lock-hash");
  const hash = hashOf([join(root, "package.json"), join(root, "package-lock.json")]);
  if (isCurrent(stamp, hash)) return;
  // npm's own record of what it installed is newer than the lock: a `npm install` by hand is as good.
  const record = join(modules, ".package-lock.json");
  const lock = join(root, "package-lock.json");
  if (!existsSync(record) || statSync(record).mtimeMs < statSync(lock).mtimeMs) {
    process.stdout.write("> npm ci\n");
    const code = await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: root, quiet: true });
    if (code !== 0) failure("npm ci failed; its messages are above");
  }
  writeFileSync(stamp, hash);
};

const filesUnder = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesUnder(path);
    return /\.(ts|json|svelte|css|html|svg)$/.test(entry.name) ? [path] : [];
  });

const sourcesOf = (root, folders) => folders.flatMap((folder) => filesUnder(join(root, folder))).sort();

/** Compiles to dist/ and builds the console into dist/console, each unless it was made from the same sources. */
export const build = async (root) => {
  await compile(root);
  await buildConsole(root);
};

const compile = async (root) => {
  const sources = sourcesOf(root, ["src", "controllers", "agents/simulator"]);
  const hash = hashOf([...sources, join(root, "tsconfig.json"), join(root, "tsconfig.build.json")]);
  const stamp = join(root, "dist/.aetherv-source-hash");
  if (isCurrent(stamp, hash)) return;
  process.stdout.write("> tsc -p tsconfig.build.json\n");
  for (const entry of existsSync(join(root, "dist")) ? readdirSync(join(root, "dist")) : [])
    if (!entry.includes("console")) rmSync(join(root, "dist", entry), { recursive: true, force: true });
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const code = await run(nodeBinary(root), [tsc, "-p", "tsconfig.build.json"], { cwd: root });
  if (code !== 0) failure("the build failed; its messages are above");
  mkdirSync(join(root, "dist"), { recursive: true });
  writeFileSync(stamp, hash);
};

/** The page takes types and a few pure functions from src. */
const buildConsole = async (root) => {
  const hash = hashOf([...sourcesOf(root, ["console", "src/api", "src/engine"]), join(root, "package-lock.json")]);
  const stamp = join(root, "dist/.aetherv-console-hash");
  if (isCurrent(stamp, hash) && existsSync(join(root, "dist/console/index.html"))) return;
  process.stdout.write("> vite build console\n");
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const code = await run(nodeBinary(root), [vite, "build", "console", "--logLevel", "warn"], { cwd: root });
  if (code !== 0) failure("the build of the console failed; its messages are above");
  writeFileSync(stamp, hash);
};

/** Ends with the message alone: a stack trace of these scripts helps nobody. */
const failure = (message) => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};
