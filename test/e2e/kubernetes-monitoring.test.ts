import { afterAll, describe, expect, it } from "vitest";
import { removeAll, startKubeApi } from "../support/kubeApi.ts";
import { create, converged, hostObject, machineObjects, Replica, SimulatedHosts } from "./kubernetesPlane.ts";
import { until } from "./rig.ts";

const api = await startKubeApi();

/** Where a replica says that it serves. */
const urlOf = async (of: Replica): Promise<string> => {
  await until("the address is told", () => Promise.resolve(of.said.includes("health and metrics: ")));
  return /health and metrics: (\S+)/.exec(of.said)?.[1] ?? "";
};

const get = async (url: string): Promise<{ readonly status: number; readonly text: string }> => {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
};

const address = ["--metrics-address", "127.0.0.1:0"];

describe("replicas that are watched", { timeout: 300_000 }, () => {
  if ("skipped" in api) {
    it("tell their health", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, kubeconfig, own } = api;
  let hosts: SimulatedHosts | undefined;
  const replicas: Replica[] = [];
  afterAll(async () => {
    for (const replica of replicas) {
      replica.signal("SIGKILL");
      await replica.exited();
    }
    await removeAll(client);
    await hosts?.dispose();
    await api.stop();
  });

  it("leader and standby are ready; an API server that is away makes the standby unready, and never not live", async ({
    skip,
  }) => {
    if (!own) return skip("the cluster of TEST_KUBECONFIG can't be stopped");
    hosts = await SimulatedHosts.make(["hv1"], 0.05);
    const leader = await Replica.start(kubeconfig, hosts, ...address);
    replicas.push(leader);
    await create(client, hostObject("hv1"));
    for (const object of machineObjects("web", "hv1")) await create(client, object);
    await converged(client, () => leader.said);
    const standby = await Replica.start(kubeconfig, hosts, ...address);
    replicas.push(standby);
    const [ofLeader, ofStandby] = [await urlOf(leader), await urlOf(standby)];
    await until("the standby is ready", async () => (await get(`${ofStandby}/readyz`)).status === 200);

    expect((await get(`${ofLeader}/readyz?verbose`)).text).toContain("[+] control-plane: leader, epoch 1\n");
    expect((await get(`${ofStandby}/readyz?verbose`)).text).toContain(
      "[+] control-plane: standby, another process leads\n",
    );
    const [led, stood] = [(await get(`${ofLeader}/metrics`)).text, (await get(`${ofStandby}/metrics`)).text];
    expect(led).toContain("aetherv_leader 1\n");
    expect(led).toContain('aetherv_objects{kind="VirtualMachine",ready="True"} 1\n');
    expect(led).toMatch(
      /aetherv_api_requests_total\{verb="patch",resource="virtualmachines\/status",code="200"\} [1-9]/,
    );
    expect(stood).toContain("aetherv_leader 0\n");
    // Else sums over all replicas would count everything twice.
    expect(stood).not.toContain("aetherv_objects{");
    expect(stood).toMatch(/aetherv_api_requests_total\{verb="list",resource="virtualmachines",code="200"\} 1\n/);

    await own.kill();
    await until("the standby is not ready", async () => (await get(`${ofStandby}/readyz`)).status === 503, 60_000);
    expect((await get(`${ofStandby}/readyz`)).text).toMatch(/\[-\] api-server: it does not answer, since \d+ s\n/);
    expect(await get(`${ofStandby}/livez`)).toEqual({ status: 200, text: "ok\n" });
    // It may not act any more, as nobody knows who leads; its supervisor starts it again.
    expect(await leader.exited()).toBe(1);

    await own.start();
    await until("the standby leads", () => standby.leads(2), 90_000);
    await until("it is ready", async () => (await get(`${ofStandby}/readyz`)).status === 200, 60_000);
    expect((await get(`${ofStandby}/metrics`)).text).toContain("aetherv_leader 1\n");
  });
});
