// `npm run generate:manifests`: renders manifests/kustomize/base/aetherv.yaml from the chart, with helm of the tests' rig. With --check, only
// tells whether it is current (exit code 1 if not).
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensureKubectl } from "./rigs/kubectl.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, "manifests/kustomize/base/aetherv.yaml");
const head = "# Generated from charts/aetherv by `npm run generate:manifests`.\n";

const rig = await ensureKubectl();
if (rig.kind === "skipped") throw new Error(rig.why);
const args = ["template", "aetherv", "charts/aetherv", "--namespace", "aetherv-system"];
const values = ["--values", "manifests/kustomize/values.yaml"];
const { stdout } = await promisify(execFile)(rig.helm, [...args, ...values], { cwd: root, maxBuffer: 1 << 24 });
const text =
  head +
  stdout
    .replaceAll(/^ +(app\.kubernetes\.io\/managed-by|helm\.sh\/chart): .*\n/gm, "")
    .replaceAll(/^# Source: .*\n/gm, "");
const current = (await readFile(target, "utf8").catch(() => "")) === text;
if (!process.argv.includes("--check")) await writeFile(target, text);
else if (!current) {
  process.stderr.write(
    "manifests/kustomize/base/aetherv.yaml is not what the chart renders: npm run generate:manifests\n",
  );
  process.exitCode = 1;
}
