import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chartFiles } from "./generate/charts.ts";
import { metricFiles } from "./generate/metrics.ts";
import { modelFiles } from "./generate/model.ts";
import type { GeneratedFile } from "./generate/model.ts";
import { protocolFiles } from "./generate/protocol.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const check = process.argv.includes("--check");

const current = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

async function* protocol(): AsyncGenerator<GeneratedFile> {
  for (const [path, text] of Object.entries(await protocolFiles())) yield { path, text };
}

const generators = [modelFiles, protocol, chartFiles, metricFiles];
// A file is written at once: what a generator yields next may be made from it.
const stale: string[] = [];
for (const generate of generators) {
  for await (const { path, text } of generate(root)) {
    if (current(join(root, path)) === text) continue;
    stale.push(path);
    if (!check) writeFileSync(join(root, path), text);
  }
}
for (const path of stale) console.log(`${check ? "stale" : "written"}: ${path}`);
if (check && stale.length > 0) process.exitCode = 1;
