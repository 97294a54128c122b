import { readFile, rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { Resource } from "../../src/api/resource.ts";
import { collectionPath } from "../../src/stores/kubernetes/paths.ts";
import { sshHostManifest } from "../integration/ssh/manifests.ts";
import { readHost } from "../rigs/hyperv/host.ts";
import { SshdRig, whyNoSshd } from "../rigs/sshd/sshd.ts";
import { allObjects, eventually, startKubeApi } from "../support/kubeApi.ts";
import { allReady, applyAll, ClusterPlane, dataFolder } from "./clusterRig.ts";
import { small } from "./rig.ts";

const api = await startKubeApi();
const why = "skipped" in api ? api.skipped : await whyNoSshd("powershell");

const parsed = (text: string): readonly Resource[] =>
  parseAllDocuments(text, { version: "1.1" }).map((document) => document.toJS() as Resource);

/** API server -> control plane -> ssh2 -> sshd -> PowerShell agent -> emulated Hyper-V, and back to the API server. */
describe("a Hyper-V host of a cluster", { timeout: 300_000 }, () => {
  if ("skipped" in api || why !== undefined) {
    it("converges", ({ skip }) => skip(why));
    return;
  }
  let sshd: SshdRig;
  let data = "";
  let plane: ClusterPlane | undefined;
  const { client } = api;
  const machines = async () => (await readHost(sshd.root)).vms ?? [];

  beforeAll(async () => {
    sshd = await SshdRig.start({ shell: "cmd.exe", agent: "powershell", forced: true });
    data = await dataFolder([]);
  }, 120_000);
  afterAll(async () => {
    await plane?.stop("SIGKILL");
    await sshd[Symbol.asyncDispose]();
    await api.stop();
    await rm(data, { recursive: true, force: true, maxRetries: 5 });
  });

  it("makes, changes and deletes what the API server holds, logging in with a Secret of it", async () => {
    const login = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "hv1-login", namespace: "default" },
      stringData: { "ssh-privatekey": sshd.key },
    };
    const objects = [...parsed(sshHostManifest("hv1", sshd)), ...parsed(small("web")["web.yaml"] as string)];
    await applyAll(client, [login as unknown as Resource, ...objects]);
    plane = new ClusterPlane(data, api.kubeconfig);
    await allReady(client, plane);
    expect(await machines()).toMatchObject([{ name: "web", state: "Running", drives: [{}], adapters: [{}] }]);

    const path = `${collectionPath("VirtualMachine", "default")}/web`;
    await client.call({ verb: "patch", path, body: { spec: { notes: "by the API server" } } });
    await eventually(
      "the notes are there",
      async () => JSON.stringify(await machines()).includes("by the API server"),
      60_000,
    );

    for (const { kind, metadata } of await allObjects(client))
      if (kind !== "VMHost")
        await client.call({ verb: "delete", path: `${collectionPath(kind, "default")}/${metadata.name}` });
    await eventually(
      "only the host is left",
      async () => (await allObjects(client)).every(({ kind }) => kind === "VMHost") && (await machines()).length === 0,
      120_000,
    );
    // Neither the log nor what the API server holds tells the key.
    const body = sshd.key.split("\n")[1] as string;
    expect(await readFile(`${data}/aetherv.log`, "utf8")).not.toContain(body);
    expect(JSON.stringify(await allObjects(client)) + plane.said).not.toContain(body);
  });
});
