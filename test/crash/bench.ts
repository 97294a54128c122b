import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { kinds } from "../../src/api/kinds.ts";
import { keyOf, type Resource } from "../../src/api/resource.ts";
import { SocketClient } from "../../src/server/client.ts";
import { collectionPath, objectPath } from "../../src/stores/kubernetes/paths.ts";
import { allObjects, removeAll, type KubeApi } from "../support/kubeApi.ts";
import { fileText, objectsIn, type World } from "./world.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where a control plane's process works: over files, or over an API server. Its simulated host outlives it. */
export interface Bench {
  readonly folder: string;
  /** Starts the control plane with more in its environment. */
  launch(env: Readonly<Record<string, string>>): ChildProcess;
  /** Makes the world the declared one: what is not in it is deleted. */
  declare(world: World): Promise<void>;
  objects(): Promise<readonly Resource[]>;
  /** Folder of the simulated host's state. */
  readonly host: string;
  /** How long to wait before it is asked again: an API server has several lists to make each time. */
  readonly pollMs: number;
  dispose(): Promise<void>;
}

/** A folder with a simulated host that takes no time, and notes the jobs it gets. */
const makeFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-crash-"));
  const host = join(folder, "data/simulated/hv1");
  await mkdir(host, { recursive: true });
  await writeFile(join(host, "behaviour.json"), JSON.stringify({ latency: { factor: 0 } }));
  await writeFile(join(host, "audit.jsonl"), "");
  return folder;
};

const start = (folder: string, words: readonly string[], env: Readonly<Record<string, string>>): ChildProcess => {
  const args = [join(root, "src/app/main.ts"), "run", "--data", join(folder, "data"), ...words];
  const child = spawn(process.execPath, args, {
    // Programs are read and stripped of their types once, not at each of a thousand starts.
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, ".cache/compiled"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A runner that is ended early takes its processes with it.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return child;
};

export const fileBench = async (): Promise<Bench> => {
  const folder = await makeFolder();
  const files = join(folder, "manifests");
  await mkdir(files);
  const client = new SocketClient(join(folder, "data/aetherv.sock"));
  return {
    folder,
    host: join(folder, "data/simulated/hv1"),
    pollMs: 200,
    launch: (env) => start(folder, ["--files", files, "--deletion-delay", "0s"], env),
    declare: async (world) => {
      for (const name of ["hosts", "a", "b"]) {
        const path = join(files, `${name}.yaml`);
        const manifests = world[name];
        if (manifests) await writeFile(path, fileText(manifests));
        else await rm(path, { force: true });
      }
    },
    objects: async () => (await Promise.all(kinds.map(({ kind }) => client.list(kind)))).flat(),
    dispose: () => rm(folder, { recursive: true, force: true, maxRetries: 10 }),
  };
};

/** Over the objects of an API server, which the bench has for itself until it is disposed of. */
export const clusterBench = async ({ client, kubeconfig }: KubeApi): Promise<Bench> => {
  const folder = await makeFolder();
  const words = ["--kubernetes", "--kubeconfig", kubeconfig, "--allow-local-hosts"];
  return {
    folder,
    host: join(folder, "data/simulated/hv1"),
    pollMs: 1000,
    launch: (env) => start(folder, words, env),
    declare: async (world) => {
      const wanted = objectsIn(world);
      const present = await allObjects(client);
      const isIn = (one: Resource, list: readonly Resource[]): boolean =>
        list.some(({ kind, metadata }) => kind === one.kind && metadata.name === one.metadata.name);
      for (const object of present)
        if (!isIn(object, wanted)) await client.call({ verb: "delete", path: objectPath(keyOf(object)) });
      for (const object of wanted) {
        const namespace = object.kind === "VMHost" ? {} : { namespace: "default" };
        const metadata = { ...object.metadata, ...namespace };
        const there = isIn(object, present);
        await client.call({
          verb: there ? "patch" : "create",
          path: there ? objectPath(keyOf({ ...object, metadata })) : collectionPath(object.kind, namespace.namespace),
          body: { ...object, metadata },
        });
      }
    },
    objects: () => allObjects(client),
    dispose: async () => {
      await removeAll(client);
      const lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/aetherv";
      if (await client.find(lease)) await client.call({ verb: "delete", path: lease });
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
};

/** How many jobs have begun and effects have come on the bench's host. */
export const hostWork = async (bench: Bench): Promise<number> => {
  const text = await readFile(join(bench.host, "audit.jsonl"), "utf8");
  return text.split("\n").filter((line) => /"at":"(begin|effect)"/.test(line)).length;
};
