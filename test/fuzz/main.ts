// `npm run fuzz -- --seconds 600 [--seed N] [TARGET...]`: every reader of what strangers write, for so long in all.
import { parseArgs } from "node:util";
import { ensurePowerShell } from "../../scripts/rigs/powershell.mjs";
import { FuzzError, fuzz, type Target } from "./fuzzer.ts";
import { targets } from "./targets/index.ts";
import { powershellTarget } from "./targets/powershell.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string" }, seed: { type: "string" } },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seed = Number(values.seed ?? Date.now() % 1_000_000);

interface Turn {
  readonly name: string;
  readonly target: () => Promise<{ readonly target: Target; end(): Promise<void> }>;
}

const turns: Turn[] = targets.map((target) => ({
  name: target.name,
  target: () => Promise.resolve({ target, end: () => Promise.resolve() }),
}));
const rig = await ensurePowerShell();
if (rig.kind === "skipped") say(`skipped: powershell: ${rig.why}`);
else
  for (const edition of ["5.1", "7"] as const)
    turns.push({ name: "powershell", target: () => powershellTarget(rig, edition) });

const chosen = turns.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0) throw new Error(`no such target: ${positionals.join(", ")}`);
const seconds = Number(values.seconds ?? 600) / chosen.length;
let failed = 0;
for (const turn of chosen) {
  const { target, end } = await turn.target();
  try {
    const { runs, corpus, blocks } = await fuzz(target, seconds, seed);
    say(
      `ok   ${turn.name}: ${runs} inputs in ${Math.round(seconds)} s (seed ${seed}), ${corpus} kept, ${blocks} blocks`,
    );
  } catch (error) {
    if (!(error instanceof FuzzError)) throw error;
    failed += 1;
    say(`FAIL ${error.message}`);
  } finally {
    await end();
  }
}
process.exit(failed > 0 ? 1 : 0);
