import type { Command } from "commander";
import type { Resource } from "../api/resource.ts";
import type { Backup, ControlPlane, DraftDocument, FileProblem } from "../server/control.ts";
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
      readonly namespaces: "all" | readonly string[];
      /** Whether VMHosts may have agents as processes of this machine. */
      readonly localHosts: "allowed" | "refused";
    };

export interface RunOptions {
  readonly source: Source;
  readonly data: string;
  readonly logLevel?: string;
  readonly exitWhenReady: boolean;
  readonly deadlineMs?: number;
  /** Text shown once all is Ready the first time, from the file of that name. */
  readonly welcome?: string;
}

/** All that commands get from the outside; the wiring makes it, tests make their own. */
export interface Context {
  readonly version: string;
  readonly terminal: Terminal;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly defaultData: string;
  now(): Date;
  /** The running control plane of a data folder, or else its store, read-only. */
  connect(data: string): Promise<ControlPlane>;
  /** As `connect`, but refuses (Unavailable) when no control plane runs. */
  connectRunning(data: string): Promise<ControlPlane>;
  /** A control plane for plans only, over these documents: reads their hosts itself (hello and inventory). */
  connectForPlan(data: string): Promise<ControlPlane>;
  readManifests(paths: readonly string[]): Promise<ReadManifests>;
  /** All of STDIN. */
  readInput(): Promise<string>;
  run(options: RunOptions): Promise<number>;
  writeBackup(folder: string, backup: Backup): Promise<void>;
  readBackup(folder: string, data: string): Promise<Backup>;
  /** Setup and diagnosis of hosts over SSH. */
  readonly hosts: HostTools;
  readonly simulator: (data: () => string) => Command;
}

/** What every command is made with. `exit` sets the exit code; `data` and `namespace` are the options' values. */
export interface Tools {
  readonly context: Context;
  readonly colours: Colours;
  readonly data: () => string;
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
