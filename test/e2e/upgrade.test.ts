import { appendFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { keyOf, type Resource } from "../../src/api/resource.ts";
import type { KubeClient } from "../../src/stores/kubernetes/client.ts";
import { objectPath } from "../../src/stores/kubernetes/paths.ts";
import { eventually, removeAll, startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { allReady, applyAll, ClusterPlane, dataFolder, execute, samples } from "./clusterRig.ts";
import { root } from "./rig.ts";

const api = await startKubeApi();

/** A commit to upgrade from; without, a copy of this tree that calls itself another version, with other agents. */
const upgradeFrom = process.env["UPGRADE_FROM"] ?? "";

/** The previous build in a folder of its own. */
const previousBuild = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-previous-"));
  if (upgradeFrom === "") {
    for (const name of ["src", "agents", "controllers", "crds"])
      await cp(join(root, name), join(folder, name), { recursive: true });
    const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as object;
    await writeFile(join(folder, "package.json"), JSON.stringify({ ...manifest, version: "0.0.9" }));
    await appendFile(join(folder, "agents/hyperv/agent.ps1"), "\n# the agent of the version before\n");
  } else {
    const { code, err } = await execute("sh", [
      "-c",
      `git -C "${root}" archive ${upgradeFrom} | tar -x -C "${folder}"`,
    ]);
    if (code !== 0) throw new Error(`UPGRADE_FROM=${upgradeFrom}: ${err}`);
  }
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
};

interface Managed {
  readonly metadata: {
    readonly generation: number;
    readonly managedFields: readonly { readonly manager: string; readonly fieldsV1: object }[];
  };
  readonly spec: unknown;
}

/** Specs, and who wrote any part of them. */
const specs = async (client: KubeClient, objects: readonly Resource[]): Promise<unknown> =>
  Promise.all(
    objects.map(async (object) => {
      const { metadata, spec } = await client.call<Managed>({ verb: "get", path: objectPath(keyOf(object)) });
      const writers = metadata.managedFields.filter(({ fieldsV1 }) => "f:spec" in fieldsV1);
      return { key: keyOf(object), generation: metadata.generation, spec, writers: writers.map((one) => one.manager) };
    }),
  );

/** What the hosts tell of machines that were there before: their ids, marks, and when they were started. */
const machines = async (plane: ClusterPlane, names: readonly string[]): Promise<unknown> => {
  const found = await Promise.all(["hv1", "hv2"].map((host) => plane.client.inventory(host)));
  return found
    .flatMap((one) => one?.vms ?? [])
    .filter(({ name }) => names.includes(name))
    .map(({ id, name, notes, stamp, startedAt, adapters, disks }) => ({
      id,
      name,
      notes,
      stamp,
      startedAt,
      adapters: adapters.map((adapter) => [adapter.id, adapter.name]),
      disks: disks.map(({ path }) => path),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
};

const jobsOfWeb = async (plane: ClusterPlane): Promise<readonly string[]> =>
  (await plane.client.jobs({ limit: 1000 }))
    .filter(({ key }) => /^web(-|$)/.test(key.name))
    .map(({ id, operation, key }) => `${id} ${operation} ${key.name}`);

describe("an upgrade", { timeout: 240_000 }, () => {
  if ("skipped" in api) {
    it("leaves machines as they are", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, kubeconfig }: KubeApi = api;
  const planes: ClusterPlane[] = [];
  const folders: string[] = [];
  const launch = (plane: ClusterPlane): ClusterPlane => {
    planes.push(plane);
    return plane;
  };
  afterEach(async () => {
    for (const plane of planes.splice(0)) await plane.stop("SIGKILL");
    await removeAll(client);
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  afterAll(() => api.stop());

  it.each([
    { how: "asked to end, which waits for the job", signal: "SIGTERM" },
    { how: "killed in mid-job", signal: "SIGKILL" },
  ] as const)("restarts no machine and rewrites no spec or mark when the old one is $how", async ({ signal }) => {
    const data = await dataFolder(["hv1", "hv2"]);
    const previous = await previousBuild();
    folders.push(data, previous);
    const declared = await samples();
    const isOf = (name: string) => (object: Resource) => object.metadata.name.startsWith(name);
    await applyAll(
      client,
      declared.filter((object) => object.kind === "VMHost" || isOf("web")(object)),
    );
    const old = launch(new ClusterPlane(data, kubeconfig, { program: join(previous, "src/app/main.ts") }));
    const made = await allReady(client, old);
    const before = {
      specs: await specs(client, made),
      machines: await machines(old, ["web"]),
      jobs: await jobsOfWeb(old),
    };
    if (upgradeFrom === "") expect((await old.client.status()).version).toBe("0.0.9");

    await slow(data);
    await applyAll(client, declared.filter(isOf("files")));
    await eventually(
      "a clone runs",
      async () =>
        (await old.client.jobs({ limit: 10 })).some(
          ({ operation, status }) => operation === "disk.clone" && status === "running",
        ),
      60_000,
    );
    await old.stop(signal);
    const next = launch(new ClusterPlane(data, kubeconfig));
    await allReady(client, next);

    expect((await next.client.status()).version).not.toBe("0.0.9");
    expect(await specs(client, made)).toEqual(before.specs);
    expect(await machines(next, ["web"])).toEqual(before.machines);
    const hosts = await Promise.all(["hv1", "hv2"].map((host) => next.client.inventory(host)));
    const systems = hosts.flatMap((one) => one?.disks ?? []).filter(({ path }) => path.includes("\\files-system."));
    expect(systems).toHaveLength(1);
    expect(await jobsOfWeb(next)).toEqual(before.jobs);
    expect(await next.stop()).toBe(0);
  });

  /** Hosts take their time from now on, so that a job is caught in its middle. */
  const slow = async (data: string): Promise<void> => {
    for (const host of ["hv1", "hv2"]) {
      const folder = join(data, "simulated", host);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "behaviour.json"), JSON.stringify({ latency: { factor: 0.6 } }));
    }
  };
});
