// `npm run crash`: kills real processes at every enumerated point, in file mode, over an API server, and inside the PowerShell agent.
// Words: files, kubernetes, powershell (all without one); --only TEXT, --from N and --count N choose points of each; --width N runs side by side.
import { parseArgs } from "node:util";
import { startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { clusterBench, fileBench } from "./bench.ts";
import { crashAt, type Tally } from "./campaign.ts";
import { pointText, type Point } from "./points.ts";
import { crashPowerShell } from "./powershell.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, from: { type: "string" }, count: { type: "string" }, width: { type: "string" } },
});

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const told = (line: string): void => void process.stdout.write(`${line}\n`);
const width = Number(values.width ?? 4);
const from = Number(values.from ?? 0);
const choose = (points: readonly Point[]): readonly Point[] =>
  points
    .filter((point) => pointText(point).includes(values.only ?? ""))
    .slice(from, values.count === undefined ? undefined : from + Number(values.count));

const overFiles = (): Promise<Tally> =>
  crashAt({ benches: Array.from({ length: width }, () => fileBench), choose, told });

const overClusters = async (): Promise<Tally> => {
  const servers: KubeApi[] = [];
  try {
    for (let count = 0; count < width; count += 1) {
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
let failed = 0;
for (const name of chosen) {
  const mode = modes[name];
  if (!mode) throw new Error(`no mode ${name}: ${Object.keys(modes).join(", ")}`);
  const began = Date.now();
  const { points, tried, struck, failures } = await mode();
  const seconds = Math.round((Date.now() - began) / 1000);
  told(`${name}: ${points.length} points, ${tried} tried, ${struck} struck, ${failures.length} failed, ${seconds} s`);
  failed += failures.length;
}
process.exit(failed > 0 ? 1 : 0);
