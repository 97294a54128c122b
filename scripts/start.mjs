// `npm start`: everything from a fresh clone to a running control plane over two simulated hosts.
// Plain JavaScript without dependencies: it runs before they are installed, on Node 20 too.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, install, nodeBinary } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const help = `npm start [-- OPTIONS]

Installs what is missing, builds, starts a control plane over manifests/samples with two simulated hosts, and shows how
all becomes Ready. Its state lies in ./aetherv-data.

  --exit-when-ready    end with 0 once all objects are Ready, with 1 and the reasons after the deadline
  --deadline TIME      for --exit-when-ready, as 5m (default) or 90s
  --files DIR          other manifests than manifests/samples
  --data DIR           another data folder than ./aetherv-data
  --console-address A  where the console is (127.0.0.1:8480, or a free port if that one is taken)
  --log-level LEVEL    also log to STDERR: debug, info, warn or error
`;

const words = process.argv.slice(2);
if (words.includes("--help") || words.includes("-h")) {
  process.stdout.write(help);
  process.exit(0);
}

/** The option's value, or what stands for it. */
const option = (name, fallback) => {
  const at = words.findIndex((word) => word === name || word.startsWith(`${name}=`));
  if (at < 0) return fallback;
  const word = words[at];
  return word === name ? words[at + 1] : word.slice(name.length + 1);
};

const files = option("--files", relative(process.cwd(), join(root, "manifests/samples")) || ".");
const data = option("--data", "aetherv-data");

await install(root);
await build(root);

/** Whether nobody listens on the port. */
const isFree = (port) =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });

const consolePort = 8480;
const consoleAddress = option("--console-address", `127.0.0.1:${(await isFree(consolePort)) ? consolePort : 0}`);

const passed = ["--exit-when-ready", "--deadline", "--log-level"].flatMap((name) => {
  if (!words.some((word) => word === name || word.startsWith(`${name}=`))) return [];
  return name === "--exit-when-ready" ? [name] : [name, option(name, "")];
});
const isSample = option("--files", undefined) === undefined;
const args = [join(root, "dist/src/app/main.js"), "run", "--files", files, "--data", data, ...passed];
if (!words.includes("--exit-when-ready")) args.push("--console-address", consoleAddress);
if (isSample && !words.includes("--exit-when-ready"))
  args.push("--welcome", join(root, "manifests/samples/WELCOME.txt"));

process.stdout.write(
  `> aetherv run --files ${files} --data ${data}${passed.length > 0 ? ` ${passed.join(" ")}` : ""}\n\n`,
);
const child = spawn(nodeBinary(root), args, { stdio: "inherit" });
// A terminal's Ctrl-C reaches the child by itself; a kill of this process must, too. The child ends when its jobs have.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
child.on("error", (error) => {
  process.stderr.write(`cannot start ${nodeBinary(root)}: ${error.message}\n`);
  process.exit(1);
});
