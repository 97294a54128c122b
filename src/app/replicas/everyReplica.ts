import type { MissingReplica } from "../../api/missingReplicas.ts";
import type { Clock, JobRecord } from "../../engine/ports.ts";
import { Latest } from "../../journal/latest.ts";
import type { LogLine } from "../../protocol/generated/types.ts";
import { ControlError } from "../../server/control.ts";
import type * as Api from "../../server/control.ts";
import type { History } from "../control.ts";
import { isRebuilt, mergeEvents, mergeJob, mergeJobs } from "./merge.ts";
import { Pauses } from "./pauses.ts";

/** Another replica at work on hosts of its own. */
export interface Peer {
  /** Its pod or machine, and something random. */
  readonly name: string;
  readonly hosts: readonly string[];
  readonly history: History;
}

export interface EveryReplicaOptions {
  readonly own: History;
  /** Those that are alive now. */
  readonly peers: () => readonly Peer[];
  readonly clock: Clock;
}

const defaultJobs = 50;
const shownHosts = 10;
/** How soon one that joined, or came back, is followed. */
const followMs = 2_000;

/** Jobs and events of all replicas that share the hosts. Each has what it did; one that is not heard is told, not hidden. */
export class EveryReplica implements History {
  readonly #options: EveryReplicaOptions;

  constructor(options: EveryReplicaOptions) {
    this.#options = options;
  }

  async jobs(filter: Api.JobFilter, missing?: Api.TellMissing): Promise<readonly JobRecord[]> {
    const lists = await this.#asked((one) => one.jobs(filter), missing);
    return mergeJobs(
      lists.map(({ answer }) => answer),
      filter.limit ?? defaultJobs,
    );
  }

  async events(filter: Api.EventFilter, missing?: Api.TellMissing): Promise<readonly Api.EventReport[]> {
    const lists = await this.#asked((one) => one.events(filter), missing);
    return mergeEvents(
      lists.map(({ answer }) => answer),
      filter.limit,
    );
  }

  async job(id: string): Promise<JobRecord | undefined> {
    const own = await this.#options.own.job(id);
    // What another knows of it could only be less.
    if (own && !isRebuilt(own) && own.status === "success") return own;
    const unheard: MissingReplica[] = [];
    const known = await this.#knowing(id, (one) => unheard.push(one));
    const found = mergeJob(known.map(({ answer }) => answer));
    if (found || unheard.length === 0) return found;
    throw new ControlError(
      "Unavailable",
      `job ${id} is known to no replica that was heard; not heard: ${unheard.map(({ name, why }) => `${name} (${why})`).join(", ")}`,
      "ask again once these answer, or have ended",
    );
  }

  async *jobLog(...[id, options, signal]: Parameters<History["jobLog"]>): AsyncGenerator<LogLine> {
    const own = await this.#options.own.job(id);
    // Who sent it has its log: nobody else need be asked, or waited for.
    if (own && !isRebuilt(own)) return yield* this.#options.own.jobLog(id, options, signal);
    const known = await this.#knowing(id);
    const { from } = known.find(({ answer }) => !isRebuilt(answer)) ?? known[0] ?? { from: this.#options.own };
    yield* from.jobLog(id, options, signal);
  }

  /**
   * What each tells, as it tells it. Of a job whose host changed hands, who took it over tells the end alone: readers put it to what they
   * know. Nobody is asked for the rest here: after a rollout it would be hundreds of questions that live news wait behind.
   */
  async *watchJobs(signal: AbortSignal): AsyncGenerator<JobRecord> {
    const left = new AbortController();
    const following = AbortSignal.any([signal, left.signal]);
    const news = new Latest<JobRecord>(following);
    let broken: unknown;
    const own = this.#follow(this.#options.own, news, following)
      .catch((error: unknown) => (broken = error))
      .finally(() => news.end());
    const others = this.#followPeers(news, following);
    try {
      yield* news;
      if (broken !== undefined && !signal.aborted) throw broken;
    } finally {
      left.abort();
      await Promise.all([own, others]);
    }
  }

  async #follow(history: History, news: Latest<JobRecord>, signal: AbortSignal): Promise<void> {
    for await (const record of history.watchJobs(signal)) news.put(newsKey(record), record);
  }

  /** Follows each that is alive; one whose stream breaks is begun anew, with the jobs that are under way there. */
  async #followPeers(news: Latest<JobRecord>, signal: AbortSignal): Promise<void> {
    const followed = new Map<string, Promise<void>>();
    const pauses = new Pauses();
    for (let round = 0; !signal.aborted; round += 1) {
      const peers = this.#options.peers();
      pauses.next(peers);
      for (const peer of peers) {
        if (followed.has(peer.name) || pauses.holds(peer)) continue;
        const begun = round;
        const ended = this.#follow(peer.history, news, signal).catch(() => undefined);
        followed.set(
          peer.name,
          ended.then(() => {
            followed.delete(peer.name);
            pauses.ended(peer, round - begun);
          }),
        );
      }
      await this.#options.clock.sleep(followMs, signal);
    }
    await Promise.all(followed.values());
  }

  async #knowing(
    id: string,
    missing?: Api.TellMissing,
  ): Promise<readonly { readonly from: History; readonly answer: JobRecord }[]> {
    const answers = await this.#asked((one) => one.job(id), missing);
    return answers.flatMap(({ from, answer }) => (answer === undefined ? [] : [{ from, answer }]));
  }

  /** What this replica and all others that answer say; its own first. */
  async #asked<T>(
    ask: (history: History) => Promise<T>,
    missing: Api.TellMissing = () => undefined,
  ): Promise<readonly { readonly from: History; readonly answer: T }[]> {
    const { own, peers } = this.#options;
    const asked = peers();
    const [first, ...others] = await Promise.all([
      ask(own),
      ...asked.map(({ history }) => ask(history).then(heard(history), (error: unknown) => ({ error }))),
    ]);
    const answers = others.flatMap((one, index) => {
      if (!("error" in one)) return [one];
      const peer = asked[index];
      // One that waits for its turn has done nothing yet.
      const waits = one.error instanceof ControlError && one.error.code === "Standby";
      if (peer && !waits) missing(missingOf(peer, one.error));
      return [];
    });
    return [{ from: own, answer: first }, ...answers];
  }
}

const heard =
  (from: History) =>
  <T>(answer: T): { readonly from: History; readonly answer: T } => ({ from, answer });

const missingOf = ({ name, hosts }: Peer, error: unknown): MissingReplica => ({
  name,
  why: (error instanceof Error ? error.message : String(error)).slice(0, 300),
  hosts: hosts.slice(0, shownHosts),
  hostCount: hosts.length,
});

/** What was sent and what was rebuilt are both told: neither overtakes the other. */
const newsKey = (record: JobRecord): string => (isRebuilt(record) ? `${record.id} rebuilt` : record.id);
