import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { isKind } from "../../src/api/kinds.ts";
import type { Resource } from "../../src/api/resource.ts";
import { isReady } from "../../src/cli/print/objects.ts";
import { reasonsText } from "../../src/cli/progress.ts";
import { SocketClient } from "../../src/server/client.ts";
import type { KubeClient } from "../../src/stores/kubernetes/client.ts";
import { collectionPath } from "../../src/stores/kubernetes/paths.ts";
import { allObjects, eventually } from "../support/kubeApi.ts";
import { root, type Output } from "./rig.ts";

interface ClusterPlaneOptions {
  readonly program?: string;
  readonly localHosts?: "allowed" | "refused";
  readonly more?: readonly string[];
}

/** `aetherv run --kubernetes` in a process of its own. */
export class ClusterPlane {
  readonly data: string;
  readonly client: SocketClient;
  readonly child: ChildProcess;
  said = "";

  /** `program`: another build's main.ts. `localHosts`: whether hosts of type Local are allowed. */
  constructor(
    data: string,
    kubeconfig: string,
    { program = join(root, "src/app/main.ts"), localHosts = "allowed", more = [] }: ClusterPlaneOptions = {},
  ) {
    this.data = data;
    this.client = new SocketClient(join(data, "aetherv.sock"));
    const allowed = localHosts === "allowed" ? ["--allow-local-hosts"] : [];
    const args = ["run", "--kubernetes", ...allowed, "--kubeconfig", kubeconfig, "--data", data, ...more];
    this.child = spawn(process.execPath, [program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (part: Buffer) => (this.said += String(part)));
  }

  /** The exit code, null after a kill. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const exit = new Promise<number | null>((resolve) => this.child.once("exit", resolve));
    this.child.kill(signal);
    return exit;
  }
}

/** Jobs that this process sent: what its journal fetched from the agents was sent by the one before, with a lower epoch. */
export const ownJobs = async (plane: ClusterPlane) => {
  const { epoch } = await plane.client.status();
  return (await plane.client.jobs({ limit: 1000 })).filter(({ request }) => request.metadata.epoch >= epoch);
};

/** A data folder; its simulated hosts are quick. */
export const dataFolder = async (hosts: readonly string[]): Promise<string> => {
  const data = await mkdtemp(join(tmpdir(), "aetherv-k8s-"));
  for (const host of hosts) {
    const state = join(data, "simulated", host);
    await mkdir(state, { recursive: true });
    await writeFile(join(state, "behaviour.json"), JSON.stringify({ latency: { factor: 0.05 } }));
  }
  return data;
};

/** Documents of the samples, as kubectl reads them. */
export const samples = async (): Promise<readonly Resource[]> => {
  const folder = join(root, "manifests/samples");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".yaml"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return (
    texts
      .flatMap((text) =>
        parseAllDocuments(text, { version: "1.1" }).map((document) => document.toJS() as Resource | null),
      )
      // The folder's kustomization is no object.
      .filter((object) => object !== null && "metadata" in object)
  );
};

export const applyAll = async (client: KubeClient, objects: readonly Resource[]): Promise<void> => {
  for (const object of objects) {
    const body =
      object.kind === "VMHost" ? object : { ...object, metadata: { namespace: "default", ...object.metadata } };
    const { namespace = "default" } = object.metadata;
    const path = isKind(object.kind)
      ? collectionPath(object.kind, namespace)
      : `/api/v1/namespaces/${namespace}/${(object.kind as string).toLowerCase()}s`;
    await client.call({ verb: "create", path, query: { fieldValidation: "Strict" }, body });
  }
};

export const allReady = async (client: KubeClient, plane: ClusterPlane): Promise<readonly Resource[]> => {
  let last: readonly Resource[] = [];
  try {
    await eventually(
      "all objects are Ready",
      async () => {
        last = await allObjects(client);
        return last.length > 0 && last.every((object) => isReady(object));
      },
      90_000,
    );
  } catch (error) {
    throw new Error(`${String(error)}\n${reasonsText(last)}\n${plane.said.slice(-3000)}`, { cause: error });
  }
  return last;
};

/** Runs a program to its end. */
export const execute = (
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Output> =>
  new Promise((resolve) => {
    execFile(program, args, { env: { ...process.env, NO_COLOR: "1", ...env } }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, out, err });
    });
  });

/** `aetherv` with these words. */
export const aetherv = (...words: readonly string[]): Promise<Output> =>
  execute(process.execPath, [join(root, "src/app/main.ts"), ...words]);
