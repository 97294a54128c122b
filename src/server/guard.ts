import { findKind } from "../api/kinds.ts";
import type { MissingReplica } from "../api/missingReplicas.ts";
import type { Key } from "../api/resource.ts";
import { ControlError, type ControlPlane } from "./control.ts";
import type * as Api from "./control.ts";

/** What somebody wants to do with objects of the group; cluster-scoped ones have the namespace "". */
export interface Access {
  readonly verb: "get" | "list" | "update";
  readonly kind: string;
  readonly namespace: string;
  readonly name?: string;
}

/** Somebody from outside, and what the cluster's RBAC lets them do. */
export interface Caller {
  readonly name: string;
  /** It is the control plane's own account: another replica. */
  readonly replica?: boolean;
  may(access: Access): Promise<boolean>;
}

/** Tells who is asking. */
export interface Gatekeeper {
  /** Undefined when the token proves nobody. */
  caller(token: string): Promise<Caller | undefined>;
}

const forbidden = ({ name: who }: Caller, { verb, kind, namespace, name }: Access): ControlError => {
  const what = `${findKind(kind)?.plural ?? kind}.aetherv.io${name === undefined ? "" : ` "${name}"`}`;
  const where = namespace === "" ? "" : ` in namespace "${namespace}"`;
  return new ControlError(
    "Forbidden",
    `${who} may not ${verb} ${what}${where}`,
    "a role of the cluster has to allow it",
  );
};

/**
 * A control plane as one caller may see it: what only it knows (plans, jobs, hosts, the trash), as far as the cluster's RBAC
 * lets the caller read the objects that it is about. Objects and events themselves are the API server's to give.
 */
export class GuardedControl implements ControlPlane {
  readonly #control: ControlPlane;
  readonly #caller: Caller;
  readonly #known = new Map<string, Promise<boolean>>();

  constructor(control: ControlPlane, caller: Caller) {
    this.#control = control;
    this.#caller = caller;
  }

  status = (): Promise<Api.ControlStatus> => this.#control.status();

  async hosts(): Promise<readonly Api.HostReport[]> {
    await this.#require({ verb: "list", kind: "VMHost", namespace: "" });
    return this.#control.hosts();
  }

  async inventory(host: string): Promise<Api.HostInventory | undefined> {
    await this.#require({ verb: "get", kind: "VMHost", namespace: "", name: host });
    return this.#control.inventory(host);
  }

  async plan(request: Api.PlanRequest): Promise<Api.PlanReport> {
    for (const { object } of request.documents ?? []) {
      const { kind, metadata } = object as { kind: string; metadata?: { namespace?: string } };
      await this.#require({ verb: "get", kind, namespace: metadata?.namespace ?? "" });
    }
    for (const key of request.remove ?? []) await this.#require({ verb: "get", ...key });
    const report = await this.#control.plan(request);
    const objects = await this.#seen(report.objects, ({ key }) => key);
    const seesHosts = await this.#may({ verb: "list", kind: "VMHost", namespace: "" });
    const named = new Set(objects.map(({ host }) => host));
    const count = (action: Api.PlanAction): number => objects.filter((one) => one.action === action).length;
    return {
      ...report,
      objects,
      ...(report.untold && { untold: await this.#seen(report.untold, ({ key }) => key) }),
      summary: { create: count("create"), adopt: count("adopt"), update: count("update"), delete: count("delete") },
      hosts: report.hosts.filter(({ name }) => seesHosts || named.has(name)),
    };
  }

  async jobs(filter: Api.JobFilter, missing?: Api.TellMissing): ReturnType<ControlPlane["jobs"]> {
    if (filter.key) await this.#require({ verb: "get", ...filter.key });
    const unheard: MissingReplica[] = [];
    const jobs = await this.#control.jobs(filter, (replica) => unheard.push(replica));
    const seesHosts = unheard.length === 0 || (await this.#may({ verb: "list", kind: "VMHost", namespace: "" }));
    for (const replica of unheard) missing?.(seesHosts ? replica : { ...replica, hosts: [] });
    return this.#seen(jobs, ({ key }) => key);
  }

  async job(id: string): ReturnType<ControlPlane["job"]> {
    const found = await this.#control.job(id);
    if (found) await this.#require({ verb: "get", ...found.key });
    return found;
  }

  async *watchJobs(signal: AbortSignal): ReturnType<ControlPlane["watchJobs"]> {
    for await (const record of this.#control.watchJobs(signal)) if (await this.#mayRead(record.key)) yield record;
  }

  async *jobLog(...[id, options, signal]: Parameters<ControlPlane["jobLog"]>): ReturnType<ControlPlane["jobLog"]> {
    // Nobody can tell whether one that is not known may be read.
    if (!(await this.job(id))) throw new ControlError("NotFound", `job ${id} does not exist`);
    yield* this.#control.jobLog(id, options, signal);
  }

  async trash(): Promise<readonly Api.TrashEntry[]> {
    return this.#seen(await this.#control.trash(), ({ owner }) => owner);
  }

  async restore(request: Api.RestoreRequest): Promise<Api.RestoreReport> {
    const entry = (await this.#control.trash()).find(
      ({ host, path }) => host === request.host && path === request.path,
    );
    if (!entry) throw new ControlError("NotFound", `${request.path} does not lie in the trash of ${request.host}`);
    const { namespace, name } = entry.owner;
    await this.#require({ verb: "update", kind: "VirtualDisk", namespace, name });
    return this.#control.restore(request);
  }

  list = (): Promise<never> => refused();
  get = (): Promise<never> => refused();
  annotate = (): Promise<never> => refused();

  /** Of people, the API server is asked for them; another replica gathers them for its own socket. */
  async events(filter: Api.EventFilter): ReturnType<ControlPlane["events"]> {
    if (this.#caller.replica !== true) return refused();
    return this.#seen(await this.#control.events(filter), ({ key }) => key);
  }

  problems = (): Promise<never> => refused();
  backup = (): Promise<never> => refused();
  async *watch(): AsyncGenerator<Api.ObjectChange> {
    yield await refused();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** What is about objects that the caller may read, one by one in the end: RBAC may name single objects. */
  async #seen<T>(all: readonly T[], keyOf: (one: T) => Key): Promise<readonly T[]> {
    const seen: T[] = [];
    for (const one of all) if (await this.#mayRead(keyOf(one))) seen.push(one);
    return seen;
  }

  async #mayRead({ kind, namespace, name }: Key): Promise<boolean> {
    return (
      (await this.#may({ verb: "get", kind, namespace })) || (await this.#may({ verb: "get", kind, namespace, name }))
    );
  }

  async #require(access: Access): Promise<void> {
    if (!(await this.#may(access))) throw forbidden(this.#caller, access);
  }

  /** Asked once a request. */
  #may(access: Access): Promise<boolean> {
    const { verb, kind, namespace, name = "" } = access;
    const text = [verb, kind, namespace, name].join("/");
    const known = this.#known.get(text) ?? this.#caller.may(access);
    this.#known.set(text, known);
    return known;
  }
}

const refused = (): Promise<never> =>
  Promise.reject(
    new ControlError("Invalid", "the API server of the cluster gives objects and events, not this service"),
  );
