import type { Command } from "commander";
import type { Resource } from "../api/resource.ts";
import type { Backup, ControlPlane, DraftDocument, FileProblem, SecretName } from "../server/control.ts";
import type { ClusterTools, SignerReport } from "./clusterTools.ts";
import type { ConsoleTools } from "./consoleTools.ts";
import type { HostTools } from "./hostTools.ts";
import { coloursFor, type Colours } from "./print/colour.ts";

/** Where a command writes, and what may be drawn there. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly outColour: boolean;
  readonly errColour: boolean;
}

/** Manifest files as read and checked; documents with problems are left out. */
export interface ReadManifests {
  readonly documents: readonly (DraftDocument & { readonly object: Resource })[];
  readonly problems: readonly FileProblem[];
  readonly files: number;
  /** Secrets among the documents. */
  readonly secrets: readonly SecretName[];
  /** Some of what was given was a folder. */
  readonly folder: boolean;
}

/** Where a control plane has its objects from. */
export type Source =
  | { readonly mode: "files"; readonly files: readonly string[]; readonly deletionDelayMs: number }
  | {
      readonly mode: "kubernetes";
      /** Default: what kubectl would take, or the pod's own account. */
      readonly kubeconfig?: string;
      /** Of the kubeconfig; its current one if not given. */
      readonly context?: string;
      readonly namespaces: "all" | readonly string[];
      /** Where callers of the cluster reach the control plane's API; nowhere if not given. */
      readonly api?: {
        readonly host: string;
        readonly port: number;
        readonly tlsFolder?: string;
        /** The address at which other replicas reach it, and the file of the token that they ask each other with. */
        readonly replicas?: { readonly address: string; readonly tokenFile: string };
      };
      /** Whether VMHosts may have agents as processes of this machine. */
      readonly localHosts: "allowed" | "refused";
      /** Over how many shards the hosts are spread, for replicas to share. */
      readonly shards: number;
    };

export interface ConsoleChoice {
  readonly host: string;
  readonly port: number;
  /** Names, besides this machine's, by which browsers call it. */
  readonly names: readonly string[];
  /** Folder with tls.crt and tls.key; plain HTTP, for this machine only, if not given. */
  readonly tlsFolder?: string;
  /** File of tokens in file mode; that of the data folder if not given. */
  readonly tokens?: string;
}

export interface RunOptions {
  readonly source: Source;
  readonly data: string;
  readonly logLevel?: string;
  /** Where /livez, /readyz and /metrics are served; nowhere if not given. */
  readonly metricsAddress?: { readonly host: string; readonly port: number };
  /** Where the console is served; nowhere if not given. */
  readonly console?: ConsoleChoice;
  readonly exitWhenReady: boolean;
  readonly deadlineMs?: number;
  /** Text shown once all is Ready the first time, from the file of that name. */
  readonly welcome?: string;
}

/** Which cluster a command is about; what is not given is as kubectl would take it. */
export interface ClusterChoice {
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Service of the control plane, `NAMESPACE/NAME[:PORT]`, or an http(s) URL of it; else it is looked for. */
  readonly service?: string;
}

/** Which control plane a command is about: that of a data folder, or that of a cluster with the caller's own rights. */
export type Where =
  { readonly at: "data"; readonly data: string } | { readonly at: "cluster"; readonly cluster: ClusterChoice };

/** All that commands get from the outside; the wiring makes it, tests make their own. */
export interface Context {
  readonly version: string;
  readonly terminal: Terminal;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly defaultData: string;
  now(): Date;
  /** The name that people call the program by: `aetherv`, or `kubectl aetherv`, which is about clusters. */
  readonly program: "aetherv" | "kubectl aetherv";
  /** The running control plane, or else the store of its data folder, read-only. */
  connect(where: Where): Promise<ControlPlane>;
  /** As `connect`, but refuses (Unavailable) when no control plane runs. */
  connectRunning(where: Where): Promise<ControlPlane>;
  /** A control plane for plans only, over these documents: reads their hosts itself (hello and inventory). */
  connectForPlan(where: Where): Promise<ControlPlane>;
  /** The namespace that a cluster's context names. */
  namespaceOf(cluster: ClusterChoice): Promise<string>;
  /** The cluster's objects, with what only the caller's own rights give. */
  openCluster(cluster: ClusterChoice): Promise<ClusterTools>;
  readManifests(paths: readonly string[]): Promise<ReadManifests>;
  /** The objects that the deployments among these stand for, as manifests. */
  expand(objects: readonly Resource[]): Promise<readonly unknown[]>;
  /** All of STDIN. */
  readInput(): Promise<string>;
  run(options: RunOptions): Promise<number>;
  writeBackup(folder: string, backup: Backup, data: string): Promise<void>;
  readBackup(folder: string, data: string): Promise<Backup>;
  /** A successor of the data folder's key that signs guest configurations; refused (Conflict) while a control plane has the folder. */
  rotateSigner(data: string): Promise<SignerReport>;
  /** Setup and diagnosis of hosts over SSH. */
  readonly hosts: HostTools;
  /** The console of a data folder. */
  readonly console: ConsoleTools;
  readonly simulator: (data: () => string) => Command;
}

/** What every command is made with. `exit` sets the exit code; `data` and `namespace` are the options' values. */
export interface Tools {
  readonly context: Context;
  readonly colours: Colours;
  readonly data: () => string;
  readonly where: () => Where;
  readonly cluster: () => ClusterChoice;
  readonly namespace: () => string;
  /** Those that were named, separated by commas; all where none was. */
  readonly namespaces: () => "all" | readonly string[];
  readonly exit: (code: number) => void;
}

export const colours = (context: Context): Colours => coloursFor(context.terminal.outColour);

/** Runs `work` with a control plane and closes it whatever happens. */
export const withControl = async <T>(
  control: Promise<ControlPlane>,
  work: (control: ControlPlane) => Promise<T>,
): Promise<T> => {
  const opened = await control;
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
};
