import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { execute } from "./clusterRig.ts";
import { root } from "./rig.ts";

interface Figures {
  readonly objects: number;
  readonly jobs: number;
  readonly writesAnObject: number;
  readonly ratio: number;
  readonly planeRssMiB: number;
  readonly idle: { readonly writes: number; readonly storeFiles: number; readonly jobs: number };
  readonly drift: { readonly samples: number; readonly jobs: number; readonly p50: number; readonly p95: number };
  readonly restartJobs: number;
}

it("the bench brings its machines to Ready, finds silence, and sees every change repaired once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-bench-test-"));
  try {
    const json = join(folder, "bench.json");
    const size = ["--vms", "60", "--hosts", "3", "--factor", "0.1", "--idle", "6", "--drift", "6"];
    const bench = [join(root, "test/bench/main.ts"), "--source", ...size, "--json", json];
    const { code, out, err } = await execute(process.execPath, bench);
    // 1 says that this machine was too busy for a goal, which is no matter here.
    expect([0, 1], err).toContain(code);
    expect(out).toContain("60 VMs");
    const { results } = JSON.parse(await readFile(json, "utf8")) as { results: readonly Figures[] };
    const [figures] = results;
    if (!figures) throw new Error(`no result: ${out}`);
    expect(figures.objects).toBe(180);
    // Create, clone, attach, adapter and power of each.
    expect(figures.jobs).toBeGreaterThanOrEqual(300);
    expect(figures.writesAnObject).toBeLessThanOrEqual(3);
    expect(figures.idle).toMatchObject({ writes: 0, storeFiles: 0, jobs: 0 });
    expect(figures.drift).toMatchObject({ samples: 6, jobs: 6 });
    expect(figures.drift.p95).toBeGreaterThanOrEqual(figures.drift.p50);
    expect(figures.drift.p50).toBeGreaterThan(0);
    expect(figures.ratio).toBeGreaterThanOrEqual(1);
    expect(figures.planeRssMiB).toBeGreaterThan(50);
    expect(figures.restartJobs).toBe(1);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}, 600_000);
