// `npm test`: prepares a fresh machine, then runs lint and all test suites, slowest last. The last line is
// `N passed, N failed, N skipped` alone; skipped tests are listed above it with their reasons.
// Plain JavaScript without dependencies: it runs before they are installed, on Node 20 too.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, install, nodeBinary, run } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const totals = { passed: 0, failed: 0, skipped: 0 };
/** Lines for the end: what failed or was skipped, and why. */
const notes = [];

/** Debian packages that tests need: name -> a command that shows that it is there. */
const packages = {
  "openssh-server": "/usr/sbin/sshd",
  busybox: "busybox",
  dash: "dash",
  shellcheck: "shellcheck",
  xorriso: "xorriso",
  "iputils-ping": "ping",
  iproute2: "ip",
  e2fsprogs: "mkfs.ext4",
  fdisk: "sfdisk",
  xfsprogs: "mkfs.xfs",
  "btrfs-progs": "mkfs.btrfs",
  tcpdump: "tcpdump",
  chromium: "chromium",
};

const isThere = (command) => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

/** Installs what is missing, as root on a machine with apt. Elsewhere, the tests that need it say why they are skipped. */
const installPackages = async () => {
  const missing = Object.entries(packages).filter(([, command]) => !isThere(command));
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name);
  if (process.getuid?.() !== 0 || !isThere("apt-get")) {
    notes.push(`not installed (neither root nor apt-get): ${names.join(", ")}`);
    return;
  }
  process.stdout.write(`> apt-get install ${names.join(" ")}\n`);
  // RUNLEVEL 1: Debian's scripts then start no service; the tests start servers of their own, on loopback.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  await run("apt-get", ["update", "-q"], { cwd: root, quiet: true, env });
  const code = await run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...names], {
    cwd: root,
    quiet: true,
    env,
  });
  if (code !== 0) notes.push(`apt-get could not install ${names.join(", ")}; its messages are above`);
};

/** One tool as one check. */
const check = async (title, args) => {
  const started = Date.now();
  const code = await run(nodeBinary(root), args, { cwd: root, quiet: true });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${code === 0 ? "ok  " : "FAIL"} ${title} (${seconds}s)\n`);
  if (code === 0) totals.passed += 1;
  else {
    totals.failed += 1;
    notes.push(`failed: ${title}`);
  }
};

const tool = (path) => join(root, "node_modules", path);

const lint = async () => {
  await check("types", [tool("typescript/bin/tsc"), "-p", "tsconfig.json"]);
  const consoleTypes = ["--workspace", "console", "--tsconfig", "tsconfig.json", "--fail-on-warnings"];
  await check("types of the console", [
    join(root, "console/check/node_modules/svelte-check/bin/svelte-check"),
    ...consoleTypes,
  ]);
  await check("generated files are current", ["scripts/generate.ts", "--check"]);
  await check("oxlint", [tool("oxlint/bin/oxlint"), "--type-aware", "--deny-warnings"]);
  await check("knip", [tool("knip/bin/knip.js")]);
  await check("prettier", [tool("prettier/bin/prettier.cjs"), "--check", "--log-level", "warn", "."]);
};

const hasTests = (folder) =>
  existsSync(join(root, folder)) &&
  readdirSync(join(root, folder), { recursive: true }).some((name) => String(name).endsWith(".test.ts"));

/** Runs the tests of some folders and adds up what vitest reports of each. */
const suite = async (title, folders) => {
  const present = folders.filter(hasTests);
  if (present.length === 0) return;
  process.stdout.write(`\n== ${title}\n`);
  const report = join(root, ".cache", `test-${title.replaceAll(/\W+/g, "-")}.json`);
  mkdirSync(dirname(report), { recursive: true });
  rmSync(report, { force: true });
  const reporters = [
    "--reporter=default",
    "--reporter=./scripts/skip-reasons.mjs",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ];
  const code = await run(nodeBinary(root), [tool("vitest/vitest.mjs"), "run", ...present, ...reporters], { cwd: root });
  const counted = existsSync(report) ? count(JSON.parse(readFileSync(report, "utf8"))) : 0;
  // A crash outside of any test (an unhandled rejection, a suite that does not load) is a failure, too.
  if (code !== 0 && counted === 0) {
    totals.failed += 1;
    notes.push(`failed: ${title} ended with exit code ${code}`);
  }
};

/** Adds the tests of a report; returns how many failed. Why one is skipped (`context.skip("why")`) scripts/skip-reasons.mjs keeps in its meta. */
const count = ({ testResults = [] }) => {
  let failed = 0;
  for (const file of testResults) {
    const name = file.name.replace(`${root}/`, "");
    if (file.status === "failed" && file.assertionResults.length === 0) {
      failed += 1;
      notes.push(`failed: ${name}: ${file.message}`);
    }
    // A whole file that lacks a rig tells why once.
    const shared = file.assertionResults.map(({ meta }) => meta?.skipReason).find((reason) => reason !== undefined);
    for (const test of file.assertionResults) {
      const words = `${name}: ${test.fullName}`;
      if (test.status === "passed") totals.passed += 1;
      else if (test.status === "failed") {
        failed += 1;
        notes.push(`failed: ${words}`);
      } else {
        totals.skipped += 1;
        notes.push(`skipped: ${words}: ${test.meta?.skipReason ?? shared ?? "no reason was given"}`);
      }
    }
  }
  totals.failed += failed;
  return failed;
};

/** Prepares a rig where its progress can be seen; tests that find it prepared start at once. Why it can't be is told by their skips. */
const prepareRig = (script) => run(nodeBinary(root), [script], { cwd: root });

await installPackages();
await install(root);
await build(root);
await lint();
process.stdout.write("\n== PowerShell and the emulated Hyper-V\n");
await prepareRig("scripts/rigs/powershell.mjs");
await suite("unit", ["test/unit", "test/lint", "test/static", "test/property"]);
await suite("contract", ["test/contract"]);
await suite("simulation", ["test/faults"]);
process.stdout.write("\n== Kubernetes API server\n");
await prepareRig("scripts/rigs/kube-api.ts");
await prepareRig("scripts/rigs/kubectl.ts");
await suite("integration", ["test/integration"]);
await suite("campaigns and fuzzing", ["test/campaigns", "test/fuzz"]);
await suite("end to end", ["test/e2e"]);
await suite("crash points", ["test/crash"]);

process.stdout.write(`\n${notes.map((note) => `${note}\n`).join("")}`);
process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exit(totals.failed > 0 ? 1 : 0);
