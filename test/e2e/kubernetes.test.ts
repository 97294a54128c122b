import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { isKind } from "../../src/api/kinds.ts";
import { keyOf, type Resource } from "../../src/api/resource.ts";
import { isReady } from "../../src/cli/print/objects.ts";
import { reasonsText } from "../../src/cli/progress.ts";
import { SocketClient } from "../../src/server/client.ts";
import type { KubeClient } from "../../src/stores/kubernetes/client.ts";
import { collectionPath, objectPath } from "../../src/stores/kubernetes/paths.ts";
import { allObjects, eventually, removeAll, startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { root } from "./rig.ts";

const api = await startKubeApi();

type Json = Record<string, unknown>;

/** `aetherv run --kubernetes` in a process of its own. */
class Plane {
  readonly data: string;
  readonly child: ChildProcess;
  readonly client: SocketClient;
  said = "";

  constructor(data: string, kubeconfig: string, more: readonly string[]) {
    this.data = data;
    this.client = new SocketClient(join(data, "aetherv.sock"));
    const args = [
      join(root, "src/app/main.ts"),
      "run",
      "--kubernetes",
      "--kubeconfig",
      kubeconfig,
      "--data",
      data,
      ...more,
    ];
    this.child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (part: Buffer) => (this.said += String(part)));
  }

  /** The exit code, null after a kill. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const exit = new Promise<number | null>((resolve) => this.child.once("exit", (code) => resolve(code)));
    this.child.kill(signal);
    return exit;
  }
}

const folderOf = async (hosts: readonly string[]): Promise<string> => {
  const data = await mkdtemp(join(tmpdir(), "aetherv-k8s-"));
  for (const host of hosts) {
    const state = join(data, "simulated", host);
    await mkdir(state, { recursive: true });
    await writeFile(join(state, "behaviour.json"), JSON.stringify({ latency: { factor: 0.05 } }));
  }
  return data;
};

/** Documents of the samples, as kubectl reads them. */
const samples = async (): Promise<readonly Resource[]> => {
  const folder = join(root, "manifests/samples");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".yaml"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts
    .flatMap((text) =>
      parseAllDocuments(text, { version: "1.1" }).map((document) => document.toJS() as Resource | null),
    )
    .filter((object) => object !== null);
};

const inDefault = (object: Resource): Resource =>
  object.kind === "VMHost" ? object : { ...object, metadata: { namespace: "default", ...object.metadata } };

const pathOf = (object: Resource): string =>
  isKind(object.kind)
    ? collectionPath(object.kind, object.metadata.namespace)
    : `/api/v1/namespaces/${object.metadata.namespace}/${object.kind.toLowerCase()}s`;

const applyAll = async (client: KubeClient, objects: readonly Resource[]): Promise<void> => {
  for (const object of objects.map(inDefault))
    await client.call({ verb: "create", path: pathOf(object), query: { fieldValidation: "Strict" }, body: object });
};

const ready = async (client: KubeClient, plane: Plane): Promise<readonly Resource[]> => {
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

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/default/leases/aetherv";

const requests = async (plane: Plane, verb: string): Promise<number> =>
  (await plane.client.status()).counters?.[`api${verb}`] ?? 0;

describe("Kubernetes mode", { timeout: 120_000 }, () => {
  if ("skipped" in api) {
    it("converges", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, kubeconfig }: KubeApi = api;
  let data: string;
  const planes: Plane[] = [];

  const launch = (...more: readonly string[]): Plane => {
    const plane = new Plane(data, kubeconfig, more);
    planes.push(plane);
    return plane;
  };

  beforeEach(async () => {
    data = await folderOf(["hv1", "hv2"]);
  });
  afterEach(async () => {
    for (const plane of planes.splice(0)) await plane.stop("SIGKILL");
    await removeAll(client);
    await rm(data, { recursive: true, force: true, maxRetries: 5 });
  });
  afterAll(() => api.stop());

  it("makes the samples, writes no spec and nothing once all is as declared, and deletes all", async () => {
    const declared = await samples();
    await applyAll(client, declared);
    const plane = launch("--allow-local-hosts");
    const made = await ready(client, plane);
    for (const object of made) {
      const path = objectPath(keyOf(object));
      const { metadata } = await client.call<{ metadata: { managedFields: { manager: string; fieldsV1: Json }[] } }>({
        verb: "get",
        path,
      });
      const ours = metadata.managedFields.filter(({ manager }) => manager.startsWith("aetherv"));
      const child = (object.metadata.ownerReferences ?? []).length > 0;
      for (const { fieldsV1 } of ours) expect(child || !("f:spec" in fieldsV1)).toBe(true);
    }
    const events = await client.call<{ items: { regarding: { kind: string } }[] }>({
      verb: "list",
      path: "/apis/events.k8s.io/v1/events",
    });
    expect(events.items.length).toBeGreaterThan(0);

    // A Lease is renewed every 2 s with an update; patches and creates are what objects cost.
    const writes = async (): Promise<number> => (await requests(plane, "Patch")) + (await requests(plane, "Create"));
    await eventually(
      "the plane is at rest",
      async () => {
        const before = await writes();
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        return before === (await writes());
      },
      60_000,
    );

    const web = made.filter(({ kind, metadata }) => kind !== "VMHost" && /^web(-|$)/.test(metadata.name));
    expect(web.length).toBeGreaterThan(2);
    for (const object of web) await client.call({ verb: "delete", path: objectPath(keyOf(object)) });
    const machines = async (): Promise<readonly string[]> =>
      (await Promise.all(["hv1", "hv2"].map((host) => plane.client.inventory(host)))).flatMap((found) =>
        (found?.vms ?? []).map(({ name }) => name),
      );
    await eventually("the machine and its objects are gone", async () => {
      const left = await Promise.all(web.map((object) => client.find(objectPath(keyOf(object)))));
      return left.every((object) => object === undefined) && !(await machines()).includes("web");
    });
    expect(await plane.stop()).toBe(0);
    const lease = await client.call<{ spec: { holderIdentity?: string } }>({ verb: "get", path: leasePath });
    expect(lease.spec.holderIdentity ?? "").toBe("");
  });

  it("hands over to a warm standby on SIGTERM; hosts get a higher epoch, machines stay as they are", async () => {
    await applyAll(
      client,
      (await samples()).filter(({ kind, metadata }) => kind === "VMHost" || metadata.name.startsWith("web")),
    );
    const first = launch("--allow-local-hosts");
    const made = await ready(client, first);
    const epoch = (await first.client.status()).epoch;
    const other = await folderOf([]);
    await symlink(join(data, "simulated"), join(other, "simulated"));
    const second = new Plane(other, kubeconfig, ["--allow-local-hosts"]);
    planes.push(second);
    // It waits, and says so: nobody but the leader answers or works.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await second.client.status()).toMatchObject({
      mode: "standby",
      leader: expect.stringContaining("_") as unknown,
    });
    await expect(second.client.list("VirtualMachine")).rejects.toThrow(/is a standby: the leader is /);
    expect(await first.stop()).toBe(0);
    await eventually("the standby leads", async () => (await second.client.status()).epoch > epoch, 10_000);
    await eventually("it sees all hosts", async () =>
      (await second.client.hosts()).every(({ observedAt }) => observedAt !== undefined),
    );
    expect(await second.client.jobs({ limit: 10 })).toEqual([]);
    expect((await allObjects(client)).map(({ metadata }) => metadata.uid)).toEqual(
      made.map(({ metadata }) => metadata.uid),
    );
    expect(await second.stop()).toBe(0);
    await rm(other, { recursive: true, force: true, maxRetries: 5 });
  });

  it("refuses simulated and local hosts unless they are allowed", async () => {
    await applyAll(
      client,
      (await samples()).filter(({ kind }) => kind === "VMHost"),
    );
    launch();
    await eventually("the hosts' status tells so", async () => {
      const hosts = await allObjects(client);
      return hosts.every(({ status }) => JSON.stringify(status ?? {}).includes("--allow-local-hosts"));
    });
  });
});
