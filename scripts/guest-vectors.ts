/** Makes test/fixtures/guest: what the control plane, the simulated guest and both guest agents must agree on. Keys and nonces are new at each run. */
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCases } from "./guest/cases.ts";
import { makeKeys } from "./guest/keys.ts";
import { poolCase, reportCases } from "./guest/reports.ts";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "test/fixtures/guest");
const write = (name: string, value: unknown): void =>
  writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);

rmSync(join(folder, "open"), { recursive: true, force: true });
mkdirSync(join(folder, "open"), { recursive: true });
const keys = makeKeys();
write("keys.json", keys);
for (const one of await openCases(keys)) write(`open/${one.name}.json`, one);
write("report.json", reportCases(keys));
write("pool.json", poolCase());
console.log(`written: ${folder} (${createHash("sha256").update(JSON.stringify(keys)).digest("hex").slice(0, 12)})`);
