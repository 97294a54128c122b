// npm run fuzz: every reader of what strangers write; see `usage` below.
import { commandLine, oneOf, wholeNumber } from "../support/commandLine.ts";
import { ensurePowerShell } from "../../scripts/rigs/powershell.mjs";
import { FuzzError, fuzz, type Target } from "./fuzzer.ts";
import { targets } from "./targets/index.ts";
import { powershellTarget } from "./targets/powershell.ts";

const usage = `Usage: npm run fuzz -- [TARGET...] [options]

  --seconds N    for so long in all (default 600)
  --seed N       of the random inputs (default: another at each run; it is told)

Targets: ${[...targets.map(({ name }) => name), "powershell"].join(", ")} (all without one).
Exit code: 0 nothing found, 1 an input that breaks a promise (it is told), 2 wrong options.`;

const { values, positionals } = commandLine(usage, {
  allowPositionals: true,
  options: { seconds: { type: "string" }, seed: { type: "string" } },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seed = wholeNumber(values.seed ?? String(Date.now() % 1_000_000), "--seed");
const allSeconds = wholeNumber(values.seconds ?? "600", "--seconds");
for (const name of positionals) oneOf(name, [...targets.map((target) => target.name), "powershell"], "a target");

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
const seconds = allSeconds / Math.max(1, chosen.length);
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
