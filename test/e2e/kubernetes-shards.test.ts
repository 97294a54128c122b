import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { validStamp } from "../../agents/simulator/model/stamp.ts";
import type { Resource } from "../../src/api/resource.ts";
import { shardOfHost } from "../../src/engine/shards.ts";
import type { JobRecord } from "../../src/engine/ports.ts";
import type { EventReport } from "../../src/server/control.ts";
import { refusals, violations } from "../support/audit.ts";
import { ClusterProxy } from "../support/clusterProxy.ts";
import { objectPath } from "../../src/stores/kubernetes/paths.ts";
import { eventually, removeAll, startKubeApi } from "../support/kubeApi.ts";
import { account } from "./clusterAccount.ts";
import { execute } from "./clusterRig.ts";
import { converged, create, hostObject, machineObjects, Replica, SimulatedHosts } from "./kubernetesPlane.ts";
import { root, type Output } from "./rig.ts";

const api = await startKubeApi();

const shards = 3;
const hostNames = ["hv1", "hv2", "hv3", "hv4", "hv5", "hv6"];
const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
/** A Lease of a dead replica runs out after 15 s; two of its shards are taken one after another; what a busy machine adds. */
const handOverMs = 120_000;

interface Lease {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly holderIdentity?: string };
}

describe("three replicas that share three shards", { timeout: 900_000 }, () => {
  if ("skipped" in api) {
    it("hand over", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client } = api;
  let hosts: SimulatedHosts;
  let replicas: Replica[] = [];
  let proxy: ClusterProxy;
  /** Where the Service's endpoints listen. */
  const endpoints: number[] = [];
  let kubeconfig: string;
  let tokenFile: string;

  beforeEach(async () => {
    hosts = await SimulatedHosts.make(hostNames, 0.5);
    proxy = await ClusterProxy.open(api, endpoints);
    kubeconfig = join(hosts.folder, "kubeconfig");
    tokenFile = join(hosts.folder, "token");
    await proxy.kubeconfig(kubeconfig, { admin: { token: "admin" } });
    const everything = [{ apiGroups: ["aetherv.io"], resources: ["*"], verbs: ["get", "list"] }];
    const restoring = { apiGroups: ["aetherv.io"], resources: ["virtualdisks"], verbs: ["update"] };
    await account(client, "aetherv-cli", { rules: [...everything, restoring] });
    await account(client, "aetherv", { rules: everything });
    await writeFile(tokenFile, await replicaToken(), { mode: 0o600 });
  });
  afterEach(async () => {
    for (const replica of replicas) replica.signal("SIGKILL");
    await Promise.all(replicas.map((replica) => replica.exited()));
    replicas = [];
    await removeAll(client);
    await proxy.close();
    await hosts.dispose();
  }, 90_000);
  afterAll(() => api.stop());

  const said = (): string => replicas.map((one) => `--- ${one.pid}\n${one.said.slice(-2500)}`).join("\n");

  /** What replicas said of their Leases and epochs. */
  const hands = (): string =>
    replicas
      .flatMap((one) => one.said.split("\n"))
      .filter((line) => /leadership|lease|shard|epoch/i.test(line))
      .join("\n");

  /** As kubelet puts it into a pod: of the control plane's account, for AetherV alone. */
  const replicaToken = async (): Promise<string> => {
    const answer = await fetch(`${proxy.url}/api/v1/namespaces/default/serviceaccounts/aetherv/token`, {
      method: "POST",
      headers: { authorization: "Bearer admin", "content-type": "application/json" },
      body: JSON.stringify({
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { audiences: ["aetherv.io"] },
      }),
    });
    return ((await answer.json()) as { status: { token: string } }).status.token;
  };

  const asked = (): readonly string[] => ["--replica-address", "127.0.0.1", "--replica-token", tokenFile];

  const launch = async (...more: readonly string[]): Promise<Replica> => {
    const words = ["--shards", String(shards), "--api-address", "127.0.0.1:0", ...more];
    const replica = await Replica.start(kubeconfig, hosts, ...words);
    replicas.push(replica);
    return replica;
  };

  /** The port of a replica's API; it tells it in its log. */
  const portOf = ({ said: text }: Replica): number =>
    Number(/"port":(\d+)[^\n]*the control plane's API listens/.exec(text)?.[1]);

  const serve = (): void => void endpoints.splice(0, endpoints.length, ...replicas.map(portOf));

  /** `kubectl aetherv` through the Service. */
  const overService = (...words: readonly string[]): Promise<Output> =>
    execute(process.execPath, [join(root, "src/app/kubectl.ts"), ...words, "--kubeconfig", kubeconfig]);

  /** `aetherv` in a replica's pod. */
  const inPod = (replica: Replica, ...words: readonly string[]): Promise<Output> =>
    execute(process.execPath, [join(root, "src/app/main.ts"), ...words, "--data", replica.data]);

  const listed = <T>({ code, out, err }: Output): readonly T[] => {
    expect({ code, err }, said()).toEqual({ code: 0, err: "" });
    return JSON.parse(out) as readonly T[];
  };

  const everyJob = ["jobs", "--limit", "1000", "-o", "json"];

  /** Ids of all jobs that hosts began, in order. */
  const begunIds = async (): Promise<readonly string[]> => {
    const entries = (await Promise.all(hostNames.map((host) => hosts.audit(host)))).flat();
    return entries.flatMap(({ at, id }) => (at === "begin" ? [id] : [])).toSorted();
  };

  const idsIn = (jobs: readonly JobRecord[]): readonly string[] => jobs.map(({ id }) => id).toSorted();

  /** Every job of every host once, from whichever replica is asked, and each with its request and log. */
  const expectAllTold = async (): Promise<void> => {
    const each = await Promise.all(replicas.map(ownJobs));
    expect(each.filter((own) => own.length > 0).length, "several have jobs of their own").toBeGreaterThan(1);
    const all = [...new Set(each.flatMap(idsIn))].toSorted();
    expect(all, "what hosts began is among them").toEqual(expect.arrayContaining([...(await begunIds())]));
    for (let turn = 0; turn < replicas.length; turn += 1) {
      const jobs = listed<JobRecord>(await overService(...everyJob));
      expect(idsIn(jobs)).toEqual(all);
      expect(
        jobs.map(({ id }) => id),
        "newest first",
      ).toEqual(all.toReversed());
    }
    for (const replica of replicas) {
      const jobs = listed<JobRecord>(await inPod(replica, ...everyJob));
      expect(idsIn(jobs)).toEqual(all);
      expect(new Set(jobs.map(({ host }) => host)).size).toBe(hostNames.length);
      const events = listed<EventReport>(await inPod(replica, "events", "--limit", "5000", "-o", "json"));
      const created = events.filter(({ reason }) => reason === "VmCreate").map(({ key }) => key.name);
      expect(created.toSorted()).toEqual(names(0, 18));
      // One of each host, whoever sent it.
      for (const host of hostNames) {
        const { id = "" } = jobs.find((job) => job.host === host) ?? {};
        const { code, out } = await inPod(replica, "jobs", id);
        expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("Request:") as unknown });
      }
    }
  };

  /** Holder and epoch of each shard's Lease. */
  const shardLeases = async (): Promise<readonly { readonly holder: string; readonly epoch: number }[]> => {
    const { items } = await client.call<{ items: readonly Lease[] }>({ verb: "list", path: leases });
    return Array.from({ length: shards }, (_, shard) => {
      const name = shard === 0 ? "aetherv" : `aetherv-shard-${shard}`;
      const lease = items.find(({ metadata }) => metadata.name === name);
      const epoch = Number(lease?.metadata.annotations?.["aetherv.io/epoch"] ?? 0);
      return { holder: lease?.spec.holderIdentity ?? "", epoch };
    });
  };

  /** The replica that a Lease's holder is. */
  const replicaOf = (holder: string): Replica | undefined =>
    replicas.find((one) => holder !== "" && one.said.includes(holder));

  /** How many shards each of the replicas holds, by their order. */
  const shares = async (): Promise<readonly number[]> => {
    const holders = (await shardLeases()).map(({ holder }) => replicaOf(holder));
    return replicas.map((replica) => holders.filter((holder) => holder === replica).length);
  };

  const shared = (wanted: readonly number[]): Promise<void> =>
    eventually(
      `the shares are ${wanted.join(", ")}`,
      async () => {
        const found = await shares();
        return JSON.stringify(found.toSorted()) === JSON.stringify(wanted.toSorted());
      },
      handOverMs,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${said()}`, { cause: error });
    });

  /** Machines of a name, on any host. */
  const machinesNamed = (name: string): number =>
    hostNames.flatMap((host) => hosts.read(host, (world) => world.vms().filter((vm) => validStamp(vm)?.name === name)))
      .length;

  const apply = async (names: readonly string[]): Promise<void> => {
    for (const name of names)
      for (const one of machineObjects(name, "")) {
        const { host: _, ...spec } = one.spec as { host?: string };
        await create(client, { ...one, spec });
      }
  };

  const names = (from: number, count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `m${String(from + index).padStart(2, "0")}`);

  /** What a replica has in its own journal, in the file of that. */
  const ownJobs = async ({ data }: Replica): Promise<readonly JobRecord[]> => {
    const answer = await fetch(
      `http://127.0.0.1:${portOf(replicas.find((one) => one.data === data) as Replica)}/v1/jobs?limit=1000`,
      {
        headers: { "x-aetherv-token": (await readFile(tokenFile, "utf8")).trim(), "x-aetherv-own": "true" },
      },
    );
    return (await answer.json()) as readonly JobRecord[];
  };

  const uidsOfHosts = async (): Promise<ReadonlyMap<string, string>> => {
    const objects = await converged(client, said, 300_000);
    return new Map(objects.filter(({ kind }) => kind === "VMHost").map(({ metadata: { name, uid } }) => [name, uid]));
  };

  /** Which epochs began changing jobs on a host, in order, each once in a row. */
  const epochsOn = async (host: string): Promise<readonly number[]> => {
    const begun = (await hosts.audit(host)).flatMap((entry) => (entry.at === "begin" ? [entry.epoch ?? 0] : []));
    return begun.filter((epoch, index) => epoch !== begun[index - 1]);
  };

  const spare = (host: string): Resource =>
    ({
      apiVersion: "aetherv.io/v1alpha1",
      kind: "VirtualDisk",
      metadata: { name: `spare-${host}` },
      spec: { source: { type: "Blank" }, size: "1Gi", host },
    }) as unknown as Resource;

  /** A deleted disk of each host is brought back by whoever has the host; another replica says whom to ask. */
  const expectRestored = async (holderOn: (host: string) => string): Promise<void> => {
    for (const host of hostNames) await create(client, spare(host));
    await converged(client, said, 300_000);
    for (const host of hostNames)
      await client.call({
        verb: "delete",
        path: objectPath({ kind: "VirtualDisk", namespace: "default", name: `spare-${host}` }),
      });
    for (const replica of replicas)
      await eventually(
        "all see the trash",
        async () => (await replica.client.trash()).length === hostNames.length,
        handOverMs,
      );
    for (const host of hostNames) {
      const other = replicas.find((replica) => replicaOf(holderOn(host)) !== replica) as Replica;
      expect(await inPod(other, "restore", `disk/spare-${host}`)).toMatchObject({
        code: 1,
        err: expect.stringContaining(`the jobs of ${host} are sent by the replica ${holderOn(host)}`) as unknown,
      });
      const { code, out, err } = await overService("restore", `disk/spare-${host}`);
      expect({ code, out, err }).toMatchObject({ code: 0, out: expect.stringContaining("restored ") as unknown });
    }
  };

  it("each host has one of them at a time: they converge, one dies, one comes back", async () => {
    for (let turn = 0; turn < shards; turn += 1) await launch(...asked());
    await shared([1, 1, 1]);
    serve();
    for (const name of hostNames) await create(client, hostObject(name));
    await apply(names(0, 18));
    const uids = await uidsOfHosts();
    const before = await shardLeases();
    const shardOn = (host: string): number => shardOfHost(uids.get(host) ?? "", shards);

    // Only the holder of a host's shard has sent jobs to it.
    for (const host of hostNames) expect(await epochsOn(host), hands()).toEqual([before[shardOn(host)]?.epoch]);
    expect(new Set(hostNames.map(shardOn)).size, "the hosts are in several shards").toBeGreaterThan(1);

    await expectAllTold();
    await expectRestored((host) => before[shardOn(host)]?.holder ?? "");

    const [victim] = replicas.filter((one) => replicaOf(before[0]?.holder ?? "") === one);
    victim?.signal("SIGKILL");
    await victim?.exited();
    replicas = replicas.filter((one) => one !== victim);
    await apply(names(18, 9));
    await shared([1, 2]);
    await converged(client, said, 300_000);
    serve();
    const survivors = idsIn((await Promise.all(replicas.map(ownJobs))).flat());
    const kept = idsIn(listed<JobRecord>(await overService(...everyJob)));
    expect(new Set(kept).size, "each once, though the taker learned of them from the hosts, too").toBe(kept.length);
    expect(kept).toEqual(expect.arrayContaining([...survivors]));

    // One that the others cannot ask is named, with its hosts.
    const mute = await launch();
    await shared([1, 1, 1]);
    const leasesNow = await shardLeases();
    const holder = leasesNow.find((lease) => replicaOf(lease.holder) === mute)?.holder ?? "";
    const itsHosts = hostNames.filter((host) => leasesNow[shardOn(host)]?.holder === holder);
    const { code, out, err } = await overService(...everyJob);
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(
        `incomplete: the jobs of replica ${holder}${itsHosts.length > 0 ? ` on ${itsHosts.join(", ")}` : ""} are missing: it tells no address`,
      ) as unknown,
    });
    // What the giver of its hosts did there before is told by the giver.
    expect(idsIn(JSON.parse(out) as readonly JobRecord[])).toEqual(expect.arrayContaining([...survivors]));
    await apply(names(27, 9));
    const objects: readonly Resource[] = await converged(client, said, 300_000);
    expect(objects.filter(({ kind }) => kind === "VirtualMachine")).toHaveLength(36);

    for (const name of names(0, 36)) expect(machinesNamed(name), name).toBe(1);
    for (const host of hostNames) {
      const entries = await hosts.audit(host);
      expect(violations(entries), host).toEqual([]);
      expect(refusals(entries, "StaleController"), host).toEqual([]);
      const begun = entries.flatMap(({ at, id }) => (at === "begin" ? [id] : []));
      expect(new Set(begun).size, `no job of ${host} began twice`).toBe(begun.length);
      // Hands change one way: no epoch works on a host again after a later one.
      const epochs = await epochsOn(host);
      expect(epochs, host).toEqual(epochs.toSorted((a, b) => a - b));
      expect(new Set(epochs).size, host).toBe(epochs.length);
    }
  });
});
