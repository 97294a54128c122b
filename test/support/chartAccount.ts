import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KubeApi } from "./kubeApi.ts";
import type { AnyObject, KubeTools } from "./kubeTools.ts";

export const releaseNamespace = "aetherv-system";

/** Installs what the chart renders, as far as the API server serves it, and returns the objects applied. */
export const installChart = async (
  { kubeconfig }: KubeApi,
  tools: KubeTools,
  values: unknown,
): Promise<readonly AnyObject[]> => {
  const kubectl = (args: readonly string[], input = ""): Promise<string> =>
    tools.kubectl(["--kubeconfig", kubeconfig, ...args], input);
  const rows = (await kubectl(["api-resources", "--no-headers"])).trim().split("\n");
  const served = new Set(
    rows.map((line) => line.trim().split(/\s+/).toReversed()).map(([kind, , version]) => `${version}/${kind}`),
  );
  const rendered = await tools.template(values);
  // Workloads run in this process' place.
  const objects = rendered.filter(
    ({ apiVersion, kind, metadata }) =>
      served.has(`${apiVersion}/${kind}`) &&
      metadata.annotations?.["helm.sh/hook"] === undefined &&
      kind !== "Deployment",
  );
  const spaces = new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []));
  for (const name of [releaseNamespace, ...spaces]) {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    await kubectl(["apply", "--server-side", "--filename", "-"], JSON.stringify(namespace));
  }
  await kubectl(
    ["apply", "--server-side", "--force-conflicts", "--validate=strict", "--filename", "-"],
    manifest(objects),
  );
  return objects;
};

export const manifest = (objects: readonly unknown[]): string =>
  objects.map((object) => JSON.stringify(object)).join("\n---\n");

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string }[];
}

/** Writes a kubeconfig of the chart's ServiceAccount beside the admin's, with a fresh token, and returns its path. */
export const accountKubeconfig = async (
  { kubeconfig, client }: KubeApi,
  tools: KubeTools,
  account = "aetherv",
): Promise<string> => {
  const text = await tools.kubectl(["--kubeconfig", kubeconfig, "config", "view", "--raw", "--output", "json"]);
  const config = JSON.parse(text) as Kubeconfig;
  const { status } = await client.call<{ status: { token: string } }>({
    verb: "create",
    path: `/api/v1/namespaces/${releaseNamespace}/serviceaccounts/${account}/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [] } },
  });
  const context = { cluster: config.clusters[0]?.name, user: account, namespace: releaseNamespace };
  const own = {
    apiVersion: "v1",
    kind: "Config",
    clusters: config.clusters,
    users: [{ name: account, user: { token: status.token } }],
    contexts: [{ name: account, context }],
    "current-context": account,
  };
  const path = join(dirname(kubeconfig), `kubeconfig-${account}`);
  await writeFile(path, JSON.stringify(own), { mode: 0o600 });
  return path;
};
