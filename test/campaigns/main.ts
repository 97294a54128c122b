// `npm run campaign -- --seeds N [--from S] [--size K]`: N sequences of K edits each, by the seed of each.
import { parseArgs } from "node:util";
import { allEdits } from "./edits.ts";
import { hands } from "./deck.ts";
import { sequence } from "./sequence.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, from: { type: "string" }, size: { type: "string" } },
});
const from = Number(values.from ?? 1);
const seeds = Number(values.seeds ?? 100);
const deal = hands(from, Number(values.size ?? 6));
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seen = new Set<unknown>();
const sums = { compared: 0, reverted: 0, failed: 0, accepted: 0 };
for (let seed = from; seed < from + seeds; seed += 1) {
  const edits = deal.next().value;
  try {
    const { accepted, compared, reverted } = await sequence(seed, edits);
    for (const edit of accepted) seen.add(edit);
    sums.accepted += accepted.length;
    if (compared) sums.compared += 1;
    if (reverted) sums.reverted += 1;
  } catch (error) {
    sums.failed += 1;
    say(`FAIL seed ${seed} (--from ${from}): ${String(error).slice(0, 3000)}\nedits: ${JSON.stringify(edits)}`);
  }
}
say(
  `${seeds} sequences from seed ${from}: ${sums.accepted} edits accepted, ${seen.size} of ${allEdits.length} kinds of edit; ` +
    `${sums.compared} ends compared with a fresh deployment, ${sums.reverted} restored, ${sums.failed} failed`,
);
process.exit(sums.failed > 0 ? 1 : 0);
