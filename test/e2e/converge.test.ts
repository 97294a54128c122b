import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Rig } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.dispose());

describe("the samples", () => {
  it("converge, and a second start does no work", { timeout: 120_000 }, async () => {
    rig = await Rig.make();
    await rig.start();
    await rig.ready(30);
    const hv1 = await rig.inventory("hv1");
    const hv2 = await rig.inventory("hv2");
    const machines = [...hv1.vms, ...hv2.vms].map(({ name, state }) => `${name} ${state}`).sort();
    expect(machines).toEqual([
      "build Off",
      "db Running",
      "desktop-1 Running",
      "desktop-2 Running",
      "files Running",
      "legacy Running",
      "shop Running",
      "web Running",
    ]);
    const files = hv1.vms.find(({ name }) => name === "files");
    expect(files).toMatchObject({ generation: 2, tpm: true });
    expect([...hv1.vms, ...hv2.vms].find(({ name }) => name === "legacy")).toMatchObject({ generation: 1 });
    const children = hv2.disks.filter(({ parentPath }) => parentPath !== undefined);
    expect(new Set(children.map(({ parentPath }) => parentPath)).size).toBe(1);
    expect(children).toHaveLength(2);
    const jobs = (await rig.jobs()).length;

    expect(await rig.stop()).toBe(0);
    rig.launch("--exit-when-ready", "--deadline", "30s");
    expect(await rig.exited()).toBe(0);
    expect(rig.said).toContain("Nothing was to do");
    const { out } = await rig.cli("jobs", "--limit", "1000", "-o", "json");
    expect(JSON.parse(out) as unknown[]).toHaveLength(jobs);
  });

  it("tell after the deadline what is missing", { timeout: 60_000 }, async () => {
    rig = await Rig.make();
    await rig.edit("web.yaml", "image: debian-12", "image: no-such-image");
    rig.launch("--exit-when-ready", "--deadline", "20s");
    expect(await rig.exited()).toBe(1);
    expect(rig.said).toMatch(
      /not all objects are Ready in time:[^]*virtualmachine\/web: WaitingForHost: .*image no-such-image missing/,
    );
  });
});

describe("the data folder", () => {
  it("belongs to one process, and its socket to its owner", { timeout: 60_000 }, async () => {
    rig = await Rig.make({ manifests: { "empty.yaml": "" }, hosts: [] });
    await rig.start();
    expect((await stat(join(rig.data, "aetherv.sock"))).mode & 0o777).toBe(0o600);
    const second = await rig.cli("run", "--files", rig.files);
    expect(second.code).toBe(1);
    expect(second.err).toMatch(/the data folder .* is in use by process \d+/);
    expect((await rig.client.status()).mode).toBe("running");
  });
});
