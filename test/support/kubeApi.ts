import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { ensureKubeApi } from "../../scripts/rigs/kube-api.ts";
import { systemClock } from "../../src/app/clock.ts";
import { kinds } from "../../src/api/kinds.ts";
import type { Resource } from "../../src/api/resource.ts";
import { KubeClient } from "../../src/stores/kubernetes/client.ts";
import { openConnection } from "../../src/stores/kubernetes/connection.ts";
import { collectionPath, objectPath } from "../../src/stores/kubernetes/paths.ts";
import { keyOf } from "../../src/api/resource.ts";
import { lockCluster } from "./clusterLock.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** An API server with the CRDs in it, and a client with all rights. */
export interface KubeApi {
  readonly kubeconfig: string;
  readonly client: KubeClient;
  /** False where the cluster is somebody's (TEST_KUBECONFIG): it can't be stopped. */
  readonly own: OwnServer | undefined;
  stop(): Promise<void>;
}

/** A server of this process. */
export interface OwnServer {
  /** Ends the API server as a crash does; etcd stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  readonly etcd: string;
}

export type KubeApiOrWhy = KubeApi | { readonly skipped: string };

/** Starts an API server of this test, or takes the one that TEST_KUBECONFIG names. */
export const startKubeApi = async (): Promise<KubeApiOrWhy> => {
  const given = process.env["TEST_KUBECONFIG"] ?? "";
  if (given !== "") return ofCluster(given);
  const rig = await ensureKubeApi();
  if (rig.kind === "skipped") return { skipped: rig.why };
  const folder = await mkdtemp(join(tmpdir(), "aetherv-kube-"));
  const servers = new Servers(rig, folder);
  try {
    await servers.start();
    const client = new KubeClient(await openConnection({ kubeconfig: servers.kubeconfig }), systemClock);
    await installCrds(client);
    const stop = async (): Promise<void> => {
      await client.close();
      await servers.stop();
    };
    return { kubeconfig: servers.kubeconfig, client, own: servers, stop };
  } catch (error) {
    await servers.stop();
    throw error;
  }
};

/** One test file at a time. Objects that are there already are somebody's: tests would remove them. */
const ofCluster = async (kubeconfig: string): Promise<KubeApiOrWhy> => {
  const unlock = await lockCluster(kubeconfig);
  const client = new KubeClient(await openConnection({ kubeconfig }), systemClock);
  const stop = async (): Promise<void> => {
    await client.close();
    await unlock();
  };
  await installCrds(client);
  for (const { kind, metadata } of await allObjects(client)) {
    await stop();
    return { skipped: `TEST_KUBECONFIG: the cluster holds ${kind} ${metadata.name}: give an empty one` };
  }
  return { kubeconfig, client, own: undefined, stop };
};

/** All of our kinds, everywhere. */
export const allObjects = async (client: KubeClient): Promise<readonly Resource[]> => {
  const lists = kinds.map(({ kind }) =>
    client.call<{ items: readonly Resource[] }>({ verb: "list", path: collectionPath(kind) }),
  );
  return (await Promise.all(lists)).flatMap(({ items }) => items);
};

/** Removes all of our objects, whatever holds them. */
export const removeAll = async (client: KubeClient): Promise<void> => {
  for (const object of await allObjects(client)) {
    const path = objectPath(keyOf(object));
    if ((object.metadata.finalizers ?? []).length > 0)
      await client.call({ verb: "patch", path, body: { metadata: { finalizers: null } } });
    if ((await client.find(path)) !== undefined) await client.call({ verb: "delete", path });
  }
};

/** Makes the CRDs as crds/ has them, and waits until they are served. */
export const installCrds = async (client: KubeClient): Promise<void> => {
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const folder = join(root, "crds");
  for (const file of await readdir(folder)) {
    const body = parse(await readFile(join(folder, file), "utf8")) as { metadata: { name: string } };
    if ((await client.find(`${path}/${body.metadata.name}`)) !== undefined) continue;
    await client.call({ verb: "create", path, query: { fieldValidation: "Strict" }, body });
  }
  await eventually("the CRDs are served", async () => {
    await allObjects(client);
    return true;
  });
};

type Ready = Exclude<Awaited<ReturnType<typeof ensureKubeApi>>, { kind: "skipped" }>;

type Flags = Readonly<Record<string, string | number | boolean>>;

const flags = (of: Flags): readonly string[] => Object.entries(of).map(([name, value]) => `--${name}=${value}`);

/** etcd and the API server, each a child of this process on a free port of the loopback. */
class Servers implements OwnServer {
  readonly #rig: Ready;
  readonly #folder: string;
  readonly kubeconfig: string;
  #ports: readonly number[] = [];
  #etcd: ChildProcess | undefined;
  #server: ChildProcess | undefined;
  #said = "";

  constructor(rig: Ready, folder: string) {
    this.#rig = rig;
    this.#folder = folder;
    this.kubeconfig = join(folder, "kubeconfig");
  }

  get etcd(): string {
    return `http://127.0.0.1:${this.#ports[0]}`;
  }

  async start(): Promise<void> {
    if (!this.#etcd) {
      this.#ports = await freePorts(3);
      const peer = `http://127.0.0.1:${this.#ports[1]}`;
      this.#etcd = this.#spawn(
        this.#rig.etcd,
        flags({
          "data-dir": join(this.#folder, "etcd"),
          "unsafe-no-fsync": true,
          "log-level": "error",
          "listen-client-urls": this.etcd,
          "advertise-client-urls": this.etcd,
          "listen-peer-urls": peer,
          "initial-advertise-peer-urls": peer,
          "initial-cluster": `default=${peer}`,
        }),
      );
      await this.#listens(this.#ports[0] ?? 0, this.#etcd);
    }
    const server = this.#spawn(this.#rig.server, await this.#flags());
    this.#server = server;
    await this.#listens(this.#ports[2] ?? 0, server);
    await eventually("the API server is ready", async () => {
      const client = new KubeClient(await openConnection({ kubeconfig: this.kubeconfig }), systemClock);
      try {
        await client.call({ verb: "get", path: "/api/v1/namespaces/default" });
        return true;
      } finally {
        await client.close();
      }
    });
  }

  async kill(): Promise<void> {
    await ended(this.#server, "SIGKILL");
    this.#server = undefined;
  }

  async stop(): Promise<void> {
    await ended(this.#server, "SIGKILL");
    await ended(this.#etcd, "SIGKILL");
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #flags(): Promise<readonly string[]> {
    const certs = join(this.#folder, "certs");
    const common = { "etcd-servers": this.etcd, "secure-port": this.#ports[2] ?? 0, "cert-dir": certs };
    if (this.#rig.kind === "prototype")
      return flags({ ...common, "write-kubeconfig": this.kubeconfig, "admin-token": "admin" });
    return flags({ ...common, ...(await this.#realServer()) });
  }

  /** What the real kube-apiserver needs beside: a key for tokens of accounts, an admin's token, a kubeconfig. */
  async #realServer(): Promise<Flags> {
    const path = (name: string): string => join(this.#folder, name);
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await mkdir(path("certs"), { recursive: true });
    await writeFile(path("accounts.key"), privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 });
    await writeFile(path("tokens.csv"), `admin,admin,admin,"system:masters"\n`, { mode: 0o600 });
    const cluster = { server: `https://127.0.0.1:${this.#ports[2]}`, "insecure-skip-tls-verify": true };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "rig", cluster }],
      users: [{ name: "admin", user: { token: "admin" } }],
      contexts: [{ name: "rig", context: { cluster: "rig", user: "admin" } }],
      "current-context": "rig",
    };
    await writeFile(this.kubeconfig, JSON.stringify(config), { mode: 0o600 });
    return {
      "bind-address": "127.0.0.1",
      "authorization-mode": "RBAC",
      "token-auth-file": path("tokens.csv"),
      "service-account-issuer": "https://kubernetes.default.svc",
      "service-account-key-file": path("accounts.key"),
      "service-account-signing-key-file": path("accounts.key"),
      "service-cluster-ip-range": "10.0.0.0/24",
      "disable-admission-plugins": "ServiceAccount",
    };
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { cwd: this.#folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (part: Buffer) => (this.#said = (this.#said + String(part)).slice(-4000)));
    // A test that dies takes its servers with it.
    process.once("exit", () => child.kill("SIGKILL"));
    return child;
  }

  async #listens(port: number, child: ChildProcess): Promise<void> {
    const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
    await eventually(`port ${port} answers`, async () => {
      if (!ended()) await opened(port);
      return true;
    });
    if (ended()) throw new Error(`${child.spawnfile} ended with ${child.exitCode}: ${this.#said}`);
  }
}

const ended = async (child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> => {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await exit;
};

const opened = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });

/** Ports that were free just now. */
const freePorts = async (count: number): Promise<readonly number[]> => {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = servers.map(
    (server) =>
      new Promise<number>((resolve) =>
        server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
      ),
  );
  const found = await Promise.all(ports);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return found;
};

/** Polls until the test holds; what it throws counts as not yet. */
export const eventually = async (what: string, test: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> => {
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
