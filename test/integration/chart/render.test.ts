import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { startKubeApi } from "../../support/kubeApi.ts";
import { kubeTools, root, runTool, typeErrors, type AnyObject } from "../../support/kubeTools.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const tools = await kubeTools();
const monitoring = { serviceMonitor: { enabled: true }, rules: { enabled: true }, dashboard: { enabled: true } };

const valueSets: readonly {
  readonly why: string;
  readonly values: Record<string, unknown>;
  readonly kinds?: string;
}[] = [
  { why: "defaults", values: {} },
  { why: "two replicas get a budget", values: { replicas: 2 }, kinds: "PodDisruptionBudget" },
  {
    why: "a journal on a volume",
    values: { persistence: { enabled: true, storageClass: "fast" } },
    kinds: "PersistentVolumeClaim",
  },
  { why: "a claim that is there", values: { persistence: { enabled: true, existingClaim: "journal" } } },
  {
    why: "a list of namespaces",
    values: { namespaces: ["web", "db"], rbac: { secretNamespaces: ["logins", "default"] } },
  },
  { why: "of these, the release's own and default", values: { namespaces: ["aetherv-system", "default"] } },
  { why: "named Secrets only", values: { rbac: { secretNames: ["hv1", "hv2"] } } },
  { why: "all of monitoring", values: { metrics: monitoring }, kinds: "ServiceMonitor PrometheusRule ConfigMap" },
  {
    why: "a closed network",
    values: { networkPolicy: { enabled: true, metricsFrom: [{ podSelector: {} }], hostCidrs: ["10.1.0.0/16"] } },
    kinds: "NetworkPolicy",
  },
  {
    why: "an identity to take over",
    values: { controlPlaneId: "0f8fad5b-d9cb-469f-a165-70867728950e" },
    kinds: "ConfigMap",
  },
  {
    why: "others make accounts and roles",
    values: { serviceAccount: { create: false, name: "given" }, rbac: { create: false, userRoles: false } },
  },
  {
    why: "no definitions, no hooks, no policy",
    values: {
      crds: { install: false },
      tests: { enabled: false },
      uninstall: { check: false },
      deletionProtection: { policy: false },
    },
  },
  { why: "a forced uninstall", values: { uninstall: { force: true }, crds: { keep: false } } },
  { why: "asked by kubectl aetherv", values: { cli: { enabled: true }, networkPolicy: { enabled: true } } },
  {
    why: "asked by kubectl aetherv, shared by shards",
    values: { replicas: 3, shards: 3, cli: { enabled: true }, networkPolicy: { enabled: true } },
  },
  { why: "with the console inside the pod", values: { console: { enabled: true } } },
  {
    why: "with the console over TLS",
    values: {
      console: { enabled: true, tlsSecret: "console-tls", hosts: ["aetherv.example.com"] },
      networkPolicy: { enabled: true },
    },
  },
  { why: "the same over TLS", values: { cli: { enabled: true, tlsSecret: "aetherv-tls" }, namespaces: ["web"] } },
  {
    why: "everything of the pod",
    values: {
      image: { digest: `sha256:${"0".repeat(64)}` },
      imagePullSecrets: [{ name: "registry" }],
      extraArgs: ["--deadline=5m"],
      extraEnv: [{ name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://otel:4318" }],
      allowLocalHosts: true,
      podLabels: { team: "infra" },
      podAnnotations: { note: "yes" },
      tolerations: [{ key: "infra", operator: "Exists" }],
      affinity: { nodeAffinity: {} },
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
      priorityClassName: "system-cluster-critical",
      fullnameOverride: "hyperv",
    },
  },
];

const refused: readonly { readonly why: string; readonly values: unknown; readonly says: string }[] = [
  { why: "a misspelt value", values: { replica: 2 }, says: "'replica' not allowed" },
  {
    why: "a misspelt value deeper down",
    values: { metrics: { rules: { enable: true } } },
    says: "'enable' not allowed",
  },
  { why: "a wrong word", values: { logLevel: "verbose" }, says: "/logLevel" },
  {
    why: "replicas with one volume",
    values: { replicas: 2, persistence: { enabled: true } },
    says: "replicas: more than one needs",
  },
  {
    why: "an account of no name",
    values: { serviceAccount: { create: false } },
    says: "serviceAccount.name is needed",
  },
  { why: "no time to end jobs", values: { terminationGracePeriodSeconds: 5 }, says: "/terminationGracePeriodSeconds" },
];

const rulesOf = (objects: readonly AnyObject[]): readonly Rule[] =>
  objects
    .filter(({ kind, metadata }) => kind.endsWith("Role") && !/-(view|edit|cli|ask)$/.test(metadata.name))
    .flatMap(({ rules }) => rules as readonly Rule[]);

describe("the chart", { timeout: 120_000 }, () => {
  if ("skipped" in tools) {
    it("renders", ({ skip }) => skip(tools.skipped));
    return;
  }

  it("passes helm's lint", async () => {
    await tools.helm(["lint", "--strict", "charts/aetherv", "charts/aetherv-crds"]);
  });

  it.each(refused)("refuses $why", async ({ values, says }) => {
    const args = ["template", "x", "charts/aetherv", "--values", "-"];
    const { code, err } = await runTool(tools.helmPath, args, { input: JSON.stringify(values) });
    expect(code).not.toBe(0);
    expect(err).toContain(says);
  });

  it.each(valueSets)("asks for no right but the least: $why", async ({ values }) => {
    for (const { apiGroups, resources, resourceNames, verbs } of rulesOf(await tools.template(values))) {
      expect([...apiGroups, ...resources, ...verbs].some((word) => word.includes("*"))).toBe(false);
      if (!resources.includes("secrets")) continue;
      // The control plane's own key is the one Secret that it writes.
      const own = resourceNames?.includes("aetherv-signer");
      expect([resources, verbs]).toEqual([["secrets"], own ? ["get", "update"] : ["get"]]);
    }
  });

  it("lets replicas ask each other by a token for nothing else, where there are shards and they may be asked", async () => {
    const podOf = async (values: object): Promise<string> =>
      JSON.stringify((await tools.template(values)).find(({ kind }) => kind === "Deployment")?.["spec"]);
    const shared = await podOf({ replicas: 3, shards: 3, cli: { enabled: true } });
    expect(shared).toContain(
      JSON.stringify({ serviceAccountToken: { audience: "aetherv.io", expirationSeconds: 3600, path: "token" } }),
    );
    expect(shared).toContain('"--replica-address=$(POD_IP)","--replica-token=/replica/token"');
    for (const values of [{ cli: { enabled: true } }, { replicas: 3, shards: 3 }])
      expect(await podOf(values)).not.toMatch(/replica-|serviceAccountToken|POD_IP/);
  });

  it("reads only named Secrets where they are named", async () => {
    const rules = rulesOf(await tools.template({ rbac: { secretNames: ["hv1"] }, namespaces: ["web"] }));
    const secrets = rules.filter(({ resources }) => resources.includes("secrets"));
    expect(secrets.map(({ resourceNames }) => resourceNames)).toEqual([["aetherv-signer"], ["hv1"], ["hv1"]]);
  });

  it("has no rights in the cluster but on hosts, where namespaces are listed", async () => {
    const objects = await tools.template({ namespaces: ["web"] });
    const cluster = objects.filter(
      ({ kind, metadata }) => kind === "ClusterRole" && !/-(view|edit|cli|ask)$/.test(metadata.name),
    );
    expect(rulesOf(cluster).flatMap(({ resources }) => resources)).toEqual(["vmhosts", "vmhosts/status"]);
  });

  it("satisfies the Pod Security Standard restricted, with a read-only root", async () => {
    const pods = (await tools.template({ allowLocalHosts: true })).flatMap(({ kind, spec }) => {
      if (kind === "Pod") return [spec];
      return kind === "Deployment" || kind === "Job" ? [(spec as { template: { spec: unknown } }).template.spec] : [];
    });
    expect(pods.length).toBe(3);
    for (const pod of pods)
      expect(pod).toMatchObject({
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            },
          },
        ],
      });
  });

  it("installs exactly the definitions of crds/, in both charts, and keeps them unless told otherwise", async () => {
    const folder = join(root, "crds");
    const own = await Promise.all(
      (await readdir(folder)).map(async (name) => parse(await readFile(join(folder, name), "utf8")) as AnyObject),
    );
    const charts = [
      await tools.template(),
      await tools.template({}, "charts/aetherv-crds"),
      await tools.template({ crds: { keep: false } }),
    ];
    for (const [index, objects] of charts.entries()) {
      const crds = objects.filter(({ kind }) => kind === "CustomResourceDefinition");
      expect(crds.map(({ spec }) => spec)).toEqual(own.map(({ spec }) => spec));
      for (const { metadata } of crds)
        expect(metadata.annotations).toEqual(index === 2 ? undefined : { "helm.sh/resource-policy": "keep" });
    }
  });

  it("is of the version of the package", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    for (const name of ["aetherv", "aetherv-crds"]) {
      const chart = parse(await readFile(join(root, `charts/${name}/Chart.yaml`), "utf8")) as Record<string, unknown>;
      expect([chart["version"], chart["appVersion"]]).toEqual([version, version]);
    }
  });

  it("lists every kind for Artifact Hub", async () => {
    const chart = parse(await readFile(join(root, "charts/aetherv/Chart.yaml"), "utf8")) as {
      annotations: Record<string, string>;
    };
    const listed = parse(chart.annotations["artifacthub.io/crds"] ?? "") as { name: string }[];
    const crds = (await tools.template({}, "charts/aetherv-crds")).map(({ metadata }) => metadata.name);
    expect(listed.map(({ name }) => name).sort()).toEqual([...crds].sort());
  });
});

describe("what the chart renders is accepted", { timeout: 240_000 }, async () => {
  const api = await startKubeApi();
  if ("skipped" in api || "skipped" in tools) {
    it("by an API server", ({ skip }) =>
      skip("skipped" in api ? api.skipped : "skipped" in tools ? tools.skipped : ""));
    return;
  }
  const kubectl = (args: readonly string[], input = ""): Promise<string> =>
    tools.kubectl(["--kubeconfig", api.kubeconfig, ...args], input);
  let served = new Set<string>();

  beforeAll(async () => {
    for (const namespace of ["aetherv-system", "web", "db", "logins"])
      await kubectl(["create", "namespace", namespace]);
    const rows = (await kubectl(["api-resources", "--no-headers"])).trim().split("\n");
    served = new Set(
      rows.map((line) => line.trim().split(/\s+/).toReversed()).map(([kind, , version]) => `${version}/${kind}`),
    );
  });
  afterAll(() => api.stop());

  it.each(valueSets)("by the API server, or by its kind's types: $why", async ({ values, kinds = "" }) => {
    const objects = await tools.template(values);
    const isServed = ({ apiVersion, kind }: AnyObject): boolean => served.has(`${apiVersion}/${kind}`);
    const asked = objects.filter(isServed);
    const args = ["apply", "--dry-run=server", "--validate=strict", "--filename", "-"];
    await kubectl(args, asked.map((object) => JSON.stringify(object)).join("\n---\n"));
    expect(await typeErrors(objects.filter(({ kind }) => kind !== "CustomResourceDefinition"))).toBe("");
    for (const kind of kinds.split(" ").filter(Boolean)) expect(objects.map((object) => object.kind)).toContain(kind);
  });

  it("which also finds what is wrong", async () => {
    const objects = structuredClone(await tools.template()) as unknown as { kind: string; spec: { replcas: number } }[];
    const deployment = objects.find(({ kind }) => kind === "Deployment");
    if (deployment) deployment.spec.replcas = 2;
    expect(await typeErrors(objects.filter((object) => object === deployment) as unknown as AnyObject[])).toContain(
      "replcas",
    );
  });

  it("and the policy refuses to delete what is protected, naming the field, until it is not", async () => {
    const policy = (await tools.template()).filter(({ kind }) => kind.startsWith("ValidatingAdmissionPolicy"));
    await kubectl(["apply", "--filename", "-"], policy.map((object) => JSON.stringify(object)).join("\n---\n"));
    const disk = (name: string, deletionProtection: boolean): string =>
      JSON.stringify({
        apiVersion: "aetherv.io/v1alpha1",
        kind: "VirtualDisk",
        metadata: { name, namespace: "web" },
        spec: { source: { type: "Blank" }, size: "1Gi", deletionProtection },
      });
    await kubectl(["apply", "--filename", "-"], disk("kept", true));
    // The policy is in force a moment after it was made: objects nobody protects are deleted until then, too.
    const args = ["--kubeconfig", api.kubeconfig, "--namespace", "web", "delete", "avd", "kept"];
    await expect
      .poll(async () => (await runTool(tools.kubectlPath, [...args, "--dry-run=server"])).code, { timeout: 60_000 })
      .not.toBe(0);
    const { err } = await runTool(tools.kubectlPath, args);
    expect(err).toContain("spec.deletionProtection of VirtualDisk kept is true: set it to false first");
    await kubectl(["apply", "--filename", "-"], disk("free", false));
    await kubectl(["--namespace", "web", "delete", "avd", "free"]);
    await kubectl(["apply", "--filename", "-"], disk("kept", false));
    await kubectl(["--namespace", "web", "delete", "avd", "kept"]);
  });
});
