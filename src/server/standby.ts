import { ControlError, type ControlPlane } from "./control.ts";
import type * as Api from "./control.ts";

export interface StandbyOptions {
  readonly status: Omit<Api.ControlStatus, "mode" | "leader" | "folders">;
  /** Who holds the Lease now; undefined when nobody does, or it can't be read. */
  readonly leader: () => Promise<string | undefined>;
}

/** What a process answers that waits for its turn: who leads, and nothing else. */
export class StandbyControl implements ControlPlane {
  readonly #options: StandbyOptions;

  constructor(options: StandbyOptions) {
    this.#options = options;
  }

  async status(): Promise<Api.ControlStatus> {
    const leader = await this.#options.leader();
    return { ...this.#options.status, mode: "standby", folders: [], ...(leader === undefined ? {} : { leader }) };
  }

  hosts = (): Promise<readonly Api.HostReport[]> => Promise.resolve([]);
  problems = (): Promise<Api.FilesReport> => Promise.resolve({ problems: [], missing: [] });
  list = (): Promise<never> => this.#refuse();
  get = (): Promise<never> => this.#refuse();
  annotate = (): Promise<never> => this.#refuse();
  plan = (): Promise<never> => this.#refuse();
  jobs = (): Promise<never> => this.#refuse();
  job = (): Promise<never> => this.#refuse();
  events = (): Promise<never> => this.#refuse();
  inventory = (): Promise<never> => this.#refuse();
  trash = (): Promise<never> => this.#refuse();
  restore = (): Promise<never> => this.#refuse();
  backup = (): Promise<never> => this.#refuse();

  async *watch(): AsyncGenerator<Api.ObjectChange> {
    yield await this.#refuse();
  }

  async *watchJobs(): ReturnType<ControlPlane["watchJobs"]> {
    yield await this.#refuse();
  }

  async *jobLog(): ReturnType<ControlPlane["jobLog"]> {
    yield await this.#refuse();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #refuse(): Promise<never> {
    const leader = await this.#options.leader();
    throw new ControlError(
      "Standby",
      leader === undefined
        ? "this process is a standby, and nobody leads at the moment"
        : `this process is a standby: the leader is ${leader}`,
      "ask the leader: its name begins with that of its pod or machine",
    );
  }
}
