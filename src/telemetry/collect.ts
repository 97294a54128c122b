import { Counter, Gauge, type LabelValues, type Registry } from "@prometheus-io/client";
import { kinds } from "../api/kinds.ts";
import type { Condition, HostSettings, HostView, Objects, Resource } from "../engine/ports.ts";

/** Where the state of a control plane at work is looked up. */
export interface Sources {
  readonly objects: Objects;
  readonly hosts: () => readonly HostView[];
  /** How the hosts are to be used, as their objects say. */
  readonly settings: () => readonly HostSettings[];
  readonly inventories: () => ReadonlyMap<string, { readonly inventories: number }>;
  readonly queue: () => {
    readonly depth: number;
    readonly delayed: number;
    readonly working: number;
    readonly oldestMs: number;
  };
  readonly epoch: () => number;
  /** Documents of manifest files that are wrong. */
  readonly problems: () => number;
  readonly now: () => Date;
}

type Sample<L extends string> = readonly [labels: LabelValues<L>, value: number];

/** Adds the metrics that are looked up at each scrape: what is gone (a host, an object) is gone from them at once. */
export const collectFrom = (registry: Registry, sources: Sources): void => {
  const gauge = gaugesOf(registry);
  hostGauges(gauge, sources);
  storageGauges(gauge, sources);
  objectGauges(gauge, sources);
  const { queue } = sources;
  gauge("aetherv_queue_depth", "Objects that wait for a worker", [], () => [single(queue().depth)]);
  gauge("aetherv_queue_delayed", "Objects that are looked at again after a time", [], () => [single(queue().delayed)]);
  gauge("aetherv_queue_working", "Objects that are being looked at", [], () => [single(queue().working)]);
  gauge(
    "aetherv_queue_oldest_seconds",
    "How long the object that waits for longest has been waiting. Seconds",
    [],
    () => [single(queue().oldestMs / 1000)],
  );
  gauge("aetherv_epoch", "Fencing token of this control plane; hosts refuse jobs of lower ones", [], () => [
    single(sources.epoch()),
  ]);
  gauge("aetherv_file_problems", "Documents of manifest files that are wrong and not taken up", [], () => [
    single(sources.problems()),
  ]);
  inventoryCounter(registry, sources);
};

/** A metric without labels. */
const single = <L extends string>(value: number): Sample<L> => [{} as LabelValues<L>, value];

type AddGauge = <L extends string>(
  name: string,
  help: string,
  labels: readonly L[],
  samples: () => Iterable<Sample<L>>,
) => void;

const gaugesOf =
  (registry: Registry): AddGauge =>
  <L extends string>(name: string, help: string, labels: readonly L[], samples: () => Iterable<Sample<L>>) => {
    const gauge: Gauge<L> = new Gauge<L>({
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const [given, value] of samples()) gauge.set(given, value);
      },
    });
  };

const inventoryCounter = (registry: Registry, { inventories }: Sources): void => {
  const counter = new Counter({
    name: "aetherv_host_inventories_total",
    help: "Inventories asked of a host",
    labelNames: ["host"],
    registers: [registry],
    collect: () => {
      counter.reset();
      for (const [host, counts] of inventories()) counter.inc({ host }, counts.inventories);
    },
  });
};

const hostGauges = (gauge: AddGauge, { hosts, settings, now }: Sources): void => {
  gauge("aetherv_host_reachable", "1 when the host answers, 0 when not (yet)", ["host"], () =>
    hosts().map(({ name, reach }) => [{ host: name }, reach.at === "up" ? 1 : 0]),
  );
  gauge("aetherv_host_fault", "1 while the host does not answer, with the error code of why", ["host", "code"], () =>
    hosts().flatMap(({ name, reach }) => (reach.at === "down" ? [[{ host: name, code: reach.fault.code }, 1]] : [])),
  );
  gauge("aetherv_host_snapshot_age_seconds", "Age of the last inventory of the host. Seconds", ["host"], () =>
    hosts().flatMap(({ name, snapshot }) =>
      snapshot ? [[{ host: name }, Math.max(0, now().getTime() - snapshot.observedAt.getTime()) / 1000]] : [],
    ),
  );
  gauge(
    "aetherv_host_inventory_interval_seconds",
    "How often the host is asked for an inventory. Seconds",
    ["host"],
    () => settings().map(({ name, inventoryIntervalMs }) => [{ host: name }, inventoryIntervalMs / 1000]),
  );
  gauge(
    "aetherv_host_job_slots",
    "Jobs that the host runs side by side: short ones, and long ones (clones, moves)",
    ["host", "size"],
    () =>
      settings().flatMap(({ name, concurrency, longConcurrency }): Sample<"host" | "size">[] => [
        [{ host: name, size: "short" }, concurrency],
        [{ host: name, size: "long" }, longConcurrency],
      ]),
  );
};

const storageGauges = (gauge: AddGauge, { hosts }: Sources): void => {
  const volumes = (pick: "freeBytes" | "totalBytes") => (): Sample<"host" | "volume">[] =>
    hosts().flatMap(({ name, snapshot }) =>
      (snapshot?.host?.storage ?? []).map((one): Sample<"host" | "volume"> => [
        { host: name, volume: one.volume },
        one[pick],
      ]),
    );
  gauge(
    "aetherv_host_volume_free_bytes",
    "Free space of a volume with machines or disks, as of the last inventory. Bytes",
    ["host", "volume"],
    volumes("freeBytes"),
  );
  gauge("aetherv_host_volume_size_bytes", "Size of such a volume. Bytes", ["host", "volume"], volumes("totalBytes"));
  gauge(
    "aetherv_host_trash_bytes",
    "What deleted disks still take of a host until they are purged. Bytes",
    ["host"],
    () =>
      hosts().flatMap(({ name, snapshot }) =>
        snapshot
          ? [[{ host: name }, [...snapshot.trash.values()].reduce((sum, { fileSize }) => sum + fileSize, 0)]]
          : [],
      ),
  );
};

const objectGauges = (gauge: AddGauge, { objects }: Sources): void => {
  const all = (): readonly (readonly [string, readonly Resource[]])[] =>
    kinds.map(({ kind }) => [kind, objects.list(kind)]);
  gauge("aetherv_objects", "Objects by the status of their condition Ready", ["kind", "ready"], () =>
    all().flatMap(([kind, list]) => {
      const counts = countBy(list, (one) => [conditionOf(one, "Ready")?.status ?? "Unknown"]);
      return ["True", "False", "Unknown"].map((ready): Sample<"kind" | "ready"> => [
        { kind, ready },
        counts.get(ready) ?? 0,
      ]);
    }),
  );
  gauge(
    "aetherv_objects_stalled",
    "Objects of which nothing more happens until somebody acts, by the reason",
    ["kind", "reason"],
    () =>
      all().flatMap(([kind, list]) => {
        const counts = countBy(list, (one) => {
          const stalled = conditionOf(one, "Stalled");
          return stalled?.status === "True" ? [stalled.reason] : [];
        });
        return [...counts].map(([reason, count]): Sample<"kind" | "reason"> => [{ kind, reason }, count]);
      }),
  );
  gauge("aetherv_objects_deleting", "Objects under deletion", ["kind"], () =>
    all().map(([kind, list]) => [
      { kind },
      list.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).length,
    ]),
  );
};

const countBy = (
  list: readonly Resource[],
  names: (one: Resource) => readonly string[],
): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const one of list) for (const name of names(one)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
};

const conditionOf = ({ status }: Resource, type: string): Condition | undefined =>
  (status as { readonly conditions?: readonly Condition[] } | undefined)?.conditions?.find((one) => one.type === type);
