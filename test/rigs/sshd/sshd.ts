import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { ensurePowerShell, makeHostKeys, makeLoginKey, prepareHost, writeConfig } from "./files.ts";
import type { SshdOptions } from "./options.ts";

const run = promisify(execFile);
const SSHD = "/usr/sbin/sshd";

interface Process {
  /** As this machine counts, not the host's own namespace. */
  readonly pid: number;
  readonly args: string;
}

/** Why there can be no rig on this machine; undefined when there can. */
export const whyNoSshd = async (agent: SshdOptions["agent"]): Promise<string | undefined> => {
  if (process.getuid?.() !== 0) return "the sshd rig needs root";
  if (!existsSync(SSHD)) return "no sshd: apt-get install openssh-server";
  const unshared = await run("unshare", ["-m", "-p", "-f", "--mount-proc", "true"]).catch((error: Error) => error);
  if (unshared instanceof Error) return `no mount and PID namespaces: ${unshared.message.trim()}`;
  if (agent === "simulator") return undefined;
  const rig = await ensurePowerShell();
  return rig.kind === "skipped" ? rig.why : undefined;
};

/** A real OpenSSH server on loopback that stands for one Hyper-V host, in mount and PID namespaces of its own. */
export class SshdRig {
  readonly port: number;
  /** Folder of the host: C/ and D/ are its drives, simulator/ the simulated Hyper-V, bin/ what is on its PATH. */
  readonly root: string;
  /** Private key that may log in. */
  readonly key: string;
  /** Fingerprints: ed25519, ecdsa, rsa. */
  hostKeys: readonly string[];
  #former: readonly string[] = [];
  #server: ChildProcess | undefined;

  private constructor(port: number, root: string, key: string, hostKeys: readonly string[]) {
    this.port = port;
    this.root = root;
    this.key = key;
    this.hostKeys = hostKeys;
  }

  static async start(options: SshdOptions): Promise<SshdRig> {
    const root = await mkdtemp(join(tmpdir(), "aetherv-sshd-"));
    const port = await freePort();
    await prepareHost(root, options);
    const [hostKeys, key] = [await makeHostKeys(root), await makeLoginKey(root, options)];
    await writeConfig(root, port, options);
    const rig = new SshdRig(port, root, key, hostKeys);
    await rig.listen();
    return rig;
  }

  async listen(): Promise<void> {
    await mkdir("/run/sshd", { recursive: true });
    const [passwd, shadow] = [join(this.root, "passwd"), join(this.root, "shadow")];
    const config = join(this.root, "sshd_config");
    // .NET keeps named mutexes there, by thread id: hosts that shared it would count the same ids for different threads.
    await mkdir("/tmp/.dotnet", { recursive: true, mode: 0o1777 });
    const steps = [
      "mount -t tmpfs -o mode=1777 none /tmp/.dotnet",
      // Made here: of processes that make them at the same moment, some fail (stat of /tmp/.dotnet/shm: ENOENT).
      "mkdir -m 1777 /tmp/.dotnet/shm /tmp/.dotnet/shm/global /tmp/.dotnet/lockfiles",
      `mount --bind ${passwd} /etc/passwd`,
      `mount --bind ${shadow} /etc/shadow`,
      `exec ${SSHD} -D -E ${join(this.root, "sshd.log")} -f ${config}`,
    ];
    const script = steps.join(" && ");
    const args = ["-m", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", script];
    this.#server = spawn("unshare", args, { stdio: "ignore" });
    for (let tries = 0; !(await accepts(this.port)); tries += 1) {
      if (tries > 100 || this.#server.exitCode !== null)
        throw new Error(`sshd does not listen, see ${this.root}/sshd.log`);
      await sleep(50);
    }
  }

  async newHostKeys(): Promise<void> {
    this.#former = this.hostKeys;
    for (const name of await this.#hostKeyFiles(this.root))
      await copyFile(join(this.root, name), join(this.root, "former", name));
    this.hostKeys = await makeHostKeys(this.root);
  }

  /** The host keys of before the last `newHostKeys`. */
  async formerHostKeys(): Promise<void> {
    const former = join(this.root, "former");
    for (const name of await this.#hostKeyFiles(former)) await copyFile(join(former, name), join(this.root, name));
    this.hostKeys = this.#former;
  }

  async #hostKeyFiles(folder: string): Promise<readonly string[]> {
    await mkdir(join(this.root, "former"), { recursive: true });
    return (await readdir(folder)).filter((name) => name.startsWith("host_"));
  }

  /** Ends the server's processes of all connections, not the listener; what they had started lives on, as on Windows. */
  async cut(): Promise<void> {
    for (const { pid } of await this.processes("sshd: aetherv")) process.kill(pid, "SIGKILL");
  }

  /** Runs a shell command in the host's mount namespace, e.g. to give it a small disk. */
  async inside(command: string): Promise<void> {
    await run("nsenter", ["-t", String(this.#server?.pid), "-m", "sh", "-c", command]);
  }

  /** Processes on the host whose command line contains the text. */
  async processes(text: string): Promise<readonly Process[]> {
    const { stdout } = await run("ps", ["-eo", "pid=,ppid=,args="]);
    const all = stdout.split("\n").flatMap((line) => {
      const [, pid, parent, args = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), args }];
    });
    const inside = new Set([this.#server?.pid ?? -1]);
    for (let before = 0; before !== inside.size;) {
      before = inside.size;
      for (const one of all) if (inside.has(one.parent)) inside.add(one.pid);
    }
    return all.filter((one) => inside.has(one.pid) && one.args.includes(text));
  }

  /** Jobs that agents are at, as their run files say: operation, what they hold, and the process as this machine counts. */
  async runs(): Promise<
    readonly { readonly operation: string; readonly locks: readonly string[]; readonly pid: number }[]
  > {
    const folder = join(this.root, "C/ProgramData/AetherV/state/runs");
    const inside = new Map<number, number>();
    for (const { pid } of await this.processes("")) {
      const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
      inside.set(Number(/^NSpid:.*\t(\d+)$/m.exec(status)?.[1]), pid);
    }
    const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json"));
    const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8").catch(() => "")));
    return texts.flatMap((text) => {
      if (text === "") return [];
      const run = JSON.parse(text) as { operation: string; locks: string[]; process: string };
      const pid = inside.get(Number.parseInt(run.process, 10));
      return pid === undefined ? [] : [{ ...run, pid }];
    });
  }

  /** Ends the server and all that runs on the host. `listen` may follow. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, "exit");
    server.kill("SIGKILL");
    await gone;
    // Of a process that is gone with all others; in the next PID namespace its number is somebody else's.
    await rm(join(this.root, "hyperv/lock"), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
