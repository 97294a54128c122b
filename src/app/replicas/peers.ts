import { X509Certificate } from "node:crypto";
import { Agent, request } from "undici";
import { shardOfHost } from "../../engine/shards.ts";
import type { Objects } from "../../engine/ports.ts";
import { HttpClient, type Answer, type Send, type Sending } from "../../server/client.ts";
import { ControlError } from "../../server/control.ts";
import { ownHeader, tokenHeader } from "../../server/remote.ts";
import type { OtherReplica, Shards } from "../../stores/kubernetes/shards.ts";
import { keysIn, servedKeys, tokenIn, type ApiAddress } from "../doors.ts";
import type { Peer } from "./everyReplica.ts";

/** Another is waited for so long, milliseconds: people wait behind it. */
const answerMs = 5_000;
/** A stream that says nothing for so long is broken; it says that it is there every 15 s. */
const silentMs = 45_000;

export interface PeersOptions {
  readonly api: ApiAddress | undefined;
  readonly shards: Pick<Shards, "others" | "count">;
  readonly objects: Objects;
}

/** How this process is reached by others, as its Lease tells them; undefined where it is not. */
export const ownAddress = (api: ApiAddress | undefined, port: number | undefined): string | undefined => {
  if (!api?.replicas || port === undefined) return undefined;
  const { address } = api.replicas;
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
};

/**
 * The way to the other replicas: each at the address in its Lease, which is that of its API for people of the cluster, with a token of
 * the account that all replicas have. It is good for nothing but that API.
 */
export class Peers {
  readonly #options: PeersOptions;
  /** Kept for as long as the certificates are the same. */
  #agent: { readonly certificates: string; readonly agent: Agent } | undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  list(): readonly Peer[] {
    const { shards, objects } = this.#options;
    const hosts = shards.others.length === 0 ? [] : objects.list("VMHost");
    return shards.others.map((other) => ({
      name: other.identity,
      hosts: hosts
        .filter(({ metadata }) => other.shards.includes(shardOfHost(metadata.uid, shards.count)))
        .map(({ metadata }) => metadata.name)
        .sort(),
      history: new HttpClient(this.#sender(other)),
    }));
  }

  async close(): Promise<void> {
    await this.#agent?.agent.destroy();
  }

  #sender({ address }: OtherReplica): Send {
    return async (sending) => {
      if (address === undefined || !isAddress(address))
        throw new ControlError("Unavailable", "it tells no address at which replicas ask it");
      const token = await tokenIn(this.#options.api?.replicas);
      if (token === undefined)
        throw new ControlError("Unavailable", "the replica that was asked has no token by which it could ask others");
      return this.#send(address, token, sending);
    };
  }

  async #send(address: string, token: string, { method, path, body, signal }: Sending): Promise<Answer> {
    const scheme = this.#options.api?.tlsFolder === undefined ? "http" : "https";
    const headers = { [tokenHeader]: token, [ownHeader]: "true" };
    const isStream = signal !== undefined;
    try {
      const response = await request(`${scheme}://${address}${path}`, {
        method,
        dispatcher: await this.#dispatcher(),
        headersTimeout: answerMs,
        bodyTimeout: isStream ? silentMs : answerMs,
        ...(body === undefined ? {} : { body, headers: { ...headers, "content-type": "application/json" } }),
        ...(body === undefined ? { headers } : {}),
        signal: isStream ? signal : AbortSignal.timeout(2 * answerMs),
      });
      return { statusCode: response.statusCode, headers: response.headers, body: response.body };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ControlError("Unavailable", `it does not answer at ${address}: ${why}`);
    }
  }

  /** With TLS, only who shows a certificate that this process has, too, is another replica: no name says so. */
  async #dispatcher(): Promise<Agent> {
    const { api } = this.#options;
    const ours = api === undefined ? [] : await certificatesOf(api);
    const certificates = ours.join("\n");
    if (this.#agent?.certificates === certificates) return this.#agent.agent;
    // What is under way over it ends by itself.
    this.#agent?.agent.close().catch(() => undefined);
    const agent = new Agent(ours.length === 0 ? connecting : { connect: { ...connecting.connect, ...only(ours) } });
    this.#agent = { certificates, agent };
    return agent;
  }
}

const connecting = { connect: { timeout: answerMs } };

/**
 * The certificate that this process shows, as all do that were started before it was renewed, and that of its files now, which those show
 * that were started since. None with plain HTTP.
 */
const certificatesOf = async (api: ApiAddress): Promise<readonly string[]> => {
  const shown = await servedKeys(api);
  if (!shown || api.tlsFolder === undefined) return [];
  // Files that are gone, or no certificate, take nothing from what is shown.
  const now = await keysIn(api.tlsFolder, "--api-tls-dir").catch(() => shown);
  return now.cert === shown.cert || !isCertificate(now.cert) ? [shown.cert] : [shown.cert, now.cert];
};

const isCertificate = (text: string): boolean => {
  try {
    return new X509Certificate(text).fingerprint256 !== "";
  } catch {
    return false;
  }
};

const only = (certificates: readonly string[]) => {
  const ours = certificates.map((one) => new X509Certificate(one).fingerprint256);
  return {
    ca: [...certificates],
    // Who signed it need not be known here.
    allowPartialTrustChain: true,
    checkServerIdentity: (_name: string, shown: { readonly fingerprint256: string }): Error | undefined =>
      ours.includes(shown.fingerprint256) ? undefined : new Error("its certificate is another than ours"),
  };
};

/** An IP address with a port, and nothing else: what stands in a Lease must not lead anywhere by a name or a path. */
const isAddress = (text: string): boolean => /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}$/.test(text);
