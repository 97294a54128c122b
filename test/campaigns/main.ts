// npm run campaign: sequences of edits over every field; see `usage` below.
import { commandLine, wholeNumber } from "../support/commandLine.ts";
import { allEdits } from "./edits.ts";
import { hands } from "./deck.ts";
import { sequence } from "./sequence.ts";

const usage = `Usage: npm run campaign -- [options]

  --seeds N    how many sequences of edits (default 100)
  --from S     seed of the first one (default 1)
  --size K     edits of each (default 6)

Exit code: 0 each ended as a fresh deployment of its last spec, 1 one did not, 2 wrong options.`;

const { values } = commandLine(usage, {
  options: { seeds: { type: "string" }, from: { type: "string" }, size: { type: "string" } },
});
const from = wholeNumber(values.from ?? "1", "--from");
const seeds = wholeNumber(values.seeds ?? "100", "--seeds");
const deal = hands(from, wholeNumber(values.size ?? "6", "--size"));
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
  const done = seed - from + 1;
  if (done % 25 === 0 && done < seeds) say(`${done}/${seeds} sequences, ${sums.failed} failed`);
}
say(
  `${seeds} sequences from seed ${from}: ${sums.accepted} edits accepted, ${seen.size} of ${allEdits.length} kinds of edit; ` +
    `${sums.compared} ends compared with a fresh deployment, ${sums.reverted} restored, ${sums.failed} failed`,
);
process.exit(sums.failed > 0 ? 1 : 0);
