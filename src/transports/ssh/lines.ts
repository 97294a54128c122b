import type { Client, ClientChannel } from "ssh2";
import { TransportError } from "../../engine/ports.ts";
import { fault } from "../../protocol/errors.ts";
import { connect, type ConnectOptions, type KeyFamily } from "./connect.ts";
import type { Login } from "./target.ts";

/** sshd allows 10 channels a connection (MaxSessions) by default; two are left for ending processes. */
const CHANNELS = { agent: 8, control: 10 } as const;
const MAX_CONNECTIONS = 8;
const SAME_PASSWORD_MS = 300_000;

export type Use = keyof typeof CHANNELS;

interface Line {
  readonly client: Client;
  readonly channels: Set<ClientChannel>;
  /** Being opened. */
  opening: number;
  /** Fewer than CHANNELS when the server refused one. */
  limit: number;
  open: boolean;
}

export interface LinesOptions extends Omit<ConnectOptions, "signal"> {
  /** Milliseconds that a connection without a channel is kept. */
  readonly idleMs: number;
}

/** The SSH connections to one host: as few as carry the channels, opened one after the other. */
export class Lines {
  readonly #options: LinesOptions;
  readonly #lines = new Set<Line>();
  #connecting: Promise<Line> | undefined;
  #family: KeyFamily = "default";
  /** The password that the host refused last, and when. */
  #refused: { readonly password: string; readonly at: number } | undefined;

  constructor(options: LinesOptions) {
    this.#options = options;
  }

  /** Connections open now. */
  get size(): number {
    return this.#lines.size;
  }

  /** Starts a command. Throws a TransportError: then nothing was started. */
  async exec(command: string, use: Use, signal: AbortSignal): Promise<ClientChannel> {
    for (;;) {
      const line = await this.#free(use, signal);
      const channel = await this.#open(line, command, signal);
      if (channel) return channel;
      const others = line.channels.size + line.opening;
      if (others === 0) {
        line.client.end();
        throw new TransportError(fault("HostUnreachable", "the host's sshd refuses to start a command"));
      }
      line.limit = Math.min(line.limit, others);
    }
  }

  /** Closes a channel without waiting for the server, which keeps it while its process runs. */
  leave(channel: ClientChannel): void {
    channel.close();
    for (const line of this.#lines) if (line.channels.delete(channel)) this.#idle(line);
  }

  /** Ends all connections; their channels close. */
  close(): void {
    for (const line of this.#lines) line.client.end();
  }

  /** A connection with room for a channel, which counts as being opened from now on. */
  async #free(use: Use, signal: AbortSignal): Promise<Line> {
    for (;;) {
      if (signal.aborted) throw new TransportError(fault("HostUnreachable", "the attempt was given up"));
      const free = [...this.#lines].find((line) => line.open && room(line, use));
      if (free) {
        // Taken here and now: another caller may look before the channel is asked for.
        free.opening += 1;
        return free;
      }
      if (this.#lines.size >= MAX_CONNECTIONS)
        throw new TransportError(fault("HostUnreachable", `all ${MAX_CONNECTIONS} connections are in use`));
      // One at a time: sshd drops connections at random when many log in at once (MaxStartups).
      this.#connecting ??= this.#connect(signal).finally(() => (this.#connecting = undefined));
      await this.#connecting;
    }
  }

  async #connect(signal: AbortSignal): Promise<Line> {
    let offered: Login | undefined;
    const login = async (): Promise<Login> => (offered = this.#notRefused(await this.#options.login()));
    const { client, family } = await connect({ ...this.#options, login, signal }, this.#family).catch(
      (error: unknown) => {
        const refused = error instanceof TransportError && error.fault.code === "AuthenticationFailed";
        if (refused && offered?.at === "password")
          this.#refused = { password: offered.password, at: performance.now() };
        throw error;
      },
    );
    this.#family = family;
    this.#refused = undefined;
    const line: Line = { client, channels: new Set(), opening: 0, limit: CHANNELS.control, open: true };
    this.#lines.add(line);
    // One listener for each channel being opened.
    client.setMaxListeners(2 * CHANNELS.control);
    client.on("close", () => this.#gone(line));
    this.#idle(line);
    return line;
  }

  /** A wrong password is not offered again and again: the host would lock the account. */
  #notRefused(login: Login): Login {
    const before = this.#refused;
    if (!before || login.at !== "password" || login.password !== before.password) return login;
    const waited = performance.now() - before.at;
    if (waited > SAME_PASSWORD_MS) return login;
    const minutes = Math.ceil((SAME_PASSWORD_MS - waited) / 60_000);
    const text = `the host refused the password; it is offered again in ${minutes} min, or at once when the Secret changes`;
    throw new TransportError(fault("AuthenticationFailed", text));
  }

  #gone(line: Line): void {
    line.open = false;
    this.#lines.delete(line);
    for (const channel of line.channels) channel.destroy();
  }

  /** Undefined when the server refuses a further channel. */
  #open(line: Line, command: string, signal: AbortSignal): Promise<ClientChannel | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientChannel | undefined>();
    const unreachable = (text: string) => reject(new TransportError(fault("HostUnreachable", text)));
    const lost = () => unreachable("the connection was lost while a command was started");
    const aborted = () => unreachable("the attempt was given up");
    line.client.once("close", lost);
    signal.addEventListener("abort", aborted, { once: true });
    const opened = (error: Error | undefined, channel?: ClientChannel) => {
      line.opening -= 1;
      line.client.off("close", lost);
      signal.removeEventListener("abort", aborted);
      if (error || !channel) resolve(undefined);
      else this.#keep(line, channel);
      // Given up meanwhile: nobody waits for it.
      if (signal.aborted) channel?.close();
      else resolve(channel);
      this.#idle(line);
    };
    try {
      line.client.exec(command, opened);
    } catch {
      // Thrown when the connection has just ended.
      line.opening -= 1;
      lost();
    }
    return promise;
  }

  #keep(line: Line, channel: ClientChannel): void {
    line.channels.add(channel);
    channel.once("close", () => {
      line.channels.delete(channel);
      this.#idle(line);
    });
  }

  #idle(line: Line): void {
    if (line.channels.size + line.opening > 0) return;
    setTimeout(() => {
      if (line.channels.size + line.opening === 0) line.client.end();
    }, this.#options.idleMs);
  }
}

const room = (line: Line, use: Use): boolean => line.channels.size + line.opening < Math.min(line.limit, CHANNELS[use]);
