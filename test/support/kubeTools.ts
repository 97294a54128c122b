import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { ensureKubectl } from "../../scripts/rigs/kubectl.ts";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** An object of any kind, as YAML has it. */
export interface AnyObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [more: string]: unknown;
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end; `input` goes to its STDIN. */
export const runTool = (
  command: string,
  args: readonly string[],
  { input = "", env = {} }: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env } });
    const said = { out: "", err: "" };
    child.stdout.on("data", (part: Buffer) => (said.out += String(part)));
    child.stderr.on("data", (part: Buffer) => (said.err += String(part)));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, ...said }));
    // A program that ends before it has read all is judged by its exit code.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });

/** As runTool, but a failure is an error with what the program said. */
const must = async (command: string, args: readonly string[], input = ""): Promise<string> => {
  const { code, out, err } = await runTool(command, args, { input });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${err.slice(-4000)}`);
  return out;
};

/** Objects of a text, in order. Duplicate keys are an error, as kubectl's strict decoding has it. */
export const objectsOf = (text: string): readonly AnyObject[] =>
  parseAllDocuments(text, { version: "1.1" }).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw error;
    const object = document.toJS() as AnyObject | null;
    return object === null ? [] : [object];
  });

/** kubectl and helm. */
export class KubeTools {
  readonly kubectlPath: string;
  readonly helmPath: string;

  constructor(kubectl: string, helm: string) {
    this.kubectlPath = kubectl;
    this.helmPath = helm;
  }

  /** kubectl's output; an error where it fails. */
  kubectl(args: readonly string[], input = ""): Promise<string> {
    return must(this.kubectlPath, args, input);
  }

  /** helm's output; an error where it fails. */
  helm(args: readonly string[], input = ""): Promise<string> {
    return must(this.helmPath, args, input);
  }

  /** What `helm install aetherv` into aetherv-system would apply, with these values (YAML or JSON). */
  async template(values: unknown = {}, chart = "charts/aetherv"): Promise<readonly AnyObject[]> {
    const args = ["template", "aetherv", chart, "--namespace", "aetherv-system", "--values", "-"];
    return objectsOf(await this.helm(args, JSON.stringify(values)));
  }
}

/** The tools, or why there are none. */
export const kubeTools = async (): Promise<KubeTools | { readonly skipped: string }> => {
  const rig = await ensureKubectl();
  return rig.kind === "skipped" ? { skipped: rig.why } : new KubeTools(rig.kubectl, rig.helm);
};

const moduleOf: Readonly<Record<string, string>> = {
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator/monitoring.coreos.com",
  "argoproj.io": "@kubernetes-models/argo-cd/argoproj.io",
  "kustomize.toolkit.fluxcd.io": "@kubernetes-models/flux-cd/kustomize.toolkit.fluxcd.io",
  "helm.toolkit.fluxcd.io": "@kubernetes-models/flux-cd/helm.toolkit.fluxcd.io",
  "source.toolkit.fluxcd.io": "@kubernetes-models/flux-cd/source.toolkit.fluxcd.io",
};

const typeImport = ({ apiVersion, kind }: AnyObject): string => {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const module = group === "" ? "kubernetes-models" : (moduleOf[group ?? ""] ?? `kubernetes-models/${group}`);
  return `import("${module}/${version}/${kind}").I${kind}`;
};

/**
 * What is wrong with objects by their kinds' types, as the compiler tells: unknown and missing fields, wrong types and words. For kinds
 * that the API server of the tests does not serve; the types are made from Kubernetes' and the operators' schemas.
 */
export const typeErrors = async (objects: readonly AnyObject[]): Promise<string> => {
  const cache = join(root, ".cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "manifest-types-"));
  try {
    const lines = objects.map(
      (object, index) => `export const object${index}: ${typeImport(object)} = ${JSON.stringify(object, null, 1)};\n`,
    );
    await writeFile(join(folder, "package.json"), `{"type":"module"}`);
    await writeFile(join(folder, "objects.ts"), lines.join("\n"));
    const flags = [
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--target",
      "es2024",
    ];
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const { code, out } = await runTool(process.execPath, [compiler, ...flags, join(folder, "objects.ts")]);
    return code === 0 ? "" : out;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
