import { kinds } from "../../../controllers/index.ts";
import { keyText, type Key, type Resource } from "../../../src/api/resource.ts";
import type { VMHost } from "../../../src/api/generated/types.ts";
import { hostSettings } from "../../../src/app/settings.ts";
import { Controller } from "../../../src/engine/controller.ts";
import type { GuardSettings } from "../../../src/engine/massDelete.ts";
import type { JobRecord, Journal, Logger, Step } from "../../../src/engine/ports.ts";
import { HostSnapshot } from "../../../src/engine/snapshot.ts";
import { HostDirectory } from "../../../src/hosts/directory.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import type { SimHost } from "../../support/simHost.ts";
import type { Backend } from "./backend.ts";
import type { Network } from "./network.ts";
import type { Process } from "./process.ts";

/** Compiled once: the schemas take longest. */
const check = new ProtocolCheck();

export interface PlaneParts {
  readonly process: Process;
  readonly backend: Backend;
  readonly network: Network;
  readonly host: (name: string) => SimHost;
  readonly log: Logger;
  readonly massDelete: GuardSettings;
  /** Hears what the journal is told. */
  readonly told: (record: JobRecord) => void;
}

/** A control plane at work in a simulated process. */
export interface RunningPlane {
  readonly controller: Controller;
  readonly hosts: HostDirectory;
  readonly objects: () => readonly Resource[];
  /** What is still to be done for an object, as `aetherv plan` shows it. */
  readonly plan: (object: Resource) => readonly Step[];
}

/**
 * Starts a control plane as src/app does; undefined when it was told to end before it could work. It works until its process ends, or it
 * is told to.
 */
export const startControlPlane = async (
  { process, backend, network, host, log, massDelete, told }: PlaneParts,
  ending: AbortSignal,
): Promise<RunningPlane | undefined> => {
  const opened = await backend.open(process, log, ending);
  if (!opened) return undefined;
  const { store, controlPlaneId, journal, events, epoch, raiseEpoch } = opened;
  const { clock, chance: random } = process;
  const hosts = new HostDirectory({
    clock,
    random,
    log,
    check,
    controlPlaneId,
    journal: heard(journal, told),
    epoch,
    raiseEpoch,
    newSnapshot: () => new HostSnapshot(controlPlaneId),
    transportFor: ({ name }) => network.transport(process, host(name)),
    onChange: (name, { uids, host: self }) => controller.wakeHost(name, uids === "all" ? "all" : { uids, host: self }),
  });
  process.atBurial(() => void hosts.stop({ graceMs: 0 }));
  const parts = { store, hosts, kinds, clock, random, log, events, controlPlaneId, massDelete };
  const controller: Controller = new Controller(parts);
  const stopping = AbortSignal.any(opened.lost ? [ending, opened.lost] : [ending]);
  const stop = (): void => {
    void controller.stop();
    void hosts.stop({ graceMs: 0 }).then(() => process.end("has ended"));
  };
  const apply = (): void => hosts.apply((store.cache.list("VMHost") as readonly VMHost[]).map(hostSettings));
  await store.watch((key: Key) => key.kind === "VMHost" && apply(), stopping);
  await controller.start();
  void opened.run(stopping);
  if (stopping.aborted) stop();
  stopping.addEventListener("abort", stop, { once: true });
  const objects = (): readonly Resource[] => kinds.flatMap(({ kind }) => store.cache.list(kind));
  return { controller, hosts, objects, plan: (object) => planOf(controller, object) };
};

const heard = (journal: Journal, told: PlaneParts["told"]): Journal => ({
  put: (record) => {
    told(record);
    journal.put(record);
  },
  log: (id, line) => journal.log(id, line),
  ...(journal.lost && { lost: (id) => journal.lost?.(id) ?? Promise.resolve("nothing" as const) }),
});

const planOf = (controller: Controller, object: Resource): readonly Step[] => {
  const kind = kinds.find((one) => one.kind === object.kind);
  if (!kind) throw new Error(`nobody plans ${keyText({ kind: object.kind, namespace: "", name: "" })}`);
  return kind.decide(object, controller.world(object)).plan;
};
