// npm run crash: kills real processes at every enumerated point; see `usage` below.
import { commandLine, oneOf, wholeNumber } from "../support/commandLine.ts";
import { startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { clusterBench, fileBench } from "./bench.ts";
import { crashAt, type Tally } from "./campaign.ts";
import { pointText, type Point } from "./points.ts";
import { crashPowerShell } from "./powershell.ts";

const usage = `Usage: npm run crash -- [MODE...] [options]

Modes (all without one): files, kubernetes (over an API server), powershell (inside the host agent).

  --only TEXT    points whose name has this text
  --from N       leave out the first N of them
  --count N      so many of them
  --width N      worlds side by side (default 4; powershell has one)

Exit code: 0 every point converged, 1 one did not, 2 wrong options.`;

const { values, positionals } = commandLine(usage, {
  allowPositionals: true,
  options: { only: { type: "string" }, from: { type: "string" }, count: { type: "string" }, width: { type: "string" } },
});

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const told = (line: string): void => void process.stdout.write(`${line}\n`);
const width = Math.max(1, wholeNumber(values.width ?? "4", "--width"));
const from = wholeNumber(values.from ?? "0", "--from");
const count = values.count === undefined ? undefined : wholeNumber(values.count, "--count");
const choose = (points: readonly Point[]): readonly Point[] =>
  points
    .filter((point) => pointText(point).includes(values.only ?? ""))
    .slice(from, count === undefined ? undefined : from + count);

const overFiles = (): Promise<Tally> =>
  crashAt({ benches: Array.from({ length: width }, () => fileBench), choose, told });

const overClusters = async (): Promise<Tally> => {
  const servers: KubeApi[] = [];
  try {
    for (let started = 0; started < width; started += 1) {
      const server = await startKubeApi();
      if ("skipped" in server) throw new Error(server.skipped);
      servers.push(server);
    }
    return await crashAt({ benches: servers.map((server) => () => clusterBench(server)), choose, told });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
};

const modes: Readonly<Record<string, () => Promise<Tally>>> = {
  files: overFiles,
  kubernetes: overClusters,
  powershell: () => crashPowerShell({ choose, told }),
};
const chosen = positionals.length > 0 ? positionals : Object.keys(modes);
for (const name of chosen) oneOf(name, Object.keys(modes), "a mode");
let failed = 0;
for (const name of chosen) {
  const mode = modes[name];
  if (!mode) continue;
  const began = Date.now();
  const { points, tried, struck, failures } = await mode();
  const seconds = Math.round((Date.now() - began) / 1000);
  told(`${name}: ${points.length} points, ${tried} tried, ${struck} struck, ${failures.length} failed, ${seconds} s`);
  failed += failures.length;
  if (tried > 0) continue;
  told(`no point was chosen: --only and --from leave none of ${points.length}`);
  process.exit(2);
}
process.exit(failed > 0 ? 1 : 0);
