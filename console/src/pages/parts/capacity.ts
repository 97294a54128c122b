import type { VMHost } from "../../../../src/api/generated/types.ts";
import { bytes } from "../../lib/format.ts";
import { conditionOf, type Tone } from "../../lib/standing.ts";

export interface Usage {
  readonly id: "cpu" | "memory" | "storage";
  readonly title: string;
  /** What machines were promised (cpu, memory), what is occupied (storage). */
  readonly used: number;
  readonly total: number;
  readonly text: string;
}

interface Room {
  readonly name: string;
  readonly size: number;
  readonly free: number;
}

/** Storage classes whose room is known. */
export const roomsOf = (host: VMHost): readonly Room[] =>
  (host.status?.capacity?.storage ?? []).flatMap(({ name, size, free }) =>
    size === undefined || free === undefined ? [] : [{ name, size, free }],
  );

/** Classes on one volume have its size and free bytes, all of them: it counts once. */
const volumes = (rooms: readonly Room[]): readonly Room[] => [
  ...new Map(rooms.map((room) => [`${room.size}/${room.free}`, room])).values(),
];

/** How full a host is, as far as its status tells. */
export const capacityOf = (host: VMHost): readonly Usage[] => {
  const { capacity, allocated } = host.status ?? {};
  const usages: Usage[] = [];
  if (capacity?.cpu) {
    const used = allocated?.cpu ?? 0;
    usages.push({ id: "cpu", title: "CPU", used, total: capacity.cpu, text: `${used} of ${capacity.cpu} processors` });
  }
  if (capacity?.memory) {
    const used = allocated?.memory ?? 0;
    usages.push({
      id: "memory",
      title: "Memory",
      used,
      total: capacity.memory,
      text: `${bytes(used)} of ${bytes(capacity.memory)}`,
    });
  }
  const rooms = volumes(roomsOf(host));
  if (rooms.length > 0) {
    const total = rooms.reduce((sum, { size }) => sum + size, 0);
    const used = rooms.reduce((sum, { size, free }) => sum + size - free, 0);
    usages.push({ id: "storage", title: "Storage", used, total, text: `${bytes(used)} of ${bytes(total)}` });
  }
  return usages;
};

/** Whether a host answers, in a word. */
export const reachOf = (host: VMHost): { tone: Tone; text: string; message: string } => {
  const reachable = conditionOf(host, "Reachable");
  const message = reachable?.message ?? "";
  if (reachable?.status === "True") return { tone: "ok", text: "Online", message };
  if (reachable?.status === "False") return { tone: "bad", text: "Offline", message };
  return { tone: "idle", text: "Connecting", message };
};
