import { Command, Option } from "commander";
import { ControlError } from "../../server/control.ts";
import type { RunOptions, Source, Tools } from "../context.ts";
import { collect, parseAddress, parseIp, parseShards, parseDuration, type Address } from "../options.ts";

interface Options {
  readonly files?: readonly string[];
  readonly kubernetes?: true;
  readonly allowLocalHosts?: true;
  readonly apiAddress?: Address;
  readonly apiTlsDir?: string;
  readonly replicaAddress?: string;
  readonly replicaToken?: string;
  readonly shards?: number;
  readonly deletionDelay: number;
  readonly logLevel?: string;
  readonly metricsAddress?: Address;
  readonly consoleAddress?: Address;
  readonly consoleHost?: readonly string[];
  readonly consoleTlsDir?: string;
  readonly consoleTokens?: string;
  readonly exitWhenReady?: true;
  readonly deadline?: number;
  readonly welcome?: string;
}

const notes = `
Files are watched: saving an edit is all it takes. A document that disappears is deleted after --deletion-delay, unless
it comes back. Ctrl-C ends the process; machines go on as they are.

Examples:
  aetherv run --files manifests --data ./aetherv-data
  aetherv run --files manifests --exit-when-ready --deadline 5m   as a step of a pipeline
  aetherv run --kubernetes --namespace web,db                     over a cluster's objects of these namespaces`;

const logLevels = ["debug", "info", "warn", "error"] as const;

/** `aetherv run`: the control plane. */
export const runCommand = (tools: Tools): Command =>
  new Command("run")
    .description("Run the control plane over a folder of YAML files, or over a Kubernetes cluster")
    .option("-f, --files <dir>", "folder with manifest files (again for more)", collect)
    .option("--kubernetes", "over the objects of a cluster; of all namespaces, or of those that --namespace lists")
    .option("--allow-local-hosts", "with --kubernetes: VMHosts may be simulated, or have their agent on this machine")
    .option(
      "--shards <n>",
      "with --kubernetes: shards that the hosts are spread over, for replicas to share (1)",
      parseShards,
    )
    .option("--api-address <host:port>", "with --kubernetes: where `kubectl aetherv` reaches it (off)", parseAddress)
    .option("--api-tls-dir <dir>", "folder with tls.crt and tls.key for --api-address (default: plain HTTP)")
    .option("--replica-address <ip>", "with --shards: where other replicas reach --api-address: the pod's IP", parseIp)
    .option("--replica-token <file>", "token by which replicas ask each other: of their account, for aetherv.io")
    .addOption(
      new Option("--deletion-delay <time>", "wait so long before deleting what a removed document declared")
        .argParser(parseDuration)
        .default(30_000, "30s"),
    )
    .addOption(new Option("--log-level <level>", "also log to STDERR (debug: to aetherv.log, too)").choices(logLevels))
    .option("--metrics-address <host:port>", "serve /livez, /readyz and /metrics there (off)", parseAddress)
    .option("--console-address <host:port>", "serve the console there (off)", parseAddress)
    .option("--console-host <name>", "another name by which browsers call the console (again for more)", collect)
    .option("--console-tls-dir <dir>", "folder with tls.crt and tls.key; needed beyond this machine")
    .option("--console-tokens <file>", "tokens with roles, in file mode (default: console-tokens.json of --data)")
    .option("--exit-when-ready", "end with 0 once all objects are Ready; 1 with the reasons after --deadline")
    .option("--deadline <time>", "for --exit-when-ready (default 5m)", parseDuration)
    .option("--welcome <file>", "text to show once all objects are Ready the first time")
    .addHelpText("after", notes)
    .action(async (options: Options) => {
      tools.exit(
        await tools.context.run({
          source: sourceOf(options, tools),
          data: tools.data(),
          exitWhenReady: options.exitWhenReady === true,
          ...(options.deadline === undefined ? {} : { deadlineMs: options.deadline }),
          ...(options.logLevel === undefined ? {} : { logLevel: options.logLevel }),
          ...(options.metricsAddress === undefined ? {} : { metricsAddress: options.metricsAddress }),
          ...consoleOf(options),
          ...(options.welcome === undefined ? {} : { welcome: options.welcome }),
        }),
      );
    });

const consoleOf = (options: Options): Pick<RunOptions, "console"> => {
  const { consoleAddress, consoleHost, consoleTlsDir, consoleTokens } = options;
  if (consoleAddress === undefined) {
    if ([consoleHost, consoleTlsDir, consoleTokens].some((given) => given !== undefined))
      throw new ControlError(
        "Invalid",
        "--console-host, --console-tls-dir and --console-tokens go with --console-address",
      );
    return {};
  }
  if (consoleTokens !== undefined && options.files === undefined)
    throw new ControlError(
      "Invalid",
      "--console-tokens goes with --files: in Kubernetes mode people log in with tokens of the cluster",
    );
  return {
    console: {
      ...consoleAddress,
      names: consoleHost ?? [],
      ...(consoleTlsDir === undefined ? {} : { tlsFolder: consoleTlsDir }),
      ...(consoleTokens === undefined ? {} : { tokens: consoleTokens }),
    },
  };
};

const sourceOf = (options: Options, tools: Tools): Source => {
  const { files, kubernetes, allowLocalHosts, deletionDelay, apiAddress, shards } = options;
  const { kubeconfig, context } = tools.cluster();
  if ((files === undefined) === (kubernetes === undefined))
    throw new ControlError("Invalid", "give either --files DIR or --kubernetes", "aetherv run --help");
  if (
    files !== undefined &&
    [kubeconfig, context, allowLocalHosts, apiAddress, shards].some((given) => given !== undefined)
  )
    throw new ControlError(
      "Invalid",
      "--kubeconfig, --context, --allow-local-hosts, --api-address and --shards go with --kubernetes",
    );
  const api = apiOf(options);
  if (files !== undefined) return { mode: "files", files, deletionDelayMs: deletionDelay };
  const localHosts = allowLocalHosts === true ? "allowed" : "refused";
  const source = { mode: "kubernetes", namespaces: tools.namespaces(), localHosts, shards: shards ?? 1 } as const;
  return {
    ...source,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ...(api && { api }),
  };
};

type ApiChoice = Extract<Source, { mode: "kubernetes" }>["api"];

const apiOf = ({ apiAddress, apiTlsDir, replicaAddress, replicaToken, shards = 1 }: Options): ApiChoice => {
  if (!apiAddress && [apiTlsDir, replicaAddress, replicaToken].some((given) => given !== undefined))
    throw new ControlError("Invalid", "--api-tls-dir, --replica-address and --replica-token go with --api-address");
  if ((replicaAddress === undefined) !== (replicaToken === undefined))
    throw new ControlError("Invalid", "--replica-address and --replica-token go together");
  if (replicaAddress !== undefined && shards < 2)
    throw new ControlError(
      "Invalid",
      "--replica-address and --replica-token go with --shards of 2 or more: with one, no replica asks another",
    );
  return (
    apiAddress && {
      ...apiAddress,
      ...(apiTlsDir === undefined ? {} : { tlsFolder: apiTlsDir }),
      ...(replicaAddress === undefined || replicaToken === undefined
        ? {}
        : { replicas: { address: replicaAddress, tokenFile: replicaToken } }),
    }
  );
};
