import { rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { keyOf } from "../../src/api/resource.ts";
import { objectPath } from "../../src/stores/kubernetes/paths.ts";
import { allObjects, eventually, removeAll, startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { allReady, applyAll, ClusterPlane, dataFolder, ownJobs, samples } from "./clusterRig.ts";
import { leasePath } from "./kubernetesPlane.ts";

const api = await startKubeApi();

type Json = Record<string, unknown>;

const requests = async (plane: ClusterPlane, verb: string): Promise<number> =>
  (await plane.client.status()).counters?.[`api${verb}`] ?? 0;

describe("Kubernetes mode", { timeout: 120_000 }, () => {
  if ("skipped" in api) {
    it("converges", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, kubeconfig }: KubeApi = api;
  let data: string;
  const planes: ClusterPlane[] = [];

  const launch = (localHosts: "allowed" | "refused" = "allowed"): ClusterPlane => {
    const plane = new ClusterPlane(data, kubeconfig, { localHosts });
    planes.push(plane);
    return plane;
  };

  beforeEach(async () => {
    data = await dataFolder(["hv1", "hv2"]);
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
    const plane = launch();
    const made = await allReady(client, plane);
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
    const first = launch();
    const made = await allReady(client, first);
    const epoch = (await first.client.status()).epoch;
    const other = await dataFolder([]);
    await symlink(join(data, "simulated"), join(other, "simulated"));
    const second = new ClusterPlane(other, kubeconfig);
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
    expect(await ownJobs(second)).toEqual([]);
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
    launch("refused");
    await eventually("the hosts' status tells so", async () => {
      const hosts = await allObjects(client);
      return hosts.every(({ status }) => JSON.stringify(status ?? {}).includes("--allow-local-hosts"));
    });
  });
});
