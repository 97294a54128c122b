import { rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { Resource } from "../../src/api/resource.ts";
import { conditionOf } from "../../src/cli/print/objects.ts";
import { allObjects, eventually, removeAll, startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { aetherv, allReady, applyAll, ClusterPlane, dataFolder, ownJobs, samples } from "./clusterRig.ts";

interface Secret {
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

const first = await startKubeApi();

const hosts = ["hv1", "hv2"];

/** What the hosts themselves hold: machines, their disks' files and adapters, by the ids that Hyper-V gave. */
const held = async (plane: ClusterPlane): Promise<unknown> => {
  const found = await Promise.all(hosts.map((host) => plane.client.inventory(host)));
  return found.map((one) => ({
    vms: (one?.vms ?? []).map(({ id, name, adapters, disks, startedAt }) => ({
      id,
      name,
      startedAt,
      adapters: adapters.map((adapter) => adapter.id),
      disks: disks.map(({ path }) => path),
    })),
    disks: (one?.disks ?? []).map(({ path, diskId }) => ({ path, diskId })).sort((a, b) => (a.path < b.path ? -1 : 1)),
  }));
};

const makers = [
  "vm.create",
  "disk.create",
  "disk.clone",
  "nic.create",
  "vm.delete",
  "disk.delete",
  "nic.delete",
  "vm.restart",
];

const madeBy = async (plane: ClusterPlane): Promise<readonly string[]> =>
  (await ownJobs(plane))
    // To take back is a create, too, of what is there.
    .filter(({ request }) => !("claim" in request.resource_spec) && !("adopt" in request.resource_spec))
    .map(({ operation }) => operation)
    .filter((one) => makers.includes(one));

const uidsOf = (objects: readonly Resource[]): readonly string[] => objects.map(({ metadata }) => metadata.uid).sort();

describe("a cluster's backup", { timeout: 240_000 }, () => {
  if ("skipped" in first) {
    it("is restored", ({ skip }) => skip(first.skipped));
    return;
  }
  const planes: ClusterPlane[] = [];
  const folders: string[] = [];
  const apis: KubeApi[] = [first];
  const launch = (data: string, api: KubeApi): ClusterPlane => {
    const plane = new ClusterPlane(data, api.kubeconfig);
    planes.push(plane);
    return plane;
  };
  afterEach(async () => {
    for (const plane of planes.splice(0)) await plane.stop("SIGKILL");
    await removeAll(first.client);
  });
  afterAll(async () => {
    for (const api of apis) await api.stop();
    for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it.each([
    { how: "aetherv reclaim all", flags: [], secrets: [] },
    { how: "--reclaim", flags: ["--reclaim"], secrets: ["--with-secrets"] },
  ])("is restored into an empty cluster with new uids, and takes its machines back by $how", async (row) => {
    const { flags, secrets } = row;
    const data = await dataFolder(hosts);
    const backup = join(data, "backup");
    folders.push(data);
    await applyAll(first.client, await samples());
    const old = launch(data, first);
    const before = await allReady(first.client, old);
    const machines = await held(old);
    const identity = (await old.client.status()).controlPlaneId;
    const saved = await aetherv("backup", backup, "--kubeconfig", first.kubeconfig, ...secrets);
    expect(saved).toMatchObject({ code: 0, out: expect.stringContaining(`saved ${before.length} objects`) as unknown });
    expect((await stat(join(backup, "objects.jsonl"))).mode & 0o777).toBe(0o600);
    const values = await stat(join(backup, "secrets.jsonl")).catch(() => undefined);
    expect(values && values.mode & 0o777).toBe(secrets.length > 0 ? 0o600 : undefined);
    expect(await old.stop()).toBe(0);

    const fresh = await startKubeApi();
    if ("skipped" in fresh) throw new Error(fresh.skipped);
    apis.push(fresh);
    const restored = await aetherv("backup", "--restore", backup, "--kubeconfig", fresh.kubeconfig, ...flags);
    expect(restored).toMatchObject({ code: 0 });
    if (secrets.length === 0) {
      expect(restored.err).toMatch(/bring these Secrets back: .*aetherv-signer/);
      await copySecrets(fresh, /back: (.*)/.exec(restored.err)?.[1]?.split(", ") ?? []);
    }
    const again = await aetherv("backup", "--restore", backup, "--kubeconfig", fresh.kubeconfig);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("holds objects already") as unknown });
    const made = await allObjects(fresh.client);
    expect(uidsOf(made)).toHaveLength(before.length);
    for (const uid of uidsOf(before)) expect(uidsOf(made)).not.toContain(uid);

    const elsewhere = await dataFolder([]);
    folders.push(elsewhere);
    await symlink(join(data, "simulated"), join(elsewhere, "simulated"));
    const next = launch(elsewhere, fresh);
    if (flags.length === 0) {
      await eventually(
        "every machine waits to be taken back",
        async () =>
          (await allObjects(fresh.client))
            .filter(({ kind }) => kind === "VirtualMachine")
            .every((object) => conditionOf(object, "Stalled")?.reason === "IdentityChanged"),
        60_000,
      );
      await reclaimed(elsewhere, next, fresh);
    }
    await allReady(fresh.client, next);
    expect((await next.client.status()).controlPlaneId).toBe(identity);
    expect(await held(next)).toEqual(machines);
    expect(await madeBy(next)).toEqual([]);
    expect(await next.stop()).toBe(0);
  });

  /** As a vault or a copy of their own would bring them back. */
  const copySecrets = async ({ client }: KubeApi, names: readonly string[]): Promise<void> => {
    for (const one of names) {
      const [namespace = "", name = ""] = one.split("/");
      const path = `/api/v1/namespaces/${namespace}/secrets`;
      const { type, data } = await first.client.call<Secret>({ verb: "get", path: `${path}/${name}` });
      const body = { apiVersion: "v1", kind: "Secret", metadata: { name }, type, data };
      await client.call({ verb: "create", path, body });
    }
  };

  /** More may stall once its machine is back: disks and adapters wait for it. */
  const reclaimed = async (data: string, plane: ClusterPlane, { client }: KubeApi): Promise<void> =>
    eventually(
      "nothing reports a lost uid any more",
      async () => {
        const objects = await allObjects(client);
        const lost = objects.filter((object) => conditionOf(object, "Stalled")?.reason === "IdentityChanged");
        if (lost.length > 0) await aetherv("reclaim", "all", "--data", data);
        return lost.length === 0 && objects.every((object) => conditionOf(object, "Ready")?.status === "True");
      },
      90_000,
    ).catch(async (error: unknown) => {
      const objects = await allObjects(client);
      const texts = objects.map(
        (one) => `${one.kind}/${one.metadata.name}: ${JSON.stringify(conditionOf(one, "Stalled"))}`,
      );
      throw new Error(`${String(error)}\n${texts.join("\n")}\n${plane.said.slice(-2000)}`, { cause: error });
    });
});
