// Loaded by --import before a program of the product: kills it, or the one beside it, at the point that the environment names.
// The product knows nothing of it: what it calls is wrapped here.
import { appendFileSync, closeSync, openSync } from "node:fs";
import { sep } from "node:path";
import type { CrashOrder, Victim } from "./points.ts";

const order = JSON.parse(process.env["AETHERV_CRASH"] ?? "{}") as Partial<CrashOrder>;
const counts = new Map<string, number>();

/** Makes the file of the kill; false when it came already, in this process or another. */
const isFirst = (): boolean => {
  try {
    closeSync(openSync(order.struck ?? "", "wx"));
    return true;
  } catch {
    return false;
  }
};

/** A signal to this very process may take a moment to end all its threads: nothing goes on here. */
const halt = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);

const inAgent = (process.argv[1] ?? "").includes(`${sep}simulator${sep}main.`);

const kill = (victim: Victim): void => {
  if (!inAgent || victim !== "agent") process.kill(inAgent ? process.ppid : process.pid, "SIGKILL");
  if (inAgent && victim === "plane") return;
  process.kill(process.pid, "SIGKILL");
  halt();
};

const strike = (label: string, nth: number, when: "before" | "after"): void => {
  const { point } = order;
  if (point?.label === label && point.nth === nth && point.when === when && isFirst()) kill(point.victim);
};

/** Counts and notes what happens now; the function it gives is to be called when it has happened. */
const happening = (label: string): (() => void) => {
  const nth = (counts.get(label) ?? 0) + 1;
  counts.set(label, nth);
  if (order.log !== undefined) appendFileSync(order.log, `${label}\n`);
  strike(label, nth, "before");
  return () => strike(label, nth, "after");
};

interface Envelope {
  readonly operation: string;
  readonly correlation_id: string;
  readonly resource_spec: { readonly owner?: { readonly name: string } };
}

const jobText = ({ operation, resource_spec }: Envelope): string =>
  `${operation} ${resource_spec.owner?.name ?? ""}`.trim();

/** Every batch of a store, labelled by what is in it, but not by whose: time decides what falls into one batch. */
const wrapLevel = async (): Promise<void> => {
  const { Level } = await import("level");
  const prototype = Level.prototype as unknown as {
    batch(operations: readonly { key: string }[], options?: object): Promise<void>;
  };
  const { batch } = prototype;
  prototype.batch = async function (operations, options) {
    const location = String((this as { location?: unknown }).location);
    const parts = [...new Set(operations.map(({ key }) => key.split("/")[0]))].toSorted();
    const done = happening(`write ${location.includes("journal") ? "journal" : parts.join(" ")}`);
    await batch.call(this, operations, options);
    done();
  };
};

/** Every request to an API server that writes. */
const wrapClient = async (): Promise<void> => {
  const { KubeClient } = await import("../../src/stores/kubernetes/client.ts");
  const { call } = KubeClient.prototype;
  KubeClient.prototype.call = async function <T>(asked: Parameters<typeof call>[0]): Promise<T> {
    if (["get", "list", "watch"].includes(asked.verb)) return call.call(this, asked) as Promise<T>;
    const done = happening(`api ${asked.verb} ${resourceOf(asked.path)}`);
    const answer = (await call.call(this, asked)) as T;
    done();
    return answer;
  };
};

const resourceOf = (path: string): string => {
  // Names of Events are made at random.
  if (path.includes("/events")) return "Event";
  if (path.includes("/leases")) return "Lease";
  return path.replace(/^\/apis?\//, "");
};

/** Every job that goes to an agent, and every reply. */
const wrapTransport = async (): Promise<void> => {
  const { LocalTransport } = await import("../../src/transports/local/process.ts");
  const { session } = LocalTransport.prototype;
  LocalTransport.prototype.session = async function (signal) {
    const channel = await session.call(this, signal);
    const asked = new Map<string, string>();
    const { send, onLine } = channel;
    channel.send = (line) => {
      const request = JSON.parse(line) as Envelope;
      asked.set(request.correlation_id, jobText(request));
      const done = happening(`send ${jobText(request)}`);
      send.call(channel, line);
      done();
    };
    channel.onLine = (hear) =>
      onLine.call(channel, (line) => {
        const id = /^\{"type":"result".*"correlation_id":"(\w+)"/.exec(line)?.[1];
        const done = id === undefined ? undefined : happening(`reply ${asked.get(id) ?? "unknown"}`);
        hear(line);
        done?.();
      });
    return channel;
  };
};

/** Every effect of a job within the agent. */
const wrapEffects = async (): Promise<void> => {
  const { Job } = await import("../../agents/simulator/model/job.ts");
  const { effect } = Job.prototype;
  Job.prototype.effect = async function <T>(
    this: InstanceType<typeof Job> & { operation?: string },
    point: string,
    work: Parameters<typeof effect>[1],
  ): Promise<T> {
    const { owner } = this.spec as { owner?: { name: string } };
    const done = this.dryRun ? undefined : happening(`effect ${point} ${owner?.name ?? ""}`.trim());
    const result = (await effect.call(this, point, work)) as T;
    done?.();
    return result;
  };
};

if (order.struck !== undefined) {
  if (inAgent) await wrapEffects();
  else await Promise.all([wrapLevel(), wrapClient(), wrapTransport()]);
}
