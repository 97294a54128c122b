import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import type { Resource } from "../../src/api/resource.ts";
import { accountKubeconfig, installChart } from "../support/chartAccount.ts";
import { argoHealth } from "../support/argoHealth.ts";
import { startKubeApi } from "../support/kubeApi.ts";
import { kubeTools, root, runTool, type KubeTools } from "../support/kubeTools.ts";
import { ClusterPlane, dataFolder, samples } from "./clusterRig.ts";

interface Managed extends Resource {
  readonly metadata: Resource["metadata"] & {
    readonly managedFields: readonly {
      readonly manager: string;
      readonly fieldsV1: Readonly<Record<string, unknown>>;
    }[];
  };
}

const api = await startKubeApi();
const tools = await kubeTools();
const main = join(root, "src/app/main.ts");
const values = { allowLocalHosts: true, replicas: 2 };
const waiting = ["--for=condition=Ready", "--all", "--timeout=180s"];
const all = kinds.map(({ plural }) => plural).join(",");

/** What kubectl and helm users do, in their order, with the rights of the chart's ServiceAccount and no others. */
describe("a cluster with the chart", { timeout: 300_000 }, () => {
  if ("skipped" in api || "skipped" in tools) {
    it("works", ({ skip }) => skip("skipped" in api ? api.skipped : "skipped" in tools ? tools.skipped : ""));
    return;
  }
  let plane: ClusterPlane;
  let data = "";
  let account = "";
  let metricsPort = 0;

  const kubectl = (...args: readonly string[]): Promise<string> =>
    tools.kubectl(["--kubeconfig", api.kubeconfig, "--namespace", "default", ...args]);
  const applied = (object: unknown, ...args: readonly string[]): Promise<string> =>
    tools.kubectl(
      ["--kubeconfig", api.kubeconfig, "--namespace", "default", "apply", ...args, "--filename", "-"],
      JSON.stringify(object),
    );
  const live = async (): Promise<readonly Managed[]> => {
    const text = await kubectl("get", all, "--output", "json", "--show-managed-fields");
    return (JSON.parse(text) as { items: readonly Managed[] }).items;
  };
  const one = async (kind: string, name: string): Promise<Managed> =>
    JSON.parse(await kubectl("get", kind, name, "--output", "json", "--show-managed-fields")) as Managed;
  const vmsOf = async (host: string): Promise<readonly { name: string; cpu: number }[]> =>
    ((await plane.client.inventory(host))?.vms ?? []).map(({ name, cpu }) => ({ name, cpu: cpu.count }));

  beforeAll(async () => {
    await installChart(api, tools, values);
    data = await dataFolder(["hv1", "hv2"]);
    account = await accountKubeconfig(api, tools);
    metricsPort = await freePort();
    plane = new ClusterPlane(data, account, { more: await argumentsOf(tools, metricsPort) });
  }, 120_000);
  afterAll(async () => {
    await plane?.stop("SIGKILL");
    await api.stop();
    await rm(data, { recursive: true, force: true, maxRetries: 5 });
  });

  it("takes the samples as they are, and all are Ready", async () => {
    const files = (await readdir(join(root, "manifests/samples"))).filter((name) => name.endsWith(".yaml"));
    for (const file of files)
      await kubectl("apply", "--validate=strict", "--filename", join(root, "manifests/samples", file));
    try {
      await kubectl("wait", "vmhosts,avm,avd,avn,avdep", ...waiting);
    } catch (error) {
      throw new Error(plane.said.slice(-3000), { cause: error });
    }
    const declared = (await live()).filter(({ metadata }) => metadata.ownerReferences === undefined);
    expect(declared.length).toBe((await samples()).length);
  });

  it("answers the probes and Prometheus where the chart's ports say", async () => {
    const asked = await Promise.all(
      ["/livez", "/readyz", "/metrics"].map(async (path) => {
        const answer = await fetch(`http://127.0.0.1:${metricsPort}${path}`);
        return { path, status: answer.status, text: await answer.text() };
      }),
    );
    expect(asked.map(({ path, status }) => [path, status])).toEqual([
      ["/livez", 200],
      ["/readyz", 200],
      ["/metrics", 200],
    ]);
    expect(asked[2]?.text).toContain("aetherv_build_info");
  });

  it("refuses its uninstallation while objects are there, unless it is forced", async () => {
    const check = (...words: readonly string[]): ReturnType<typeof runTool> =>
      runTool(process.execPath, [main, "uninstall-check", "--kubeconfig", account, ...words]);
    const refused = await check();
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("virtualmachines: ");
    expect((await check("--force")).code).toBe(0);
  });

  it("shows them as one category, and explains every kind", async () => {
    const shown = await kubectl("get", "aetherv");
    for (const text of ["virtualmachine.aetherv.io/web", "vmhost.aetherv.io/hv1", "virtualdisk.aetherv.io/web-data"])
      expect(shown).toContain(text);
    expect(await kubectl("explain", "virtualmachine.spec.cpu.count")).toMatch(
      /FIELD: count <integer>[\s\S]+DESCRIPTION:\s+\S/,
    );
    for (const { plural } of kinds) expect(await kubectl("explain", `${plural}.spec`)).toContain("FIELDS:");
  });

  it("keeps specs as declared but for scalar defaults at their top, and writes none", async () => {
    const now = await live();
    for (const declared of await samples()) {
      const found = now.find(
        ({ kind, metadata }) => kind === declared.kind && metadata.name === declared.metadata.name,
      );
      const was = declared.spec as Readonly<Record<string, unknown>>;
      const is = (found?.spec ?? {}) as Readonly<Record<string, unknown>>;
      const added = Object.keys(is).filter((field) => !(field in was));
      const name = `${declared.kind} ${declared.metadata.name}`;
      expect({ name, ...Object.fromEntries(Object.keys(was).map((field) => [field, is[field]])) }).toEqual({
        name,
        ...was,
      });
      expect(added.filter((field) => typeof is[field] === "object").map((field) => `${name}.spec.${field}`)).toEqual(
        [],
      );
    }
    expect(specWriters(now)).toEqual(["kubectl-client-side-apply"]);
  });

  it("follows an edit by apply, and one by server-side apply of another field", async () => {
    const web = (await samples()).find(({ kind, metadata }) => kind === "VirtualDisk" && metadata.name === "web-data");
    await applied({ ...web, spec: { ...(web?.spec as object), size: "110Gi" } });
    await expect
      .poll(async () => JSON.stringify((await one("avd", "web-data")).status), { timeout: 60_000 })
      .toContain(String(110 * 2 ** 30));
    const build = {
      apiVersion: "aetherv.io/v1alpha1",
      kind: "VirtualMachine",
      metadata: { name: "build" },
      spec: { cpu: { count: 6 } },
    };
    await applied(build, "--server-side", "--force-conflicts", "--field-manager=team");
    await expect
      .poll(async () => [...(await vmsOf("hv1")), ...(await vmsOf("hv2"))].find(({ name }) => name === "build")?.cpu, {
        timeout: 60_000,
      })
      .toBe(6);
    await kubectl("wait", "avm/build", "avd/web-data", "--for=condition=Ready", "--timeout=60s");
    expect(specWriters(await live())).toEqual(["kubectl-client-side-apply", "team"]);
  });

  it("is healthy in Argo CD's eyes, and suspended where it is paused", async () => {
    const health = async (): Promise<Readonly<Record<string, string>>> =>
      Object.fromEntries(
        await Promise.all(
          (await live()).map(async (object) => [
            `${object.kind} ${object.metadata.name}`,
            (await argoHealth(object)).status,
          ]),
        ),
      );
    const before = await health();
    expect(Object.entries(before).filter(([, status]) => status !== "Healthy")).toEqual([]);
    // It is declared Stopped, and it is.
    expect((await one("avm", "build")).status).toMatchObject({ powerState: "Stopped" });
    await kubectl("annotate", "avm", "web", "aetherv.io/paused=true");
    await kubectl("wait", "avm/web", "--for=condition=Paused", "--timeout=60s");
    const nowhere = {
      apiVersion: "aetherv.io/v1alpha1",
      kind: "NetworkAdapter",
      metadata: { name: "nowhere" },
      spec: { virtualMachine: "missing", network: "lan" },
    };
    await applied(nowhere);
    await kubectl("wait", "avn/nowhere", "--for=condition=Reconciling", "--timeout=60s");
    expect(Object.entries(await health()).filter(([, status]) => status !== "Healthy")).toEqual([
      ["VirtualMachine web", "Suspended"],
      ["NetworkAdapter nowhere", "Progressing"],
    ]);
    await kubectl("annotate", "avm", "web", "aetherv.io/paused-");
    await kubectl("delete", "avn/nowhere", "--timeout=60s");
  });

  it("deletes what is deleted, with finalizers, and refuses what is protected", async () => {
    const { code, err } = await runTool(tools.kubectlPath, [
      "--kubeconfig",
      api.kubeconfig,
      "delete",
      "avd",
      "db-data",
    ]);
    expect([code, err]).toEqual([1, expect.stringContaining("spec.deletionProtection of VirtualDisk db-data is true")]);
    expect((await one("avm", "legacy")).metadata.finalizers?.length).toBeGreaterThan(0);
    await kubectl("delete", "avm/legacy", "avd/legacy-system", "avn/legacy-dmz", "--timeout=120s");
    expect((await vmsOf("hv2")).map(({ name }) => name)).not.toContain("legacy");
  });

  it("was refused nothing by the API server, and gave its Lease back", async () => {
    // Every request that was answered 403 since the server's start: the deletion that the policy refused is the only one.
    // Of a cluster that others use, too, it tells nothing.
    if (api.own) {
      const metrics = await kubectl("get", "--raw", "/metrics");
      const forbidden = metrics.split("\n").filter((line) => /^apiserver_request_total\{.*code="403"/.test(line));
      expect(
        forbidden.map((line) => line.replace(/.*[{,]resource="([^"]*)".*verb="([^"]*)".* (\d+)$/, "$2 $1 $3")),
      ).toEqual(["DELETE virtualdisks 1"]);
    }
    expect(await plane.stop()).toBe(0);
    const path = "/apis/coordination.k8s.io/v1/namespaces/aetherv-system/leases/aetherv";
    const lease = await api.client.call<{ spec: { holderIdentity?: string } }>({ verb: "get", path });
    expect(lease.spec.holderIdentity ?? "").toBe("");
  });
});

/** One that was free just now. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};

/** Of the chart's container, but for the folder and the port, which are a pod's own. */
const argumentsOf = async (of: KubeTools, port: number): Promise<readonly string[]> => {
  const deployment = (await of.template(values)).find(({ kind }) => kind === "Deployment");
  const { spec } = (deployment?.spec as { template: { spec: Pod } } | undefined)?.template ?? {};
  const words = spec?.containers[0]?.args ?? [];
  expect(words.slice(0, 3)).toEqual(["run", "--kubernetes", "--data=/data"]);
  return words
    .slice(3)
    .filter((word) => word !== "--allow-local-hosts")
    .map((word) => word.replace("--metrics-address=0.0.0.0:8081", `--metrics-address=127.0.0.1:${port}`));
};

interface Pod {
  readonly containers: readonly { readonly args: readonly string[] }[];
}

/** Managers that wrote a field of any spec, of objects that no controller owns. */
const specWriters = (objects: readonly Managed[]): readonly string[] =>
  [
    ...new Set(
      objects
        .filter(({ metadata }) => (metadata.ownerReferences ?? []).length === 0)
        .flatMap(({ metadata }) => metadata.managedFields.filter(({ fieldsV1 }) => "f:spec" in fieldsV1))
        .map(({ manager }) => manager),
    ),
  ].sort();
