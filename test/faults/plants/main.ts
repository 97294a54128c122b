/**
 * npm run simulate:plants -- [--seeds N] [--from S] [--workers W] [--only NAME,NAME]
 * Plants each bug in turn and tells which seed found it. Exit code 1: one was not found within so many seeds.
 */
import { parseArgs } from "node:util";
import { findPlant } from "./find.ts";
import { plants } from "./plants.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    only: { type: "string" },
  },
});
const wanted = values.only?.split(",");
const chosen = plants.filter(({ name }) => wanted === undefined || wanted.includes(name));
const width = Math.max(...chosen.map(({ name }) => name.length));
let missed = 0;
for (const plant of chosen) {
  const { seeds, from, workers } = values;
  const found = await findPlant(plant, { seeds: Number(seeds), from: Number(from), workers: Number(workers) });
  if (!found) missed += 1;
  const said = found ? `seed ${found.seed} of ${found.tried}: ${found.how}` : `NOT FOUND within ${seeds} seeds`;
  process.stdout.write(`${plant.name.padEnd(width)}  ${said.slice(0, 160)}\n`);
}
process.stdout.write(`${chosen.length - missed} of ${chosen.length} planted bugs were found\n`);
process.exitCode = missed > 0 ? 1 : 0;
