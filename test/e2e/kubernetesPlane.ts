import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEntry } from "../../agents/simulator/model/audit.ts";
import type { World } from "../../agents/simulator/model/world.ts";
import { World as HostWorld } from "../../agents/simulator/model/world.ts";
import { openHost } from "../../agents/simulator/process/host.ts";
import type { Resource } from "../../src/api/resource.ts";
import { reasonsText } from "../../src/cli/progress.ts";
import { SocketClient } from "../../src/server/client.ts";
import type { KubeClient } from "../../src/stores/kubernetes/client.ts";
import { collectionPath } from "../../src/stores/kubernetes/paths.ts";
import { allObjects, eventually } from "../support/kubeApi.ts";
import { root } from "./rig.ts";

export const leasePath = "/apis/coordination.k8s.io/v1/namespaces/default/leases/aetherv";

/** Simulated hosts of this machine, which any number of control planes may reach. */
export class SimulatedHosts {
  readonly folder: string;
  readonly names: readonly string[];

  private constructor(folder: string, names: readonly string[]) {
    this.folder = folder;
    this.names = names;
  }

  /** Hosts take `factor` times as long as by default, and note the jobs that reach them. */
  static async make(names: readonly string[], factor: number): Promise<SimulatedHosts> {
    const hosts = new SimulatedHosts(await mkdtemp(join(tmpdir(), "aetherv-hosts-")), names);
    for (const name of names) {
      const state = hosts.state(name);
      await mkdir(state, { recursive: true });
      await writeFile(join(state, "behaviour.json"), JSON.stringify({ latency: { factor } }));
      await writeFile(join(state, "audit.jsonl"), "");
    }
    return hosts;
  }

  state(name: string): string {
    return join(this.folder, "simulated", name);
  }

  /** What the host noted, in the order in which it happened. */
  async audit(name: string): Promise<readonly AuditEntry[]> {
    const text = await readFile(join(this.state(name), "audit.jsonl"), "utf8");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as AuditEntry);
  }

  read<T>(name: string, work: (world: World) => T): T {
    return openHost(this.state(name)).read((tx) => work(new HostWorld(tx)));
  }

  dispose(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** `aetherv run --kubernetes` in a process and a data folder of its own. */
export class Replica {
  readonly data: string;
  readonly child: ChildProcess;
  readonly client: SocketClient;
  said = "";

  private constructor(data: string, kubeconfig: string, more: readonly string[]) {
    this.data = data;
    this.client = new SocketClient(join(data, "aetherv.sock"));
    const words = ["run", "--kubernetes", "--kubeconfig", kubeconfig, "--data", data, "--allow-local-hosts", ...more];
    this.child = spawn(process.execPath, [join(root, "src/app/main.ts"), ...words, "--log-level", "info"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (part: Buffer) => (this.said += String(part)));
    process.once("exit", this.#kill);
    this.child.once("exit", () => process.off("exit", this.#kill));
  }

  static async start(kubeconfig: string, hosts: SimulatedHosts, ...more: readonly string[]): Promise<Replica> {
    const data = await mkdtemp(join(hosts.folder, "replica-"));
    // The hosts are the same, whoever leads.
    await symlink(join(hosts.folder, "simulated"), join(data, "simulated"));
    return new Replica(data, kubeconfig, more);
  }

  readonly #kill = (): void => void this.child.kill("SIGKILL");

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get runs(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** The exit code, null after a kill. */
  async exited(): Promise<number | null> {
    if (this.runs) await new Promise((resolve) => this.child.once("exit", resolve));
    return this.child.exitCode;
  }

  /** Whether it answers as the leader of this epoch. */
  async leads(epoch: number): Promise<boolean> {
    return this.client.status().then(
      (status) => status.epoch === epoch,
      () => false,
    );
  }
}

export interface LeaseView {
  readonly holder: string;
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly acquiredAt: number;
  readonly renewedAt: number;
}

export const leaseOf = async (client: KubeClient): Promise<LeaseView> => {
  const lease = await client.find<{
    metadata: { annotations?: Record<string, string> };
    spec: { holderIdentity?: string; acquireTime?: string; renewTime?: string };
  }>(leasePath);
  return {
    holder: lease?.spec.holderIdentity ?? "",
    epoch: Number(lease?.metadata.annotations?.["aetherv.io/epoch"] ?? 0),
    acquiredAt: Date.parse(lease?.spec.acquireTime ?? ""),
    renewedAt: Date.parse(lease?.spec.renewTime ?? ""),
  };
};

const object = (kind: string, name: string, spec: object): Resource =>
  ({ apiVersion: "aetherv.io/v1alpha1", kind, metadata: { name }, spec }) as Resource;

export const hostObject = (name: string): Resource =>
  object("VMHost", name, {
    driver: "Simulated",
    connection: { type: "Local" },
    storageClasses: [{ name: "standard", path: "D:\\VMs", default: true }],
    networks: [{ name: "lan", switchName: "External" }],
    imagePaths: ["D:\\Images"],
    concurrency: 2,
    longConcurrency: 1,
    inventoryInterval: "5s",
  });

/** A machine with a disk made of an image and an adapter. */
export const machineObjects = (name: string, host: string): readonly Resource[] => [
  object("VirtualMachine", name, {
    host,
    osFamily: "Linux",
    cpu: { count: 1 },
    memory: { startup: "512Mi" },
    boot: { order: [{ type: "Disk", name }] },
  }),
  object("VirtualDisk", name, {
    source: { type: "Image", image: "debian-12" },
    attachment: { virtualMachine: name },
  }),
  object("NetworkAdapter", name, { virtualMachine: name, network: "lan", vlan: { mode: "Access", id: 1 } }),
];

export const create = (client: KubeClient, made: Resource): Promise<Resource> =>
  client.call<Resource>({
    verb: "create",
    path: collectionPath(made.kind, made.kind === "VMHost" ? undefined : "default"),
    query: { fieldManager: "kubectl", fieldValidation: "Strict" },
    body: made,
  });

/** Ready for the spec that is there now. */
export const isReadyNow = ({ status, metadata }: Resource): boolean => {
  const { conditions = [] } = (status ?? {}) as {
    conditions?: readonly { type: string; status: string; observedGeneration?: number }[];
  };
  const ready = conditions.find(({ type }) => type === "Ready");
  return (
    ready?.status === "True" &&
    ready.observedGeneration === metadata.generation &&
    metadata.deletionTimestamp === undefined
  );
};

/** Waits until every object is Ready for its present spec; what is not is told. */
export const converged = async (
  client: KubeClient,
  said: () => string,
  timeoutMs = 120_000,
): Promise<readonly Resource[]> => {
  let last: readonly Resource[] = [];
  try {
    await eventually(
      "all objects are Ready for their present spec",
      async () => {
        last = await allObjects(client);
        return last.length > 0 && last.every(isReadyNow);
      },
      timeoutMs,
    );
  } catch (error) {
    throw new Error(`${String(error)}\n${reasonsText(last)}\n${said().slice(-3000)}`, { cause: error });
  }
  return last;
};
