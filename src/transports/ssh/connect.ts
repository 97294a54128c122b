import { createHash } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import ssh2, { type AuthHandlerMiddleware, type Client, type ServerHostKeyAlgorithm } from "ssh2";
import { TransportError } from "../../engine/ports.ts";
import { fault, type Fault } from "../../protocol/errors.ts";
import { placeOf, type Login, type SshTarget } from "./target.ts";

export interface ConnectOptions {
  readonly target: SshTarget;
  /** Read only after the host's key was found good. */
  readonly login: () => Promise<Login>;
  /** Milliseconds for TCP, and again for the handshake with login. */
  readonly timeoutMs: number;
  readonly keepaliveMs: number;
  readonly signal: AbortSignal;
}

/** The key algorithms of one connection attempt; a server shows the first that it has. */
export type KeyFamily = "default" | "ed25519" | "ecdsa" | "rsa";

const ALGORITHMS: Record<Exclude<KeyFamily, "default">, ServerHostKeyAlgorithm[]> = {
  ed25519: ["ssh-ed25519"],
  ecdsa: ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"],
  rsa: ["rsa-sha2-512", "rsa-sha2-256"],
};

export interface Connected {
  readonly client: Client;
  readonly family: KeyFamily;
}

type Attempt =
  | { readonly at: "connected"; readonly client: Client }
  | { readonly at: "unknownKey"; readonly shown: string }
  | { readonly at: "noSuchKey" };

/**
 * Opens a connection. A server has several keys and shows one: when that one is not listed it is asked for those of
 * the other algorithms, still without any credential. Throws a TransportError.
 */
export const connect = async (options: ConnectOptions, first: KeyFamily = "default"): Promise<Connected> => {
  const shown = new Set<string>();
  const families = [first, "ed25519", "ecdsa", "rsa"] as const;
  for (const family of families) {
    const attempt = await tryOnce(options, family);
    if (attempt.at === "connected") return { client: attempt.client, family };
    if (attempt.at === "unknownKey") shown.add(attempt.shown);
  }
  const { target } = options;
  const keys = [...shown].join(", ");
  throw new TransportError(
    fault("HostKeyMismatch", `${placeOf(target)} shows ${keys}; allowed are ${target.hostKeys.join(", ")}`),
  );
};

export const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

const tryOnce = async (options: ConnectOptions, family: KeyFamily): Promise<Attempt> => {
  const { target, timeoutMs, keepaliveMs, signal } = options;
  const sock = await openSocket(options);
  const client = new ssh2.Client();
  let unknown: string | undefined;
  let loginFault: Fault | undefined;
  const onLogin = (why: Fault) => (loginFault = why);
  const { promise, resolve, reject } = Promise.withResolvers<Attempt>();
  const abandon = () => sock.destroy();
  const failed = (error?: Error & { level?: string }) => {
    sock.destroy();
    if (unknown !== undefined) return resolve({ at: "unknownKey", shown: unknown });
    if (error && /no matching host key/i.test(error.message) && family !== "default")
      return resolve({ at: "noSuchKey" });
    reject(new TransportError(loginFault ?? failure(target, error, signal)));
  };
  client
    .on("ready", () => resolve({ at: "connected", client }))
    .on("error", failed)
    .on("close", () => failed());
  signal.addEventListener("abort", abandon, { once: true });
  client.connect({
    sock,
    username: target.user,
    readyTimeout: timeoutMs,
    keepaliveInterval: keepaliveMs,
    keepaliveCountMax: 3,
    ...(family === "default" ? {} : { algorithms: { serverHostKey: ALGORITHMS[family] } }),
    hostVerifier: (key: Buffer) => {
      const print = fingerprint(key);
      if (target.hostKeys.includes(print)) return true;
      unknown = print;
      return false;
    },
    authHandler: authentication(target.user, options.login, onLogin),
  });
  return await promise.finally(() => signal.removeEventListener("abort", abandon));
};

/** Offers the one login once. */
const authentication = (
  username: string,
  login: () => Promise<Login>,
  onFault: (why: Fault) => void,
): AuthHandlerMiddleware => {
  let offered = false;
  return (_left, _partial, next) => {
    if (offered) return next(false as never);
    offered = true;
    login().then(
      (given) =>
        next(
          given.at === "key"
            ? { type: "publickey", username, ...given }
            : { type: "password", username, password: given.password },
        ),
      (error: unknown) => {
        onFault(error instanceof TransportError ? error.fault : fault("AuthenticationFailed", String(error)));
        next(false as never);
      },
    );
  };
};

const openSocket = ({ target, timeoutMs, signal }: ConnectOptions): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const sock = connectTcp({ host: target.address, port: target.port, noDelay: true });
    const fail = (text: string) => {
      clearTimeout(timer);
      sock.destroy();
      reject(new TransportError(fault("HostUnreachable", `${placeOf(target)}: ${text}`)));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    const aborted = () => fail("the attempt was given up");
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
    sock.once("error", (error: NodeJS.ErrnoException) => fail(tcpText(error)));
    sock.once("connect", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
      sock.removeAllListeners("error");
      resolve(sock);
    });
  });

const TCP_TEXTS: Readonly<Record<string, string>> = {
  ENOTFOUND: "the name is not known to DNS",
  EAI_AGAIN: "DNS does not answer",
  ECONNREFUSED: "nothing listens there (is sshd running?)",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to its network",
  ETIMEDOUT: "no answer (is a firewall in between?)",
};

/** Why no TCP connection came about, in plain words. */
export const tcpText = (error: NodeJS.ErrnoException): string => TCP_TEXTS[error.code ?? ""] ?? error.message;

const failure = (target: SshTarget, error: (Error & { level?: string }) | undefined, signal: AbortSignal): Fault => {
  const place = placeOf(target);
  if (error?.level === "client-authentication")
    return fault("AuthenticationFailed", `${place} refuses the login of ${target.user}`);
  if (signal.aborted) return fault("HostUnreachable", `${place}: the attempt was given up`);
  const text = error?.message ?? "the connection was closed during the handshake";
  return fault("HostUnreachable", `${place}: ${text}`);
};
