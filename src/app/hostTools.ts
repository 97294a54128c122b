import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { VMHost } from "../api/generated/types.ts";
import type { HostTools, LoginSource } from "../cli/hostTools.ts";
import { TransportError } from "../engine/ports.ts";
import { prepareScript } from "../hosts/deploy/prepare.ts";
import { ERRORS } from "../protocol/errors.ts";
import { ControlError } from "../server/control.ts";
import { nodeFileSystem } from "../stores/files/filesystem.ts";
import { Scanner } from "../stores/files/scan.ts";
import { SshHost } from "../transports/ssh/host.ts";
import { loginOf, publicKeyOf, type Login } from "../transports/ssh/target.ts";
import { checkHost } from "./hostCheck.ts";
import { agentFolder, readLogin, targetOf, type ReadSecret, type Ssh } from "./ssh.ts";
import { modelValidation } from "./validation.ts";

/** The CLI reaches hosts itself: no control plane hands out a credential. */
export const hostTools: HostTools = {
  check: (host, source, signal) => checkHost(host, () => loginFrom(host, source), signal),

  prepareScript: async (host, source) => {
    const { spec } = host;
    const files = {
      script: join(agentFolder(), "../setup/prepare.ps1"),
      stub: `${agentFolder()}stub.ps1`,
    };
    const text = await prepareScript(files, {
      user: sshOf(host).user,
      publicKey: publicKeyOf(await explained(loginFrom(host, source))),
      writable: [
        ...new Set([
          ...(spec.storageClasses ?? []).map(({ path }) => path),
          ...(spec.virtualMachinePath === undefined ? [] : [spec.virtualMachinePath]),
        ]),
      ],
      readable: spec.imagePaths ?? [],
    });
    // Windows PowerShell 5.1 reads a script without this mark in the machine's code page.
    return /^[\t\n\r -~]*$/.test(text) ? text : `\uFEFF${text}`;
  },

  async *runScript(host, script, administrator, signal) {
    const ssh = sshOf(host);
    const login = () => loginFrom(host, administrator);
    const remote = new SshHost({ target: { ...targetOf(ssh), user: administrator.user ?? ssh.user }, login });
    const texts: string[] = [];
    try {
      const code = await explained(remote.runScript(script, (text) => void texts.push(text), signal));
      yield texts.join("");
      if (code !== 0) throw new ControlError("Internal", `the script ended with exit code ${code}`);
    } finally {
      remote.close();
    }
  },

  takeOver: async (host, source, { id, epoch }) => {
    const remote = new SshHost({ target: targetOf(sshOf(host)), login: () => loginFrom(host, source) });
    try {
      await explained(remote.run(["fence", id, String(epoch)], { signal: AbortSignal.timeout(60_000) }));
    } finally {
      remote.close();
    }
  },
};

const sshOf = (host: VMHost): Ssh => {
  if (host.spec.connection.ssh) return host.spec.connection.ssh;
  throw new ControlError("Invalid", `VMHost "${host.metadata.name}" is not reached over SSH`);
};

/** What the transport says, as an error for people. */
const explained = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TransportError)
      throw new ControlError("Unavailable", `${error.fault.code}: ${error.message}`, ERRORS[error.fault.code].help);
    throw error;
  }
};

const loginFrom = async (host: VMHost, { files, identity }: LoginSource): Promise<Login> => {
  if (identity !== undefined) return loginOf({ "ssh-privatekey": await readFile(identity, "utf8") }, identity);
  return await readLogin(sshOf(host).credentialsSecretRef, secretsIn(files));
};

/** Secrets as the file store reads them: files that others can read are refused. */
const secretsIn =
  (files: readonly string[]): ReadSecret =>
  async (namespace, name) => {
    for (const path of files) {
      const stat = await nodeFileSystem.stat(path);
      const scanner = new Scanner({ fs: nodeFileSystem, validation: modelValidation, folders: [path] });
      const inside = stat.type === "folder" ? (await scanner.scan()).files.map(({ file }) => file) : [path];
      for (const file of inside) {
        // The scan keeps no values.
        const content = await scanner.read(file);
        const found = content?.secrets.find((one) => one.namespace === namespace && one.name === name);
        if (!content || !found) continue;
        const [problem] = content.problems;
        if (problem) throw new Error(`${file}: ${problem.message}`);
        return found.values;
      }
    }
    if (files.length > 0) return undefined;
    throw new Error("give the files that hold it with -f, or a key with -i");
  };
