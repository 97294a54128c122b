import { TransportError, type AgentChannel, type Logger, type Transport } from "../../engine/ports.ts";
import { fault } from "../../protocol/errors.ts";
import type { Bundle } from "./bundle.ts";
import type { Gate } from "./gate.ts";

/** The stub of one host (agents/hyperv/stub.ps1), however it is reached; SshHost is one. */
export interface Stub {
  open(words: readonly ["session", string], signal: AbortSignal): Promise<AgentChannel>;
  /** Rejects with a TransportError when the stub refused: nothing was done. */
  run(
    words: readonly ["oneshot" | "upload" | "prune", string],
    options: { readonly input?: string; readonly onError?: (line: string) => void; readonly signal: AbortSignal },
  ): Promise<{ readonly stdout: string; readonly exitCode: number }>;
}

export interface DeployedOptions {
  readonly host: string;
  readonly stub: Stub;
  readonly bundle: () => Promise<Bundle>;
  /** Shared by all hosts: how many are deployed to at a time. */
  readonly gate: Gate;
  readonly log: Logger;
  /** Milliseconds for one upload. */
  readonly uploadMs?: number;
}

const UPLOAD_MS = 60_000;
/** Between two removals of old versions: an agent of one may still have been at a job. */
const PRUNE_EVERY_MS = 3_600_000;

/**
 * Reaches the agent of exactly this control plane's bundle: it is asked for by its hash, and put on the host first when
 * the stub says that it is not there, or not whole.
 */
export class DeployedTransport implements Transport {
  readonly #options: DeployedOptions;
  #deploying: Promise<void> | undefined;
  #prunedAt = -Infinity;

  constructor(options: DeployedOptions) {
    this.#options = options;
  }

  async session(signal: AbortSignal): Promise<AgentChannel> {
    const { stub } = this.#options;
    return await this.#withAgent(async (sha256) => {
      const channel = await stub.open(["session", sha256], signal);
      this.#prune(sha256);
      return channel;
    });
  }

  async oneShot(input: string, onError: (line: string) => void, signal: AbortSignal) {
    const { stub } = this.#options;
    return await this.#withAgent((sha256) => stub.run(["oneshot", sha256], { input, onError, signal }));
  }

  async #withAgent<T>(start: (sha256: string) => Promise<T>): Promise<T> {
    const bundle = await this.#options.bundle();
    try {
      return await start(bundle.sha256);
    } catch (error) {
      if (!(error instanceof TransportError) || error.fault.code !== "VersionMismatch") throw error;
    }
    // Not bound to this attempt's patience: on a slow line the next attempt finds it done.
    this.#deploying ??= this.#deploy(bundle).finally(() => (this.#deploying = undefined));
    await this.#deploying;
    return await start(bundle.sha256);
  }

  async #deploy(bundle: Bundle): Promise<void> {
    const { host, stub, gate, log, uploadMs = UPLOAD_MS } = this.#options;
    await gate.run(async () => {
      const began = performance.now();
      const within = AbortSignal.timeout(uploadMs);
      await stub.run(["upload", bundle.sha256], { input: bundle.text, signal: within }).then(
        ({ exitCode }) => exitCode === 0 || failed(host, `its stub ended with exit code ${exitCode}`),
        (error: unknown) => failedAs(host, error),
      );
      log.info({ host, sha256: bundle.sha256, ms: Math.round(performance.now() - began) }, "agent deployed");
    });
    this.#prunedAt = -Infinity;
  }

  /** Removes versions that no agent runs. What is left of them does no harm: nothing waits for it. */
  #prune(sha256: string): void {
    const { host, stub, log, uploadMs = UPLOAD_MS } = this.#options;
    const now = performance.now();
    if (now - this.#prunedAt < PRUNE_EVERY_MS) return;
    this.#prunedAt = now;
    stub.run(["prune", sha256], { signal: AbortSignal.timeout(uploadMs) }).catch((error: unknown) => {
      log.warn({ host, error }, "old versions of the agent could not be removed");
    });
  }
}

const failed = (host: string, text: string): never => {
  throw new TransportError(fault("VersionMismatch", `the agent could not be put on ${host}: ${text}`));
};

/** Keeps the code, so that a full disk or a missing right is told as such. */
const failedAs = (host: string, error: unknown): never => {
  if (!(error instanceof TransportError)) return failed(host, error instanceof Error ? error.message : String(error));
  throw new TransportError(fault(error.fault.code, `the agent could not be put on ${host}: ${error.fault.message}`));
};
