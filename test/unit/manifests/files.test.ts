import { execFile } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { kinds } from "../../../src/api/kinds.ts";
import { kubeTools, objectsOf, root, typeErrors, type AnyObject } from "../../support/kubeTools.ts";

const tools = await kubeTools();

const yamlOf = async (folder: string): Promise<readonly AnyObject[]> => {
  const names = (await readdir(join(root, folder))).filter((name) => /\.ya?ml$/.test(name));
  const texts = await Promise.all(names.map((name) => readFile(join(root, folder, name), "utf8")));
  return texts.flatMap(objectsOf);
};

describe("manifests", { timeout: 60_000 }, () => {
  it.each(["manifests/argocd", "manifests/flux"])("%s is as the kinds' schemas say", async (folder) => {
    expect(await typeErrors(await yamlOf(folder))).toBe("");
  });

  it("lets Argo CD's project make every cluster-wide kind that the chart has", async ({ skip }) => {
    if ("skipped" in tools) return skip(tools.skipped);
    const project = (await yamlOf("manifests/argocd")).find(({ kind }) => kind === "AppProject");
    const allowed = (project?.spec as { clusterResourceWhitelist: { kind: string }[] }).clusterResourceWhitelist;
    const rendered = (await tools.template()).filter(({ metadata }) => metadata.namespace === undefined);
    const missing = rendered.map(({ kind }) => kind).filter((kind) => !allowed.some((one) => one.kind === kind));
    expect(missing).toEqual([]);
  });

  const overlays = [
    { overlay: "base", replicas: 1, local: false },
    { overlay: "overlays/ha", replicas: 2, local: false },
    { overlay: "overlays/trial", replicas: 1, local: true },
  ];
  for (const { overlay, replicas, local } of overlays)
    it(`kustomize builds ${overlay}`, async ({ skip }) => {
      if ("skipped" in tools) return skip(tools.skipped);
      const built = objectsOf(await tools.kubectl(["kustomize", join(root, "manifests/kustomize", overlay)]));
      const deployments = built.filter(({ kind }) => kind === "Deployment") as unknown as readonly Deployment[];
      expect(deployments.map(({ spec }) => spec.replicas)).toEqual([replicas]);
      const args = deployments.flatMap(({ spec }) => spec.template.spec.containers.flatMap((one) => one.args));
      expect(args.includes("--allow-local-hosts")).toBe(local);
      const crds = built.filter(({ kind }) => kind === "CustomResourceDefinition");
      expect(crds.length).toBe(kinds.length);
      expect(await typeErrors(built.filter((object) => !crds.includes(object)))).toBe("");
    });

  it("kustomize's base is what the chart renders", async ({ skip }) => {
    if ("skipped" in tools) return skip(tools.skipped);
    await promisify(execFile)(process.execPath, [join(root, "scripts/kustomize.ts"), "--check"]);
  });
});

describe("the image", () => {
  it("is made of files that are there and that docker is given", async () => {
    const lines = (await readFile(join(root, "Dockerfile"), "utf8")).split("\n");
    const copied = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(copied.length).toBeGreaterThan(5);
    const given = (await readFile(join(root, ".dockerignore"), "utf8")).split("\n");
    for (const path of copied) {
      await stat(join(root, path));
      expect(given).toContain(`!${path}`);
    }
  });

  it("runs as nobody", async () => {
    expect(await readFile(join(root, "Dockerfile"), "utf8")).toMatch(/^USER 65532:65532$/m);
  });
});

interface Deployment {
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } };
  };
}
