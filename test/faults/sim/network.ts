import { TransportError, type AgentChannel, type Transport } from "../../../src/engine/ports.ts";
import { fault, type Fault } from "../../../src/protocol/errors.ts";
import type { SimHost } from "../../support/simHost.ts";
import { Inbox } from "../../../src/transports/inbox.ts";
import type { Process } from "./process.ts";
import type { Alarm } from "./truth.ts";

/** Which hosts can't be reached from the control plane now. */
export class Network {
  readonly #cut = new Set<string>();
  readonly #links = new Set<Link>();
  readonly #refusals = new Map<string, Fault>();
  readonly #alarm: Alarm;
  /** Which process has sent jobs with which epoch. */
  readonly #epochs = new Map<number, string>();

  constructor(alarm: Alarm) {
    this.#alarm = alarm;
  }

  /** An epoch tells processes apart: hosts can't, where two have the same one. */
  #sent(process: Process, line: string): void {
    const epoch = Number(/"epoch":(\d+)/.exec(line)?.[1] ?? 0);
    const other = this.#epochs.get(epoch) ?? process.name;
    if (epoch > 0 && other !== process.name)
      this.#alarm(`${other} and ${process.name} both send jobs of epoch ${epoch}`);
    if (epoch > 0) this.#epochs.set(epoch, process.name);
  }

  transport(process: Process, host: SimHost): Transport {
    const { chance, climate, scheduler } = process;
    return {
      session: async (signal) => {
        const opening = climate.opening(chance);
        await arrives(process, signal);
        if (this.#cut.has(host.name) || opening === "hangs") await never(signal);
        const refusal = this.#refusals.get(host.name);
        if (refusal) throw new TransportError(refusal);
        if (opening === "fails") throw refused();
        const channel = await host.session(new AbortController().signal);
        const link = new Link({
          process,
          host: host.name,
          channel,
          sent: (line) => this.#sent(process, line),
          isCut: () => this.#cut.has(host.name),
        });
        this.#links.add(link);
        const close = (): void => link.close();
        signal.addEventListener("abort", close, { once: true });
        process.atBurial(close);
        link.onClose(() => {
          this.#links.delete(link);
          signal.removeEventListener("abort", close);
        });
        return link;
      },
      oneShot: async (input, onError, signal) => {
        await arrives(process, signal);
        if (this.#cut.has(host.name)) {
          await process.clock.sleep(connectMs, signal);
          throw refused();
        }
        const refusal = this.#refusals.get(host.name);
        if (refusal) throw new TransportError(refusal);
        if (climate.strikes("connectFails", chance)) throw refused();
        const answer = await host.oneShot(input, onError);
        await scheduler.sleep(climate.delay(chance), `${process.name} one-shot answer`);
        return new Promise((resolve) => process.deliver(() => resolve(answer)));
      },
    };
  }

  /** Lines wait from now on, connections are not answered. */
  cut(host: string): void {
    this.#cut.add(host);
  }

  /** What waited goes on its way, late. */
  mend(host: string): void {
    this.#cut.delete(host);
    for (const link of this.#links) link.flush();
  }

  /** Sessions to the host break, and new ones are refused with this fault; undefined: no longer. */
  refuse(host: string, why: Fault | undefined): void {
    if (!why) return void this.#refusals.delete(host);
    this.#refusals.set(host, why);
    for (const link of this.#links) if (link.host === host) link.drop();
  }

  /** Nobody is at the other end any more: the agents find out after a time. */
  abandoned(process: Process): void {
    const { chance } = process;
    for (const link of [...this.#links].filter((one) => one.process === process)) {
      const ms = chance.pick([0, 500, 20_000, 90_000]);
      process.scheduler.at(ms, `${process.name}'s agent is left alone`, () => link.drop());
      this.#links.delete(link);
    }
  }
}

/** Whoever opens a connection that nobody answers gives up by itself. */
const connectMs = 20_000;

const refused = (): TransportError => new TransportError(fault("HostUnreachable", "the connection was refused"));

/** One way of a packet; the process learns of it as it is then. */
const arrives = (process: Process, signal: AbortSignal): Promise<void> =>
  process.clock.sleep(process.climate.delay(process.chance), signal);

/** Nobody answers; whoever asked gives up. */
const never = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const give = (): void => reject(new TransportError(fault("HostUnreachable", "nobody answered")));
    if (signal.aborted) give();
    signal.addEventListener("abort", give, { once: true });
  });

interface LinkParts {
  readonly process: Process;
  readonly host: string;
  readonly channel: AgentChannel;
  readonly isCut: () => boolean;
  readonly sent: (line: string) => void;
}

/** A session's two directions over a network: lines keep their order, take time, and break off now and then. */
class Link implements AgentChannel {
  readonly #parts: LinkParts;
  readonly #inbox = new Inbox();
  /** What waits for the network to be mended. */
  #waiting: (() => void)[] = [];
  #free = { out: 0, in: 0 };
  #over = false;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    parts.channel.onLine((line) => this.#come(line));
    parts.channel.onClose((why) => this.#send("in", "", () => this.#closed(why)));
  }

  get host(): string {
    return this.#parts.host;
  }

  get process(): Process {
    return this.#parts.process;
  }

  send(line: string): void {
    const { process, channel, sent } = this.#parts;
    if (process.ended) return;
    sent(line);
    this.#send("out", `${process.name} asks ${wordOf(line)}`, () => channel.send(line));
    if (process.climate.strikes("sessionBreaks", process.chance))
      this.#send("out", "the session breaks", () => this.drop());
  }

  #come(line: string): void {
    const { process } = this.#parts;
    const { chance, climate } = process;
    const isResult = line.startsWith('{"type":"result"');
    const arrive = (): void => process.deliver(() => this.#over || this.#inbox.line(line));
    // Late results are overtaken: agents that run one job a session have a channel for each.
    if (isResult && climate.strikes("lineSlow", chance))
      process.scheduler.at(chance.wide(100, 30_000), `${process.name} is answered late`, arrive);
    else this.#send("in", isResult ? `${process.name} is answered` : "", arrive);
    if (isResult && climate.strikes("lineTwice", chance))
      process.scheduler.at(chance.wide(1, 20_000), `${process.name} is answered again`, arrive);
  }

  /** In order, each after some time. */
  #send(way: "out" | "in", label: string, run: () => void): void {
    const { process, isCut } = this.#parts;
    const { scheduler, climate, chance } = process;
    const at = Math.max(this.#free[way] + 0.001, scheduler.ms + climate.delay(chance));
    this.#free[way] = at;
    scheduler.at(at - scheduler.ms, label, () => {
      if (isCut() || this.#waiting.length > 0) this.#waiting.push(run);
      else run();
    });
  }

  flush(): void {
    for (const run of this.#waiting.splice(0)) run();
  }

  onLine(callback: (line: string) => void): void {
    this.#inbox.onLine(callback);
  }

  onErrorLine(): void {}

  onClose(callback: (fault: Fault) => void): void {
    this.#inbox.onClose(callback);
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#send("out", "", () => this.#parts.channel.close());
    this.#inbox.close(fault("HostUnreachable", "the session was closed"));
  }

  leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#send("out", "", () => this.#parts.channel.leave());
    this.#inbox.close(fault("HostUnreachable", "the session was left"));
  }

  /** The connection is gone: the agent's STDIN ends, the other side hears of it. */
  drop(): void {
    this.#parts.channel.close();
  }

  #closed(why: Fault): void {
    this.process.deliver(() => {
      if (this.#over) return;
      this.#over = true;
      this.#inbox.close(why);
    });
  }
}

const wordOf = (line: string): string => /"operation":"([a-z.]+)"/.exec(line)?.[1] ?? "something";
