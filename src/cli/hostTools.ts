import type { VMHost } from "../api/generated/types.ts";

/** One thing that was looked at on the way to a host's agent. `help`: what to do about it. */
export interface CheckStep {
  readonly name: string;
  readonly verdict: "ok" | "warning" | "failed" | "skipped";
  readonly text: string;
  readonly help?: string;
}

/** Where a command finds the login of a host. */
export interface LoginSource {
  /** Manifest files and folders, for the Secret that the VMHost names. */
  readonly files: readonly string[];
  /** A private key's file, in place of the Secret. */
  readonly identity?: string;
  /** In place of the VMHost's user. */
  readonly user?: string;
}

/** What `aetherv host` does on hosts; the wiring makes it. */
export interface HostTools {
  /** Each step as it is done; the steps after a failed one are skipped. */
  check(host: VMHost, login: LoginSource, signal: AbortSignal): AsyncIterable<CheckStep>;
  /** The setup script, with the public half of the login's key. Throws a ControlError. */
  prepareScript(host: VMHost, login: LoginSource): Promise<string>;
  /** Runs a script on the host as an administrator; gives its output. */
  runScript(host: VMHost, script: string, administrator: LoginSource, signal: AbortSignal): AsyncIterable<string>;
  /** Sets the epoch of a control plane on the host. */
  takeOver(host: VMHost, login: LoginSource, fence: { readonly id: string; readonly epoch: number }): Promise<void>;
}
