import { execFile, spawn, type ChildProcess } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { kinds } from "../../src/api/kinds.ts";
import { keyOf, keyText, type Resource } from "../../src/api/resource.ts";
import { isReady } from "../../src/cli/print/objects.ts";
import { reasonsText } from "../../src/cli/progress.ts";
import type { JobRecord } from "../../src/engine/ports.ts";
import { SocketClient } from "../../src/server/client.ts";
import type { HostInventory } from "../../src/server/control.ts";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const main = join(root, "src/app/main.ts");

export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A data folder with manifests and the real processes over it: control plane, simulated hosts, CLI. */
export class Rig {
  readonly folder: string;
  readonly files: string;
  readonly data: string;
  readonly client: SocketClient;
  #child: ChildProcess | undefined;
  #said = "";

  private constructor(folder: string) {
    this.folder = folder;
    this.files = join(folder, "manifests");
    this.data = join(folder, "data");
    this.client = new SocketClient(join(this.data, "aetherv.sock"));
  }

  /** Copies the samples, or writes the given files. Hosts take `factor` times as long as by default. */
  static async make({
    manifests,
    factor = 0.05,
    hosts = ["hv1", "hv2"],
  }: {
    manifests?: Readonly<Record<string, string>>;
    factor?: number;
    hosts?: readonly string[];
  } = {}): Promise<Rig> {
    const rig = new Rig(await mkdtemp(join(tmpdir(), "aetherv-e2e-")));
    if (manifests) {
      await mkdir(rig.files);
      for (const [name, text] of Object.entries(manifests)) await writeFile(join(rig.files, name), text);
    } else {
      await cp(join(root, "manifests/samples"), rig.files, { recursive: true });
    }
    for (const host of hosts) {
      await rig.speed(host, factor);
    }
    return rig;
  }

  /** From its next start on, the host takes `factor` times as long as by default. */
  async speed(host: string, factor: number): Promise<void> {
    const state = join(this.data, "simulated", host);
    await mkdir(state, { recursive: true });
    await writeFile(join(state, "behaviour.json"), JSON.stringify({ latency: { factor } }));
  }

  /** Starts `aetherv run`. */
  launch(...more: readonly string[]): ChildProcess {
    const args = [main, "run", "--files", this.files, "--data", this.data, "--deletion-delay", "2s", ...more];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (part: Buffer) => (this.#said += String(part)));
    return child;
  }

  /** Starts `aetherv run` and waits until its socket answers. */
  async start(...more: readonly string[]): Promise<void> {
    const child = this.launch(...more);
    await until("the socket answers", async () => {
      if (child.exitCode !== null) throw new Error(`run ended with ${child.exitCode}:\n${this.#said}`);
      await this.client.status();
      return true;
    });
  }

  get said(): string {
    return this.#said;
  }

  /** Ends the control plane; SIGKILL as a power cut does. Resolves with its exit code, null for a kill. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    child.kill(signal);
    return ended;
  }

  /** The exit code of a run that ends by itself. */
  async exited(): Promise<number | null> {
    const child = this.#child;
    if (!child) throw new Error("nothing runs");
    if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve));
    return child.exitCode;
  }

  async dispose(): Promise<void> {
    await this.stop("SIGTERM");
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Runs one command line of the CLI over this data folder. */
  cli(...words: readonly string[]): Promise<Output> {
    return this.execute([...words, "--data", this.data]);
  }

  /** The words that a shell would offer for the last of these. */
  complete(...words: readonly string[]): Promise<Output> {
    return this.execute(["--data", this.data, "__complete", "--", ...words]);
  }

  /** Makes a data folder of a backup, and puts its store in the place of this one's. */
  async restoreInto(backup: string): Promise<Output> {
    const fresh = join(this.folder, "restored");
    const output = await this.execute(["backup", "--restore", backup, "--data", fresh]);
    if (output.code === 0)
      for (const name of ["store", "identity.json"]) await rename(join(fresh, name), join(this.data, name));
    return output;
  }

  /** Runs one command line of the CLI. */
  execute(words: readonly string[]): Promise<Output> {
    const args = [main, ...words];
    return new Promise((resolve) => {
      execFile(process.execPath, args, { env: { ...process.env, NO_COLOR: "1" } }, (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, out, err });
      });
    });
  }

  /** What a careless admin does on a host. */
  async admin(...words: readonly string[]): Promise<void> {
    const { code, err } = await this.cli("simulator", ...words);
    if (code !== 0) throw new Error(`simulator ${words.join(" ")}: ${err}`);
  }

  async objects(): Promise<readonly Resource[]> {
    return (await Promise.all(kinds.map(({ kind }) => this.client.list(kind)))).flat();
  }

  object(kind: string, name: string): Promise<Resource | undefined> {
    return this.client.get({ kind, namespace: kind === "VMHost" ? "" : "default", name });
  }

  /** Waits until all objects are Ready; `expected` of them, if given. */
  async ready(expected?: number, timeoutMs = 60_000): Promise<void> {
    let last: readonly Resource[] = [];
    try {
      await until(
        "all objects are Ready",
        async () => {
          last = await this.objects();
          // A Ready that was stored before this start says nothing yet.
          const seen = (await this.client.hosts()).every(({ observedAt }) => observedAt !== undefined);
          return seen && (expected === undefined ? last.length > 0 : last.length === expected) && last.every(isReady);
        },
        timeoutMs,
      );
    } catch (error) {
      const count = `${last.length} objects${expected === undefined ? "" : ` of ${expected}`}`;
      throw new Error(`${String(error)}; ${count}:\n${reasonsText(last)}\n${this.#said.slice(-2000)}`);
    }
  }

  /** Jobs so far, oldest first. */
  async jobs(): Promise<readonly JobRecord[]> {
    return [...(await this.client.jobs({ limit: 10_000 }))].reverse();
  }

  async inventory(host: string): Promise<HostInventory> {
    const found = await this.client.inventory(host);
    if (!found) throw new Error(`${host} was not seen`);
    return found;
  }

  path(name: string): string {
    return join(this.files, name);
  }

  /** Replaces text in a manifest; the text must be there. */
  async edit(name: string, from: string, to: string): Promise<void> {
    const text = await readFile(this.path(name), "utf8");
    if (!text.includes(from)) throw new Error(`${name} has no "${from}"`);
    await writeFile(this.path(name), text.replace(from, to));
  }
}

/** Polls until the test holds; what it throws counts as not yet, and is told at the end. */
export const until = async (what: string, test: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> => {
  const end = Date.now() + timeoutMs;
  let why = "";
  for (;;) {
    try {
      if (await test()) return;
    } catch (error) {
      why = ` (${error instanceof Error ? error.message : String(error)})`;
    }
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}${why}`);
    await sleep(50);
  }
};

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const names = (objects: readonly Resource[]): readonly string[] =>
  objects.map((object) => keyText(keyOf(object))).sort();

const host = (name: string): string => `
apiVersion: aetherv.io/v1alpha1
kind: VMHost
metadata: { name: ${name} }
spec:
  driver: Simulated
  connection: { type: Local }
  storageClasses: [{ name: standard, path: 'D:\\VMs', default: true }]
  networks: [{ name: lan, switchName: External }]
  imagePaths: ['D:\\Images']
  inventoryInterval: 5s
`;

const vm = (name: string, more = ""): string => `
apiVersion: aetherv.io/v1alpha1
kind: VirtualMachine
metadata: { name: ${name} }
spec:
  host: hv1
  osFamily: Linux
  cpu: { count: 2 }
  memory: { startup: 1Gi }
  boot: { order: [{ type: Disk, name: ${name}-system }] }${more}
---
apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata: { name: ${name}-system }
spec:
  source: { type: Image, image: debian-12 }
  attachment: { virtualMachine: ${name} }
---
apiVersion: aetherv.io/v1alpha1
kind: NetworkAdapter
metadata: { name: ${name}-lan }
spec: { virtualMachine: ${name}, network: lan }
`;

/** One host and machines on it, each with a disk and an adapter. */
export const small = (...vms: readonly string[]): Record<string, string> => ({
  "hosts.yaml": host("hv1"),
  ...Object.fromEntries(vms.map((name) => [`${name}.yaml`, vm(name)])),
});
