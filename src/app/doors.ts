import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../engine/ports.ts";
import { answers } from "../server/client.ts";
import { ControlError, type ControlPlane } from "../server/control.ts";
import type { Gatekeeper } from "../server/guard.ts";
import { serveRemote } from "../server/remote.ts";
import { serveSocket, type ControlServer, type TlsKeys } from "../server/server.ts";

/** Where callers of the cluster reach the control plane. */
export interface ApiAddress {
  readonly host: string;
  readonly port: number;
  /** Folder with tls.crt and tls.key, as a Secret of type kubernetes.io/tls is mounted; plain HTTP without. */
  readonly tlsFolder?: string;
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
  #servers: ControlServer[] = [];
  #hasSocket = false;

  private constructor(options: DoorsOptions) {
    this.#options = options;
    this.#control = options.standby;
  }

  static async open(options: DoorsOptions): Promise<Doors> {
    const doors = new Doors(options);
    const { api, socket, gate, log } = options;
    try {
      if (api) doors.#servers.push(await serveApi(api, { control: () => doors.#control, gate, log }));
      // Whoever leads may be another process of the same data folder: its socket stays its own.
      if (!(await answers(socket))) await doors.#openSocket();
      return doors;
    } catch (error) {
      await doors.close();
      throw error;
    }
  }

  /** Who answers at present. */
  get control(): ControlPlane {
    return this.#control;
  }

  /** From now on this one answers. */
  async lead(control: ControlPlane): Promise<void> {
    this.#control = control;
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
  { host, port, tlsFolder }: ApiAddress,
  parts: { readonly control: () => ControlPlane; readonly gate: Gatekeeper; readonly log: Logger },
): Promise<ControlServer> => {
  const tls = tlsFolder === undefined ? undefined : await keysIn(tlsFolder, "--api-tls-dir");
  const server = await serveRemote({ host, port, ...(tls ? { tls } : {}), ...parts });
  parts.log.info({ host, port: server.port, tls: tls !== undefined }, "the control plane's API listens");
  return server;
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
