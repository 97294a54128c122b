/**
 * `npm run build:iso`: build/aetherv-guest.iso (or the path given), the medium that brings the guest agents. Its label CIDATA makes it cloud-init's NoCloud source;
 * agents/guest-windows, where it is there, lies in /WINPROVISIONING. Needs xorriso.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = resolve(process.argv[2] ?? join(root, "build/aetherv-guest.iso"));

// The instance's id is one for all: the agent is installed once, and what the machine is follows over KVP.
const metaData = "instance-id: aetherv-guest\n";
const userData = `#cloud-config
bootcmd:
  - [cloud-init-per, once, aetherv-guest, sh, -c, "mkdir -p /run/aetherv-medium && mount -o ro LABEL=CIDATA /run/aetherv-medium && sh /run/aetherv-medium/linux/install.sh; umount /run/aetherv-medium"]
`;

const tree = mkdtempSync(join(tmpdir(), "aetherv-iso-"));
try {
  writeFileSync(join(tree, "meta-data"), metaData);
  writeFileSync(join(tree, "user-data"), userData);
  cpSync(join(root, "agents/guest-linux"), join(tree, "linux"), { recursive: true });
  const windows = join(root, "agents/guest-windows");
  if (existsSync(windows)) cpSync(windows, join(tree, "WINPROVISIONING"), { recursive: true });
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { force: true });
  // Dates of one moment: the same sources make the same image.
  const made = spawnSync(
    "xorriso",
    [
      "-as",
      "mkisofs",
      "-quiet",
      "-V",
      "CIDATA",
      "-J",
      "-joliet-long",
      "-R",
      "-o",
      target,
      "--modification-date=2020010100000000",
      tree,
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  if (made.error) throw new Error("xorriso is missing: install Debian's package xorriso");
  if (made.status !== 0) throw new Error(`xorriso ended with exit code ${made.status}`);
  console.log(target);
} finally {
  rmSync(tree, { recursive: true, force: true });
}
