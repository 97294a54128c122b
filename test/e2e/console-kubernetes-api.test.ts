import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../src/api/resource.ts";
import { collectionPath, objectPath } from "../../src/stores/kubernetes/paths.ts";
import { ConsoleClient, type Asking, type Reply } from "../support/consoleClient.ts";
import { eventually, removeAll, startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { allReady, ClusterPlane, dataFolder } from "./clusterRig.ts";
import { create, hostObject, machineObjects } from "./kubernetesPlane.ts";

const api = await startKubeApi();

const group = "/apis/aetherv.io/v1alpha1";
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const vms = `${group}/namespaces/default/virtualmachines`;
const web = `${vms}/web`;
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

describe("the console of a cluster", { timeout: 60_000 }, () => {
  if ("skipped" in api) {
    it("works there", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client, kubeconfig } = api;
  const made: string[] = [];
  let plane: ClusterPlane;
  let page: ConsoleClient;
  /** May do everything in the namespace default and read the hosts. */
  let editor: string;
  /** May read all there is in the namespace default, nothing else. */
  let reader: string;
  let stranger: string;

  const post = async (path: string, body: object): Promise<void> => {
    await client.call({ verb: "create", path, body });
    made.push(`${path}/${(body as { metadata: { name: string } }).metadata.name}`);
  };

  const tokenOf = async (name: string, seconds = 3600): Promise<string> => {
    const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`;
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences: [], expirationSeconds: seconds },
    };
    return (await client.call<{ status: { token: string } }>({ verb: "create", path, body })).status.token;
  };

  const account = async (name: string, rules: readonly object[], hosts: "sees hosts" | "no hosts"): Promise<string> => {
    const metadata = { name };
    const subjects = [{ kind: "ServiceAccount", name, namespace: "default" }];
    const ref = (kind: string): object => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
    await post("/api/v1/namespaces/default/serviceaccounts", { metadata });
    await post(`${rbac}/namespaces/default/roles`, { metadata, rules });
    await post(`${rbac}/namespaces/default/rolebindings`, { metadata, roleRef: ref("Role"), subjects });
    if (hosts === "sees hosts") {
      const read = [{ apiGroups: ["aetherv.io"], resources: ["vmhosts"], verbs: ["get", "list"] }];
      await post(`${rbac}/clusterroles`, { metadata, rules: read });
      await post(`${rbac}/clusterrolebindings`, { metadata, roleRef: ref("ClusterRole"), subjects });
    }
    return tokenOf(name);
  };

  const ask = (token: string, path: string, asking: Asking = {}): Promise<Reply> =>
    page.ask(path, { token, ...asking });

  beforeAll(async () => {
    const rule = (verbs: readonly string[]): object => ({ apiGroups: ["aetherv.io"], resources: ["*"], verbs });
    const events = { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["list"] };
    editor = await account(
      "console-editor",
      [rule(["get", "list", "create", "update", "patch", "delete"]), events],
      "sees hosts",
    );
    reader = await account("console-reader", [rule(["get", "list"]), events], "no hosts");
    stranger = await account("console-stranger", [], "no hosts");
    await create(client, hostObject("hv1"));
    for (const object of machineObjects("web", "hv1")) await create(client, object);
    const data = await dataFolder(["hv1"]);
    plane = new ClusterPlane(data, kubeconfig, { more: ["--console-address", "127.0.0.1:0"] });
    await eventually("the console is told", () => Promise.resolve(/^console: \S+/m.test(plane.said)), 60_000);
    page = new ConsoleClient(/^console: (\S+)/m.exec(plane.said)?.[1] ?? "");
    await allReady(client, plane);
  }, 120_000);

  afterAll(async () => {
    await plane?.stop();
    await removeAll(client);
    for (const path of made.toReversed()) await client.call({ verb: "delete", path }).catch(() => undefined);
    if (plane) await rm(plane.data, { recursive: true, force: true, maxRetries: 5 });
    await (api as KubeApi).stop();
  });

  it("lets those in whose token the API server knows, and tells what they may do", async () => {
    const session = async (token: string): Promise<Record<string, unknown> & { can: Record<string, boolean> }> =>
      (await ask(token, "/v1/session")).json();
    expect(await session(editor)).toMatchObject({
      mode: "kubernetes",
      loggedIn: true,
      user: "system:serviceaccount:default:console-editor",
      can: { create: true, edit: true, delete: true, power: true, approve: true, restore: true },
    });
    const reading = await session(reader);
    expect(Object.values(reading.can).every((one) => one === false)).toBe(true);
    expect(reading["readOnlyReason"]).toContain("console-reader may change nothing here");
    for (const token of ["wrong", `${editor.slice(0, -5)}AAAAA`]) {
      expect((await ask(token, "/v1/hosts")).json()).toMatchObject({
        kind: "Status",
        reason: "Unauthorized",
        code: 401,
      });
      expect((await page.ask("/v1/login", { method: "POST", body: { token } })).status).toBe(401);
    }
  });

  it("logs a browser in by its token, without keeping it in the cookie", async () => {
    const login = await page.ask("/v1/login", { method: "POST", body: { token: editor } });
    const cookie = String((login.headers["set-cookie"] as readonly string[])[0]).split(";")[0] ?? "";
    expect(cookie).not.toContain(editor.slice(0, 20));
    expect((await page.ask(vms, { headers: { cookie } })).status).toBe(200);
    const { csrf } = (await page.ask("/v1/session", { headers: { cookie } })).json<{ csrf: string }>();
    const change = { method: "DELETE", headers: { cookie } };
    expect((await page.ask(`${web}?dryRun=All`, change)).status).toBe(403);
    const told = { method: "DELETE", headers: { cookie, "x-aetherv-csrf": csrf } };
    expect((await page.ask(`${web}?dryRun=All`, told)).status).toBe(200);
  });

  it("leaves every refusal to the API server, in its words", async () => {
    expect((await ask(reader, web)).status).toBe(200);
    const put = await ask(reader, web, {
      method: "PUT",
      headers: { "if-match": "*" },
      body: (await ask(reader, web)).json(),
    });
    expect(put.json()).toMatchObject({ kind: "Status", reason: "Forbidden", code: 403 });
    expect(put.json()["message"]).toContain('cannot update resource "virtualmachines"');
    const power = await ask(reader, "/v1/objects/VirtualMachine/default/web/actions", {
      method: "POST",
      body: { action: "pause" },
    });
    expect(power.status).toBe(403);
    for (const path of [web, vms, `${group}/vmhosts`]) expect((await ask(stranger, path)).status, path).toBe(403);
    expect((await ask(reader, `${group}/vmhosts`)).status).toBe(403);
    expect((await ask(reader, "/v1/hosts")).status).toBe(403);
    expect((await ask(editor, "/v1/hosts")).json<{ name: string }[]>().map(({ name }) => name)).toEqual(["hv1"]);
  });

  it("makes, changes and deletes objects with the user's rights; kubectl's own annotation stays", async () => {
    const disks = `${group}/namespaces/default/virtualdisks`;
    const disk = (size: string): object => ({
      apiVersion: "aetherv.io/v1alpha1",
      kind: "VirtualDisk",
      metadata: { name: "more", annotations: { [lastApplied]: "kept" } },
      spec: { source: { type: "Blank" }, size },
    });
    expect((await ask(editor, disks, { method: "POST", body: disk("1G") })).json()["details"]).toMatchObject({
      causes: [{ field: "spec.size" }],
    });
    expect((await ask(editor, `${disks}?dryRun=All`, { method: "POST", body: disk("1Gi") })).status).toBe(201);
    expect((await ask(editor, `${disks}/more`)).status).toBe(404);
    expect((await ask(editor, disks, { method: "POST", body: disk("1Gi") })).status).toBe(201);
    expect((await ask(editor, disks, { method: "POST", body: disk("1Gi") })).json()["reason"]).toBe("AlreadyExists");
    const object = (await ask(editor, `${disks}/more`)).json<Resource>();
    expect(object.metadata.annotations?.[lastApplied]).toBeUndefined();
    const bigger = { ...object, spec: { ...(object.spec as object), size: "2Gi" } };
    const put = (headers: Record<string, string>, metadata: object): Promise<Reply> =>
      ask(editor, `${disks}/more`, {
        method: "PUT",
        headers,
        body: { ...bigger, metadata: { ...object.metadata, ...metadata } },
      });
    expect((await put({}, { resourceVersion: "1" })).json()["reason"]).toBe("Conflict");
    expect((await put({ "if-match": '"1"' }, {})).json()["reason"]).toBe("PreconditionFailed");
    const done = await put({ "if-match": "*" }, {});
    expect(done.status, done.text).toBe(200);
    const stored = await client.find<Resource>(objectPath({ kind: "VirtualDisk", namespace: "default", name: "more" }));
    expect(stored?.metadata.annotations?.[lastApplied]).toBe("kept");
    expect(stored?.spec).toMatchObject({ size: "2Gi" });
    expect((await ask(reader, `${disks}/more`, { method: "DELETE" })).status).toBe(403);
    expect((await ask(editor, `${disks}/more`, { method: "DELETE" })).status).toBe(200);
    await eventually("it is gone", async () => (await ask(editor, `${disks}/more`)).status === 404);
  });

  it("works the power by the spec, and shows jobs, plans and events as far as one may read their objects", async () => {
    const act = (action: string): Promise<Reply> =>
      ask(editor, "/v1/objects/VirtualMachine/default/web/actions", { method: "POST", body: { action } });
    const stopped = await act("turnOff");
    expect(stopped.json<Resource>().spec, stopped.text).toMatchObject({
      powerState: "Stopped",
      shutdown: { mode: "TurnOff" },
    });
    const job = async (token: string): Promise<readonly { operation: string }[]> =>
      (await ask(token, "/v1/jobs?kind=VirtualMachine&namespace=default&name=web")).json();
    await eventually("it was turned off", async () => (await job(reader)).length > 1);
    expect((await act("start")).json<Resource>().spec).toMatchObject({ powerState: "Running" });
    expect((await ask(stranger, "/v1/jobs")).json()).toEqual([]);
    const events = await ask(reader, "/v1/events?kind=VirtualMachine&namespace=default&name=web");
    expect(events.json<{ key: { name: string } }[]>().every(({ key }) => key.name === "web")).toBe(true);
    const remove = [{ kind: "VirtualMachine", namespace: "default", name: "web" }];
    const plan = await ask(editor, "/v1/plan", { method: "POST", body: { remove } });
    expect(plan.json<{ objects: { action: string }[] }>().objects[0], plan.text).toMatchObject({ action: "delete" });
    expect((await ask(stranger, "/v1/plan", { method: "POST", body: { remove } })).status).toBe(403);
  });

  it("streams to each the changes that they may see", async () => {
    const ending = new AbortController();
    const seen = new Map<string, unknown[]>();
    const follow = async (who: string, token: string): Promise<void> => {
      const into: unknown[] = [];
      seen.set(who, into);
      for await (const { data } of page.events("/v1/watch", { token, signal: ending.signal })) into.push(data);
    };
    const streams = Promise.all([follow("editor", editor), follow("reader", reader), follow("stranger", stranger)]);
    try {
      const kindsOf = (who: string): ReadonlySet<string> =>
        new Set((seen.get(who) ?? []).flatMap((one) => (one as { key?: { kind: string } }).key?.kind ?? []));
      const isSynced = (who: string): boolean =>
        (seen.get(who) ?? []).some((one) => (one as { type: string }).type === "synced");
      await eventually("all is told", () => Promise.resolve([...seen.keys()].every(isSynced)));
      expect(kindsOf("editor")).toContain("VMHost");
      expect(kindsOf("reader")).not.toContain("VMHost");
      expect(kindsOf("reader")).toContain("VirtualMachine");
      expect(seen.get("stranger")).toEqual([{ type: "synced" }]);
      const path = `${collectionPath("VirtualMachine", "default")}/web`;
      await client.call({ verb: "patch", path, body: { metadata: { labels: { seen: "now" } } } });
      const isTold = (who: string): boolean => JSON.stringify(seen.get(who)).includes('"seen":"now"');
      await eventually("it is told", () => Promise.resolve(isTold("reader") && isTold("editor")));
      expect(isTold("stranger")).toBe(false);
    } finally {
      ending.abort();
      await streams;
    }
  });

  it("says so while the API server is away, and knows no token that it no longer knows", async ({ skip }) => {
    const { own } = api as KubeApi;
    if (!own) skip("TEST_KUBECONFIG: the API server is not ours to stop");
    expect((await ask(editor, vms)).status).toBe(200);
    await own?.kill();
    expect((await ask(editor, vms)).json()).toMatchObject({ kind: "Status", reason: "ServiceUnavailable", code: 503 });
    // The rig's server forgets the tokens that it made: they are as expired.
    await own?.start();
    await eventually("it is refused", async () => (await ask(editor, "/v1/status")).status === 401, 45_000);
    expect((await ask(editor, vms)).json()).toMatchObject({ reason: "Unauthorized", code: 401 });
  });
});
