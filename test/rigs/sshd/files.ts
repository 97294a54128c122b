import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensurePowerShell as ensureUntyped } from "../../../scripts/rigs/powershell.mjs";
import { makeHost } from "../hyperv/host.ts";
import { PASSWORD, USER, type SshdOptions } from "./options.ts";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
const stubSource = fileURLToPath(new URL("../../../agents/hyperv/stub.ps1", import.meta.url));

export const ensurePowerShell = ensureUntyped as () => Promise<
  { kind: "ready"; bin: string; modules: string } | { kind: "skipped"; why: string }
>;

/** While a file of this name is in the host's folder, it has no Hyper-V module. */
export const NO_HYPERV = "no-hyper-v";

const executable = async (path: string, text: string): Promise<void> => {
  await writeFile(path, `#!/bin/bash\n${text}\n`);
  await chmod(path, 0o755);
};

/** The host's folders, its powershell.exe, its login shell and its accounts. */
export const prepareHost = async (root: string, options: SshdOptions): Promise<void> => {
  for (const folder of ["bin", "C/ProgramData/AetherV/agents", "C/ProgramData/AetherV/state", "D", "simulator"])
    await mkdir(join(root, folder), { recursive: true });
  await copyFile(stubSource, join(root, "C/ProgramData/AetherV/stub.ps1"));
  await executable(join(root, "bin/powershell.exe"), await powershell(root, options));
  await executable(
    join(root, "shell"),
    `export RIG_ROOT=${root} RIG_BIN=${join(root, "bin")}\nexec ${join(here, "shells", options.shell)} "$@"`,
  );
  if (options.agent === "powershell") await makeHost(root);
  await writeAccounts(root);
};

const powershell = async (root: string, { agent }: SshdOptions): Promise<string> => {
  if (agent === "simulator") return `exec ${process.execPath} --no-warnings ${join(here, "stub.ts")} "$@"`;
  const rig = await ensurePowerShell();
  if (rig.kind === "skipped") throw new Error(rig.why);
  return [
    `export AETHERV_RIG_ROOT=${root} DOTNET_TieredPGO=0`,
    `[ -e ${join(root, NO_HYPERV)} ] || export PSModulePath=${rig.modules}`,
    `exec ${join(rig.bin, "powershell.exe")} "$@"`,
  ].join("\n");
};

/** The machine's accounts and one more; bound over /etc/passwd and /etc/shadow in the server's own mount namespace. */
const writeAccounts = async (root: string): Promise<void> => {
  const { stdout: hash } = await run("openssl", ["passwd", "-6", PASSWORD]);
  const passwd = await readFile("/etc/passwd", "utf8");
  await writeFile(join(root, "passwd"), `${passwd.trimEnd()}\n${USER}:x:0:0::${root}:${join(root, "shell")}\n`);
  const shadow = await readFile("/etc/shadow", "utf8");
  await writeFile(join(root, "shadow"), `${shadow.trimEnd()}\n${USER}:${hash.trim()}:19000:0:99999:7:::\n`, {
    mode: 0o600,
  });
};

const KEY_TYPES = ["ed25519", "ecdsa", "rsa"] as const;

/** New host keys; gives their fingerprints. */
export const makeHostKeys = async (root: string): Promise<readonly string[]> => {
  const prints: string[] = [];
  for (const type of KEY_TYPES) {
    const path = join(root, `host_${type}`);
    await rm(path, { force: true });
    await run("ssh-keygen", ["-q", "-t", type, ...(type === "rsa" ? ["-b", "2048"] : []), "-N", "", "-f", path]);
    const { stdout } = await run("ssh-keygen", ["-l", "-f", path]);
    prints.push(stdout.split(" ")[1] ?? "");
  }
  return prints;
};

/** A key that may log in; gives its private part. */
export const makeLoginKey = async (root: string, { forced }: SshdOptions): Promise<string> => {
  const path = join(root, "login");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
  const command = String.raw`powershell.exe -NoProfile -NonInteractive -OutputFormat Text -ExecutionPolicy Bypass -File C:\ProgramData\AetherV\stub.ps1`;
  const options = forced ? `restrict,command="${command}" ` : "";
  await writeFile(join(root, "authorized_keys"), options + (await readFile(`${path}.pub`, "utf8")), { mode: 0o600 });
  return await readFile(path, "utf8");
};

export const writeConfig = (root: string, port: number, { maxSessions = 10 }: SshdOptions): Promise<void> =>
  writeFile(
    join(root, "sshd_config"),
    [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      ...KEY_TYPES.map((type) => `HostKey ${join(root, `host_${type}`)}`),
      "PidFile none",
      "UsePAM no",
      "UseDNS no",
      `AuthorizedKeysFile ${join(root, "authorized_keys")}`,
      "StrictModes no",
      "PasswordAuthentication yes",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin yes",
      `MaxSessions ${maxSessions}`,
      "PrintMotd no",
      "LogLevel VERBOSE",
      "",
    ].join("\n"),
  );
