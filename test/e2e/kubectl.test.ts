import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureKubectl } from "../../scripts/rigs/kubectl.ts";
import type { Resource } from "../../src/api/resource.ts";
import { openSigner, parseSigner } from "../../src/guest/signer.ts";
import { collectionPath } from "../../src/stores/kubernetes/paths.ts";
import { ClusterProxy } from "../support/clusterProxy.ts";
import { startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { account } from "./clusterAccount.ts";
import { allReady, applyAll, ClusterPlane, dataFolder, execute, samples } from "./clusterRig.ts";
import { root, type Output } from "./rig.ts";

const [api, kubectl] = await Promise.all([startKubeApi(), ensureKubectl()]);
const why = "skipped" in api ? api.skipped : kubectl.kind === "skipped" ? kubectl.why : undefined;

const read = { apiGroups: ["aetherv.io"], resources: ["*"], verbs: ["get", "list"] };
const events = { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["get", "list"] };
/** What somebody needs to reach the control plane through the API server. */
const reach = [
  { apiGroups: [""], resources: ["services"], verbs: ["get", "list"] },
  { apiGroups: [""], resources: ["services/proxy"], verbs: ["get", "create"], resourceNames: ["aetherv:api"] },
  { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"], resourceNames: ["aetherv-cli"] },
];

describe("kubectl aetherv", { timeout: 120_000 }, () => {
  if (why !== undefined || "skipped" in api || kubectl.kind === "skipped") {
    it("works", ({ skip }) => skip(why));
    return;
  }
  const { client }: KubeApi = api;
  const ports = { leader: 20_000 + Math.floor(Math.random() * 20_000), standby: 0 };
  ports.standby = ports.leader + 1;
  let data: string;
  let standbyData: string;
  let proxy: ClusterProxy;
  let env: Record<string, string>;
  let made: readonly Resource[];
  const planes: ClusterPlane[] = [];

  const run = (...words: readonly string[]): Promise<Output> => execute(kubectl.kubectl, ["aetherv", ...words], env);
  const ok = async (...words: readonly string[]): Promise<string> => {
    const { code, out, err } = await run(...words);
    if (code !== 0) throw new Error(`${words.join(" ")}: exit code ${code}: ${err}${out}`);
    return out;
  };

  beforeAll(async () => {
    data = await dataFolder(["hv1", "hv2"]);
    standbyData = await dataFolder([]);
    proxy = await ClusterProxy.open(api, [ports.standby, ports.leader]);
    const kubeconfig = join(data, "kubeconfig");
    const bin = join(data, "bin");
    await mkdir(bin);
    for (const [name, file] of [
      ["kubectl-aetherv", "kubectl.ts"],
      ["kubectl_complete-aetherv", "kubectlComplete.ts"],
    ] as const) {
      await writeFile(join(bin, name), `#!/bin/sh\nexec "${process.execPath}" "${root}/src/app/${file}" "$@"\n`);
      await chmod(join(bin, name), 0o755);
    }
    env = { PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}`, KUBECONFIG: kubeconfig, HOME: data };
    await client.call({ verb: "create", path: "/api/v1/namespaces", body: { metadata: { name: "other" } } });
    await account(client, "aetherv-cli", { namespace: "default", rules: [read] });
    const operator = { ...read, verbs: ["get", "list", "patch"] };
    const named = { apiGroups: [""], resources: ["configmaps"], resourceNames: ["aetherv-identity"], verbs: ["get"] };
    const key = { ...named, resources: ["secrets"], resourceNames: ["aetherv-signer"], verbs: ["get", "update"] };
    await proxy.kubeconfig(kubeconfig, {
      operator: { token: await account(client, "operator", { rules: [operator, events, ...reach] }) },
      keeper: { token: await account(client, "keeper", { namespace: "default", rules: [named, key] }) },
      viewer: { token: await account(client, "viewer", { rules: [read, events, ...reach] }) },
      stranger: { token: await account(client, "stranger", { rules: [read] }) },
      admin: { token: "admin" },
      elsewhere: { token: "admin", namespace: "other" },
    });
    await applyAll(
      client,
      (await samples()).filter(({ kind, metadata }) => kind === "VMHost" || /^web(-|$)/.test(metadata.name)),
    );
    // The Service's own judge asks the same cluster: by the proxy, which knows what a token was made for.
    const own = join(data, "plane.kubeconfig");
    await proxy.kubeconfig(own, { plane: { token: "admin" } });
    const leader = new ClusterPlane(data, own, { more: ["--api-address", `127.0.0.1:${ports.leader}`] });
    planes.push(leader);
    made = await allReady(client, leader);
    planes.push(new ClusterPlane(standbyData, own, { more: ["--api-address", `127.0.0.1:${ports.standby}`] }));
  }, 120_000);

  afterAll(async () => {
    for (const plane of planes) await plane.stop("SIGKILL");
    await proxy.close();
    await api.stop();
    for (const folder of [data, standbyData]) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it("gives objects and events by the caller's own rights", async () => {
    expect(await ok("get", "vm")).toMatch(/^NAME +READY[^]*\nweb +True +Running/);
    expect(await ok("get", "vm", "-n", "default", "--context", "viewer")).toMatch(/\nweb +True/);
    expect(await run("get", "vm", "--context", "elsewhere")).toMatchObject({
      code: 0,
      err: expect.stringContaining("No objects found in namespace other") as unknown,
    });
    expect(await ok("events", "vm/web")).toMatch(/VmCreate +virtualmachine\/web/);
    expect(await ok("describe", "vm/web")).toMatch(/Conditions:/);
    const { code, err } = await run("get", "vm", "--context", "nobody");
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('no context "nobody"') as unknown });
  });

  it("asks the leader for what only it knows, whichever replica the Service takes", async () => {
    for (let turn = 0; turn < 3; turn += 1) expect(await ok("jobs")).toMatch(/vm.create/);
    expect(await ok("plan")).toContain("No changes.");
    const edited = made.find(({ kind }) => kind === "VirtualMachine") as Resource;
    const file = join(data, "edited.json");
    const { apiVersion, kind, metadata, spec } = edited;
    const guest = { ...(spec as { guest: object }).guest, hostname: "planted-shop" };
    const more = { ...(spec as object), cpu: { count: 8 }, guest };
    await writeFile(
      file,
      JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name, namespace: "default" }, spec: more }),
    );
    const planned = await run("plan", "-f", file);
    expect(planned.code).toBe(2);
    expect(planned.out).toContain("spec.cpu.count");
    expect(planned.out).toMatch(/~ guest: hostname +# applied in the running guest/);
    expect(planned.out).not.toContain("planted");
    expect(await ok("status")).toMatch(/Running: +pid/);
    const [job = ""] = /01[0-9A-Z]{24}/.exec(await ok("jobs", "--object", "vm/web")) ?? [];
    expect(await ok("jobs", job)).toContain("Request:");
    // What went to the Service holds no credential of the caller.
    expect(proxy.passed.length).toBeGreaterThan(0);
    for (const headers of proxy.passed) expect(headers).not.toHaveProperty("authorization");
  });

  it("changes the key that signs guest configurations, with the caller's own rights to the Secret", async () => {
    const keys = async (): Promise<{ text: string; version: string }> => {
      const path = "/api/v1/namespaces/default/secrets/aetherv-signer";
      const { data: values, metadata } = await client.call<{
        data: Record<string, string>;
        metadata: { resourceVersion: string };
      }>({ verb: "get", path });
      return { text: atob(values["signer.json"] ?? ""), version: metadata.resourceVersion };
    };
    const fingerprintOf = async (): Promise<string> => (await openSigner(parseSigner((await keys()).text))).fingerprint;
    const rotate = ["guest", "rotate-signer", "--kubeconfig", env["KUBECONFIG"] ?? ""];
    const before = await fingerprintOf();
    const { version } = await keys();
    const here = ["--control-plane-namespace", "default"];
    expect(await run(...rotate, "--context", "viewer", ...here)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/ is forbidden: User "system:serviceaccount:default:viewer"/) as unknown,
    });
    expect((await keys()).version).toBe(version);
    const words = [...rotate, "--context", "admin", ...here];
    // Of the program itself, which is about a data folder unless a cluster is named.
    const { code, out, err } = await execute(process.execPath, [join(root, "src/app/main.ts"), ...words], env);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const after = await fingerprintOf();
    expect(after).not.toBe(before);
    expect(out).toContain(`old key: ${before}\nnew key: ${after}\nguests follow from 1 older key,`);
    expect(out).toContain("restart the control plane (kubectl rollout restart)");
    expect(await ok(...rotate, "--context", "admin")).toContain(`old key: ${after}\n`);
    // Where the namespace is named, the rights to these two objects are enough; to look for it takes more.
    const third = await fingerprintOf();
    expect(await ok(...rotate, "--context", "keeper", ...here)).toContain(`old key: ${third}\n`);
    const search = await run(...rotate, "--context", "keeper");
    expect(search).toMatchObject({ code: 1, err: expect.stringContaining("cannot list") as unknown });
    expect(parseSigner((await keys()).text).handovers).toHaveLength(3);
    expect(out).not.toMatch(/PRIVATE|digestKey/);
    const missing = await run(...rotate, "--context", "admin", "--control-plane-namespace", "other");
    expect(missing).toMatchObject({
      code: 1,
      err: expect.stringContaining("no ConfigMap aetherv-identity") as unknown,
    });
  });

  it("leaves the judgement to the cluster's RBAC", async () => {
    const denied = await run("restart", "vm/web", "--context", "viewer");
    expect(denied).toMatchObject({ code: 1, err: expect.stringContaining("cannot patch") as unknown });
    const stranger = await run("jobs", "--context", "stranger", "--service", "default/aetherv");
    expect(stranger).toMatchObject({ code: 1, err: expect.stringMatching(/forbidden/) as unknown });
    // The account that asks may read the namespace "default" only: hosts are the cluster's.
    expect(await run("import", "hv1/web")).toMatchObject({
      code: 1,
      err: expect.stringContaining('may not get vmhosts.aetherv.io "hv1"') as unknown,
    });
    await rejected({ token: undefined, says: "is missing" });
    await rejected({ token: "admin", says: "none of this cluster for aetherv.io" });
  });

  const rejected = async ({ token, says }: { readonly token: string | undefined; says: string }): Promise<void> => {
    const headers = token === undefined ? {} : { "x-aetherv-token": token };
    const answer = await fetch(`http://127.0.0.1:${ports.leader}/v1/jobs`, { headers });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain(says);
  };

  it("sets annotations as the caller", async () => {
    expect(await ok("restart", "vm/web", "--context", "operator")).toContain("restart requested");
    const web = await client.call<{ metadata: { annotations?: object; managedFields: { manager: string }[] } }>({
      verb: "get",
      path: `${collectionPath("VirtualMachine", "default")}/web`,
    });
    expect(web.metadata.annotations).toHaveProperty(["aetherv.io/restarted-at"]);
    expect(web.metadata.managedFields.map(({ manager }) => manager)).toContain("kubectl-aetherv");
    const approve = await run("approve", "vm/web");
    expect(approve).toMatchObject({
      code: 1,
      err: expect.stringContaining("nothing of web awaits approval") as unknown,
    });
  });

  it("helps and completes", async () => {
    expect(await ok("--help")).toContain("Usage: kubectl aetherv");
    const { out } = await execute(kubectl.kubectl, ["__complete", "aetherv", "get", "vm", "w"], env);
    expect(out).toMatch(/^web\n:4/);
    expect((await execute(kubectl.kubectl, ["__complete", "aetherv", "rest"], env)).out).toMatch(
      /^restart\nrestore\n:4/,
    );
  });

  it("refuses to be uninstalled while objects hold the finalizer", async () => {
    const { code, err } = await run("uninstall-check", "--context", "admin");
    expect(code).toBe(1);
    expect(err).toMatch(/objects would be left[^]*1 virtualmachines: default\/web\n/);
    expect(await run("uninstall-check", "--force", "--context", "admin")).toMatchObject({ code: 0 });
    expect(await ok("uninstall-check", "-n", "other", "--context", "admin", "--force")).not.toContain("web");
    for (const plane of planes.splice(0)) await plane.stop();
    expect(await ok("uninstall-check", "--release", "--context", "admin")).toContain("released");
    expect(await ok("uninstall-check", "--context", "admin")).toContain("can be uninstalled");
  });
});
