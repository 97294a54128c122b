import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../../unit/guest-linux/rig.ts";

test("the medium has cloud-init's label and files, and an agent that can be run", { timeout: 120_000 }, (context) => {
  if (spawnSync("xorriso", ["-version"]).status !== 0) return context.skip("xorriso is not installed");
  const folder = mkdtempSync(join(tmpdir(), "aetherv-iso-"));
  try {
    const image = join(folder, "guest.iso");
    const built = spawnSync(process.execPath, [join(repository, "scripts/build-iso.ts"), image], { encoding: "utf8" });
    expect(built).toMatchObject({ status: 0, stdout: `${image}\n` });
    const read = spawnSync("xorriso", ["-indev", image, "-pvd_info", "-find", "/", "-maxdepth", "2"], {
      encoding: "utf8",
    });
    expect(read.stdout).toMatch(/Volume Id\s*: CIDATA/);
    expect(read.stdout.split("\n")).toEqual(
      expect.arrayContaining([
        "'/meta-data'",
        "'/user-data'",
        "'/linux/install.sh'",
        "'/linux/aetherv-guest'",
        "'/WINPROVISIONING'",
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
