// npm run simulate:plants: plants each known bug in turn and tells which seed found it; see `usage` below.
import { commandLine, oneOf, wholeNumber } from "../../support/commandLine.ts";
import { findPlant } from "./find.ts";
import { plants } from "./plants.ts";

const usage = `Usage: npm run simulate:plants -- [options]

  --seeds N      within how many seeds each bug has to be found (default 2000)
  --from S       the first one (default 1)
  --workers W    processes that share them (default 2)
  --only NAMES   some of ${plants.map(({ name }) => name).join(", ")}

Exit code: 0 all were found, 1 one was not, 2 wrong options.`;

const { values } = commandLine(usage, {
  options: {
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    only: { type: "string" },
  },
});
const names = plants.map(({ name }) => name);
const wanted = values.only?.split(",").map((name) => oneOf(name, names, "--only"));
const [seeds, from, workers] = [values.seeds, values.from, values.workers].map((text, index) =>
  wholeNumber(text, ["--seeds", "--from", "--workers"][index] ?? ""),
) as [number, number, number];
const chosen = plants.filter(({ name }) => wanted === undefined || wanted.includes(name));
const width = Math.max(...chosen.map(({ name }) => name.length));
let missed = 0;
for (const plant of chosen) {
  const found = await findPlant(plant, { seeds, from, workers });
  if (!found) missed += 1;
  const said = found ? `seed ${found.seed} of ${found.tried}: ${found.how}` : `NOT FOUND within ${seeds} seeds`;
  process.stdout.write(`${plant.name.padEnd(width)}  ${said.slice(0, 160)}\n`);
}
process.stdout.write(`${chosen.length - missed} of ${chosen.length} planted bugs were found\n`);
process.exitCode = missed > 0 ? 1 : 0;
