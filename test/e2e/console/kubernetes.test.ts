import { rm } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kinds } from "../../../src/api/kinds.ts";
import type { Resource } from "../../../src/api/resource.ts";
import { objectPath } from "../../../src/stores/kubernetes/paths.ts";
import { eventually, removeAll, startKubeApi } from "../../support/kubeApi.ts";
import { applyAll, ClusterPlane, dataFolder } from "../clusterRig.ts";
import { hostObject, isReadyNow, machineObjects } from "../kubernetesPlane.ts";
import { Form } from "./form.ts";
import { browserPath, buildPage, openBrowser, openPage, violations, whyNoBrowser, type Watched } from "./rig.ts";

const api = browserPath === undefined ? { skipped: "no chromium on this machine" } : await startKubeApi();
const long = 240_000;
const group = "aetherv.io";
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const accounts = "/api/v1/namespaces/default/serviceaccounts";

describe(`the console over a cluster${whyNoBrowser}`, { timeout: long }, () => {
  if ("skipped" in api) {
    it("works there", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, kubeconfig } = api;
  const made: string[] = [];
  const watched: Watched[] = [];
  let data: string;
  let plane: ClusterPlane;
  let browser: Browser;
  let url = "";

  const create = async (path: string, body: { metadata: { name: string } }): Promise<void> => {
    await client.call({ verb: "create", path, body });
    made.push(`${path}/${body.metadata.name}`);
  };

  /** An account of the cluster with these verbs on our kinds. */
  const account = async (name: string, verbs: readonly string[]): Promise<void> => {
    const resources = kinds.map(({ plural }) => plural);
    await create(accounts, { metadata: { name } });
    await create(`${rbac}/clusterroles`, {
      metadata: { name: `console-${name}` },
      rules: [{ apiGroups: [group], resources, verbs }],
    } as never);
    await create(`${rbac}/clusterrolebindings`, {
      metadata: { name: `console-${name}` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: `console-${name}` },
      subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
    } as never);
  };

  const tokenOf = async (name: string): Promise<string> => {
    const { status } = await client.call<{ status: { token: string } }>({
      verb: "create",
      path: `${accounts}/${name}/token`,
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [] } },
    });
    return status.token;
  };

  const pageOf = async (name: string): Promise<Watched> => {
    const one = await openPage(browser, url, await tokenOf(name));
    watched.push(one);
    return one;
  };

  const find = (kind: string, name: string): Promise<Resource | undefined> =>
    client.find<Resource>(objectPath({ kind, namespace: kind === "VMHost" ? "" : "default", name }));

  beforeAll(async () => {
    await buildPage();
    await account("editor", ["get", "list", "watch", "create", "update", "patch", "delete"]);
    await account("reader", ["get", "list", "watch"]);
    await applyAll(client, [hostObject("hv1"), ...machineObjects("web", "hv1")]);
    data = await dataFolder(["hv1"]);
    plane = new ClusterPlane(data, kubeconfig, { localHosts: "allowed", more: ["--console-address", "127.0.0.1:0"] });
    browser = await openBrowser();
    await eventually(
      "the console listens and web runs",
      async () => {
        url = /console: (\S+)/.exec(plane.said)?.[1] ?? "";
        const machine = await find("VirtualMachine", "web");
        return url !== "" && machine !== undefined && isReadyNow(machine);
      },
      120_000,
    );
  }, long);

  afterAll(async () => {
    await browser?.close();
    await plane?.stop("SIGKILL");
    await removeAll(client);
    for (const path of made.toReversed()) await client.call({ verb: "delete", path });
    await api.stop();
    if (data) await rm(data, { recursive: true, force: true, maxRetries: 5 });
  }, long);

  it("lets somebody in with a token of the cluster, and nobody with another", async () => {
    const one = await openPage(browser, url);
    watched.push(one);
    const { page } = one;
    await page.goto(url);
    await page.locator("input").first().fill("no-token");
    await page.getByRole("button", { name: /log in/i }).click();
    await page.locator("p.error").first().waitFor();
    await page
      .locator("input")
      .first()
      .fill(await tokenOf("reader"));
    await page.getByRole("button", { name: /log in/i }).click();
    await page.getByRole("link", { name: "Virtual machines" }).click();
    await page.getByRole("link", { name: "web", exact: true }).waitFor();
  });

  it("makes a deployment with the rights of whoever is logged in", async () => {
    const { page } = await pageOf("editor");
    const form = await Form.open(page, new URL("/new/ManagedDeployment", url).href);
    await form.fill("metadata.name", "crm");
    await form.size("spec.virtualMachine.memory.startup", "512Mi");
    await form.select("spec.disks[0].spec.source.image", "debian-12");
    await form.select("spec.networkAdapters[0].spec.network", "lan");
    await form.plan.getByText("virtual machine crm").waitFor();
    expect(await violations(page)).toEqual([]);
    await form.saved("/deployments/default/crm");
    expect((await find("ManagedDeployment", "crm"))?.spec).toMatchObject({
      virtualMachine: { osFamily: "Linux", cpu: { count: 2 }, memory: { startup: "512Mi" } },
      disks: [{ name: "system", spec: { source: { type: "Image", image: "debian-12" } } }],
      networkAdapters: [{ name: "lan", spec: { network: "lan" } }],
    });
    await eventually(
      "it is made",
      async () => {
        const deployment = await find("ManagedDeployment", "crm");
        return deployment !== undefined && isReadyNow(deployment);
      },
      120_000,
    );
  });

  it("makes every other kind, and changes it", async () => {
    const { page } = await pageOf("editor");
    let form = await Form.open(page, new URL("/new/VMHost", url).href);
    await form.fill("metadata.name", "hv2");
    await form.select("spec.driver", "Simulated");
    await form.choose("spec.connection.type", "Locally");
    await form.saved("/hosts/hv2");
    expect((await find("VMHost", "hv2"))?.spec).toMatchObject({ driver: "Simulated", connection: { type: "Local" } });

    form = await Form.open(page, new URL("/new/VirtualMachine", url).href);
    await form.fill("metadata.name", "batch");
    // The host made above has no network yet.
    await form.choose("spec.placement", "This host");
    await form.select("spec.host", "hv1");
    await form.size("spec.memory.startup", "512Mi");
    await form.section("Power");
    await form.select("spec.powerState", "Stopped");
    await form.saved("/vms/default/batch");

    form = await Form.open(page, new URL("/new/VirtualDisk?vm=batch", url).href);
    await form.fill("metadata.name", "batch-data");
    await form.size("spec.size", "1Gi");
    await form.saved("/disks/default/batch-data");
    expect((await find("VirtualDisk", "batch-data"))?.spec).toMatchObject({
      source: { type: "Blank" },
      size: "1Gi",
      attachment: { virtualMachine: "batch" },
    });

    form = await Form.open(page, new URL("/new/NetworkAdapter?vm=batch", url).href);
    await form.fill("metadata.name", "batch-lan");
    await form.select("spec.network", "lan");
    await form.choose("spec.ipv4.method", "DHCP");
    await form.saved("/adapters/default/batch-lan");

    form = await Form.open(page, new URL("/edit/VirtualMachine/default/batch", url).href);
    await form.fill("spec.cpu.count", "4");
    await form.saved("/vms/default/batch");
    form = await Form.open(page, new URL("/edit/VirtualDisk/default/batch-data", url).href);
    await form.size("spec.size", "2Gi");
    await form.saved("/disks/default/batch-data");
    form = await Form.open(page, new URL("/edit/NetworkAdapter/default/batch-lan", url).href);
    await form.choose("spec.ipv4.method", "As the guest has it");
    await form.saved("/adapters/default/batch-lan");
    expect((await find("VirtualMachine", "batch"))?.spec).toMatchObject({ cpu: { count: 4 } });
    expect((await find("VirtualDisk", "batch-data"))?.spec).toMatchObject({ size: "2Gi" });
    expect((await find("NetworkAdapter", "batch-lan"))?.spec).not.toHaveProperty("ipv4");
  });

  it("puts what the API server refuses at its field", async () => {
    const { page } = await pageOf("editor");
    const form = await Form.open(page, new URL("/edit/VirtualDisk/default/web", url).href);
    await form.size("spec.size", "1Gi");
    await form.fill("spec.storageClass", "Not A Class").catch(async () => {
      await form.select("spec.storageClass", "\u0000other");
      await form.fill("spec.storageClass", "Not A Class");
    });
    await form.save();
    await form.field("spec.storageClass").locator("p.error").waitFor();
    expect(await form.faultAt("spec.storageClass")).toMatch(/Invalid value/);
    expect(await form.control("spec.storageClass").evaluate((input) => input.matches(":focus"))).toBe(true);
  });

  it("puts the edits of a form onto what kubectl changed meanwhile", async () => {
    const { page } = await pageOf("editor");
    const form = await Form.open(page, new URL("/edit/VirtualMachine/default/batch", url).href);
    await form.fill("spec.cpu.count", "2");
    await client.call({
      verb: "patch",
      path: objectPath({ kind: "VirtualMachine", namespace: "default", name: "batch" }),
      body: { spec: { cpu: { count: 8 }, notes: "by kubectl" } },
    });
    await form.save();
    const dialog = page.getByRole("dialog", { name: "Somebody changed it meanwhile" });
    await dialog.getByText("spec.notes").waitFor();
    await dialog.getByRole("button", { name: "Go on over this" }).click();
    await form.saved("/vms/default/batch");
    expect((await find("VirtualMachine", "batch"))?.spec).toMatchObject({ cpu: { count: 2 }, notes: "by kubectl" });
  });

  it("starts, approves and deletes with the token of whoever is logged in", async () => {
    const { page } = await pageOf("editor");
    const act = async (name: string, title: string): Promise<void> => {
      await page.getByRole("button", { name: `Actions for ${name}`, exact: true }).click();
      await page.getByRole("menuitem", { name: title, exact: true }).click();
    };
    await page.goto(new URL("/vms/default/web", url).href);
    await act("web", "Shut down…");
    await page.getByRole("dialog").getByRole("button", { name: "Shut down" }).click();
    await eventually(
      "it is off",
      async () => {
        const status = (await find("VirtualMachine", "web"))?.status as { powerState?: string };
        return status.powerState === "Stopped" || status.powerState === "Off";
      },
      90_000,
    );
    await act("web", "Start");
    await eventually(
      "it runs",
      async () => {
        const status = (await find("VirtualMachine", "web"))?.status as { powerState?: string };
        return status.powerState === "Running";
      },
      90_000,
    );
    await client.call({
      verb: "patch",
      path: objectPath({ kind: "VirtualMachine", namespace: "default", name: "web" }),
      body: { spec: { cpu: { count: 2 } } },
    });
    await page.getByRole("main").getByRole("button", { name: "Approve changes…" }).first().click();
    const approval = page.getByRole("dialog", { name: "Approve the changes of web?" });
    await approval.getByText("spec.cpu.count").waitFor();
    await approval.getByRole("button", { name: "Approve", exact: true }).click();
    await eventually(
      "it has what was approved",
      async () => {
        const { status } = (await find("VirtualMachine", "web")) ?? {};
        const { pendingChanges = [], powerState } = status as {
          pendingChanges?: readonly object[];
          powerState?: string;
        };
        return pendingChanges.length === 0 && powerState === "Running";
      },
      90_000,
    );
    await page.goto(new URL("/vms/default/batch", url).href);
    await act("batch", "Delete…");
    const dialog = page.getByRole("dialog", { name: "Delete batch?" });
    await dialog.getByText("its disks stay with their own objects").waitFor();
    await dialog.getByRole("textbox").fill("batch");
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
    await eventually("it is gone", async () => (await find("VirtualMachine", "batch")) === undefined, 90_000);
  });

  it("shows whoever may only read everything, and changes nothing", async () => {
    const { page, context } = await pageOf("reader");
    const form = await Form.open(page, new URL("/edit/VirtualMachine/default/web", url).href);
    await page.getByText(/You can look, and change nothing:/).waitFor();
    expect(await form.control("spec.cpu.count").isDisabled()).toBe(true);
    expect(await page.getByRole("button", { name: "Save" }).getAttribute("aria-disabled")).toBe("true");
    await page.goto(new URL("/vms/default/web", url).href);
    await page.getByRole("button", { name: "Actions for web", exact: true }).click();
    const remove = page.getByRole("menuitem", { name: /^Delete/ });
    await remove.waitFor();
    expect(await remove.getAttribute("aria-disabled")).toBe("true");
    // And where a page does not hold itself to it, the API server does.
    const before = await find("VirtualMachine", "web");
    const { csrf } = (await (await context.request.get(new URL("/v1/session", url).href)).json()) as { csrf: string };
    const answer = await context.request.delete(
      new URL("/apis/aetherv.io/v1alpha1/namespaces/default/virtualmachines/web", url).href,
      { headers: { "x-aetherv-csrf": csrf } },
    );
    expect(answer.status()).toBe(403);
    expect((await find("VirtualMachine", "web"))?.metadata.uid).toBe(before?.metadata.uid);
  });

  it("raised no error in any page", () => expect(watched.flatMap(({ faults }) => faults)).toEqual([]));
});
