import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../engine/ports.ts";
import { answers } from "../server/client.ts";
import { ControlError, type ControlPlane } from "../server/control.ts";
import type { Gatekeeper } from "../server/guard.ts";
import { serveRemote, type RemoteOptions } from "../server/remote.ts";
import { serveSocket, type ControlServer, type TlsKeys } from "../server/server.ts";

/** Where callers of the cluster reach the control plane. */
export interface ApiAddress {
  readonly host: string;
  readonly port: number;
  /** Folder with tls.crt and tls.key, as a Secret of type kubernetes.io/tls is mounted; plain HTTP without. */
  readonly tlsFolder?: string;
  /** How replicas that share the hosts ask each other; they don't if not given. */
  readonly replicas?: ReplicaAddress;
}

export interface ReplicaAddress {
  /** IP address at which others reach this process: its pod's. */
  readonly address: string;
  /** File with a token of the control plane's own account for the audience aetherv.io; it is read again at each use. */
  readonly tokenFile: string;
}

export interface DoorsOptions {
  readonly socket: string;
  readonly api?: ApiAddress;
  readonly gate: Gatekeeper;
  /** Answers until this process leads. */
  readonly standby: ControlPlane;
  readonly log: Logger;
}

/** Where a process of Kubernetes mode is asked: its socket, and its address in the cluster. A standby answers there, too. */
export class Doors {
  readonly #options: DoorsOptions;
  #control: ControlPlane;
  #own: ControlPlane;
  #servers: ControlServer[] = [];
  #hasSocket = false;
  #apiPort: number | undefined;

  private constructor(options: DoorsOptions) {
    this.#options = options;
    this.#control = options.standby;
    this.#own = options.standby;
  }

  static async open(options: DoorsOptions): Promise<Doors> {
    const doors = new Doors(options);
    const { api, socket, gate, log } = options;
    try {
      if (api) {
        const parts = { control: () => doors.#control, own: () => doors.#own, gate, log };
        const server = await serveApi(api, parts);
        doors.#servers.push(server);
        doors.#apiPort = server.port;
      }
      // Whoever leads may be another process of the same data folder: its socket stays its own.
      if (!(await answers(socket))) await doors.#openSocket();
      return doors;
    } catch (error) {
      await doors.close();
      throw error;
    }
  }

  /** Where the API listens, if it does. */
  get apiPort(): number | undefined {
    return this.#apiPort;
  }

  /** Who answers at present. */
  get control(): ControlPlane {
    return this.#control;
  }

  /** From now on these answer: with what all replicas know, and with what only this one does. */
  async lead(control: ControlPlane, own: ControlPlane): Promise<void> {
    this.#control = control;
    this.#own = own;
    if (!this.#hasSocket) await this.#openSocket();
  }

  async close(): Promise<void> {
    for (const server of this.#servers.splice(0)) await server.close();
  }

  async #openSocket(): Promise<void> {
    this.#hasSocket = true;
    this.#servers.push(await serveSocket(this.#options.socket, () => this.#control, this.#options.log));
  }
}

const serveApi = async (
  api: ApiAddress,
  parts: Pick<RemoteOptions, "control" | "own" | "gate" | "log">,
): Promise<Awaited<ReturnType<typeof serveRemote>>> => {
  const { host, port, replicas } = api;
  const tls = await servedKeys(api);
  const ownToken = (): Promise<string | undefined> => tokenIn(replicas);
  const server = await serveRemote({ host, port, ...(tls ? { tls } : {}), ...parts, ownToken });
  parts.log.info({ host, port: server.port, tls: tls !== undefined }, "the control plane's API listens");
  return server;
};

const served = new WeakMap<ApiAddress, Promise<TlsKeys | undefined>>();

/** What is shown with TLS there for as long as this process runs, whatever its files say later; undefined with plain HTTP. */
export const servedKeys = (api: ApiAddress): Promise<TlsKeys | undefined> => {
  const known = served.get(api);
  if (known) return known;
  const { tlsFolder } = api;
  const read = tlsFolder === undefined ? Promise.resolve(undefined) : keysIn(tlsFolder, "--api-tls-dir");
  served.set(api, read);
  read.catch(() => served.delete(api));
  return read;
};

/** The token by which this process asks other replicas; undefined where there is none. */
export const tokenIn = async (replicas: ReplicaAddress | undefined): Promise<string | undefined> => {
  if (!replicas) return undefined;
  const text = await readFile(replicas.tokenFile, "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
};

export const keysIn = async (folder: string, option: string): Promise<TlsKeys> => {
  const [cert = "", key = ""] = await Promise.all(
    ["tls.crt", "tls.key"].map((name) =>
      readFile(join(folder, name), "utf8").catch((error: unknown) => {
        throw new ControlError("Invalid", `${option}: ${error instanceof Error ? error.message : String(error)}`);
      }),
    ),
  );
  return { cert, key };
};
