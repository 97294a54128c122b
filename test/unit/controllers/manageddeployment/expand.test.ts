import { describe, expect, it } from "vitest";
import { expand, nameProblem, type Child } from "../../../../controllers/manageddeployment/expand.ts";
import type { ManagedDeployment, ManagedDeploymentSpec } from "../../../../src/api/generated/types.ts";
import { issueText, validate } from "../../../../src/api/validate.ts";
import { webSpec } from "./rig.ts";

const deployment = (spec: object, name = "web"): ManagedDeployment => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind: "ManagedDeployment",
  metadata: { name, namespace: "default", uid: "u", generation: 1, resourceVersion: "1", creationTimestamp: "" },
  spec: spec as ManagedDeploymentSpec,
});

const childOf = (spec: object, name: string): Child | undefined =>
  expand(deployment(spec)).find((child) => child.name === name);

describe("expand", () => {
  it("names the machine as the deployment, and all else after it", () => {
    expect(expand(deployment(webSpec)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "VirtualMachine web",
      "VirtualDisk web-system",
      "VirtualDisk web-data",
      "NetworkAdapter web-lan",
    ]);
  });

  it("gives objects that the model takes", () => {
    for (const { kind, name, spec } of expand(deployment(webSpec))) {
      const verdict = validate({
        apiVersion: "aetherv.io/v1alpha1",
        kind,
        metadata: { name, namespace: "default" },
        spec,
      });
      expect(verdict.valid ? [] : verdict.issues.map(issueText)).toEqual([]);
    }
  });

  const vm = webSpec.virtualMachine;
  const disk = (name: string, spec: object): object => ({ ...webSpec, disks: [...webSpec.disks, { name, spec }] });

  it.each([
    {
      why: "short names in the boot order become full names; a DVD drive is the machine's own",
      spec: {
        ...webSpec,
        virtualMachine: {
          ...vm,
          dvdDrives: [{ name: "setup" }],
          boot: {
            order: [
              { type: "DVD", name: "setup" },
              { type: "Disk", name: "system" },
              { type: "NetworkAdapter", name: "lan" },
            ],
          },
        },
      },
      child: "web",
      holds: {
        boot: {
          order: [
            { type: "DVD", name: "setup" },
            { type: "Disk", name: "web-system" },
            { type: "NetworkAdapter", name: "web-lan" },
          ],
        },
      },
    },
    {
      why: "the machine waits for all that belongs to it",
      spec: webSpec,
      child: "web",
      holds: { waitFor: { disks: ["web-system", "web-data"], networkAdapters: ["web-lan"] } },
    },
    {
      why: "its author may say what it waits for",
      spec: { ...webSpec, virtualMachine: { ...vm, waitFor: { disks: ["system"], networkAdapters: ["lan"] } } },
      child: "web",
      holds: { waitFor: { disks: ["web-system"], networkAdapters: ["web-lan"] } },
    },
    {
      why: "every disk is attached; where is its author's to say",
      spec: disk("log", { source: { type: "Blank" }, size: "1Gi", attachment: { controller: "IDE" } }),
      child: "web-log",
      holds: { attachment: { virtualMachine: "web", controller: "IDE" } },
    },
    {
      why: "a source within the deployment goes by its short name",
      spec: disk("copy", { source: { type: "VirtualDisk", disk: "system" } }),
      child: "web-copy",
      holds: { source: { type: "VirtualDisk", disk: "web-system" } },
    },
    {
      why: "another name is that of an object beside the deployment",
      spec: disk("copy", { source: { type: "VirtualDisk", disk: "golden" } }),
      child: "web-copy",
      holds: { source: { type: "VirtualDisk", disk: "golden" } },
    },
    {
      why: "a parent likewise",
      spec: disk("leaf", { source: { type: "Differencing", parent: { type: "VirtualDisk", name: "system" } } }),
      child: "web-leaf",
      holds: { source: { type: "Differencing", parent: { type: "VirtualDisk", name: "web-system" } } },
    },
    {
      why: "an image's name is no short name",
      spec: disk("leaf", { source: { type: "Differencing", parent: { type: "Image", name: "system" } } }),
      child: "web-leaf",
      holds: { source: { type: "Differencing", parent: { type: "Image", name: "system" } } },
    },
    {
      why: "policies are passed on",
      spec: { ...webSpec, deletionPolicy: "Orphan", deletionProtection: true, managementPolicy: "Observe" },
      child: "web-data",
      holds: { deletionPolicy: "Orphan", deletionProtection: true, managementPolicy: "Observe" },
    },
    {
      why: "a child's own word counts more",
      spec: {
        ...disk("log", { source: { type: "Blank" }, size: "1Gi", deletionPolicy: "Delete", deletionProtection: false }),
        deletionPolicy: "Orphan",
        deletionProtection: true,
      },
      child: "web-log",
      holds: { deletionPolicy: "Delete", deletionProtection: false },
    },
    {
      why: "a constant default of the deployment is no word for its children",
      spec: { ...webSpec, managementPolicy: "Manage", deletionProtection: false },
      child: "web-data",
      holds: { source: { type: "Blank" }, size: "10Gi", attachment: { virtualMachine: "web" } },
      exactly: true,
    },
  ])("$why", ({ spec, child, holds, exactly }) => {
    const found = childOf(spec, child)?.spec;
    if (exactly) expect(found).toEqual(holds);
    else expect(found).toMatchObject(holds);
  });

  it("gives no child an annotation that AetherV keeps, or that decides on one object", () => {
    const kept = { note: "x", "aetherv.io/restarted-at": "2026-01-01T00:00:00Z" };
    const words = ["host", "guest-generation", "guest-digest", "from-deployment", "approve", "approve-guest-key"];
    const others = [...words, "confirm-delete", "force-orphan", "reclaim"].map((name) => [`aetherv.io/${name}`, "1"]);
    const childMetadata = { annotations: { ...kept, ...(Object.fromEntries(others) as Record<string, string>) } };
    for (const child of expand(deployment({ ...webSpec, childMetadata }))) expect(child.annotations).toEqual(kept);
  });

  it("gives each child the declared labels and annotations, never the deployment's own", () => {
    const childMetadata = { labels: { tier: "front" }, annotations: { note: "x" } };
    for (const child of expand(deployment({ ...webSpec, childMetadata })))
      expect(child).toMatchObject({ labels: { tier: "front" }, annotations: { note: "x" } });
  });

  it("makes a machine alone of a machine alone", () => {
    const [machine, ...others] = expand(deployment({ virtualMachine: { ...vm, powerState: "Stopped" } }));
    expect(others).toEqual([]);
    expect(machine?.spec).not.toHaveProperty("waitFor");
  });

  it.each([
    { why: "63 characters are possible", length: 63 - "-system".length, told: undefined },
    { why: "64 are not", length: 64 - "-system".length, told: /VirtualDisk .*-system .* 64 characters, at most 63/ },
  ])("$why", ({ length, told }) => {
    const problem = nameProblem(expand(deployment(webSpec, "x".repeat(length))));
    if (told) expect(problem).toMatch(told);
    else expect(problem).toBeUndefined();
  });
});
