import { isCheckpointFile, isPartial, pathKey } from "../../agents/simulator/model/paths.ts";
import { validStamp } from "../../agents/simulator/model/stamp.ts";
import type { World } from "../../agents/simulator/model/world.ts";
import type { SimHost } from "./simHost.ts";

/** Broken: something that must never happen on a host did. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

interface KnownDisk {
  readonly path: string;
  readonly size: number;
}

/**
 * What must hold after each single change of any host, whatever goes wrong: no two machines carry a valid stamp of one uid, no disk is
 * lost (the trash counts as kept), shrunk, or attached twice. Identifiers tell disks; what an admin removed is excused.
 */
export class Invariants {
  readonly #disks = new Map<string, KnownDisk>();
  readonly #stamps = new Map<string, ReadonlyMap<string, string>>();
  readonly #excused = new Set<string>();

  /** Someone else removed this disk: its loss is not ours. */
  excuse(diskId: string): void {
    this.#excused.add(diskId);
  }

  check(host: Pick<SimHost, "name" | "read">): void {
    host.read((world) => {
      this.#twins(host.name, world);
      this.#files(host.name, world);
      this.#attachments(host.name, world);
    });
  }

  #twins(host: string, world: World): void {
    const stamps = new Map<string, string>();
    for (const vm of world.vms()) {
      const uid = validStamp(vm)?.uid;
      if (uid === undefined) continue;
      if (stamps.has(uid)) throw new InvariantError(`${host}: ${vm.name} and ${stamps.get(uid)} both carry ${uid}`);
      stamps.set(uid, vm.name);
    }
    this.#stamps.set(host, stamps);
    for (const [other, theirs] of this.#stamps)
      for (const uid of other === host ? [] : stamps.keys())
        if (theirs.has(uid)) throw new InvariantError(`${uid} has a machine on ${host} and one on ${other}`);
  }

  #files(host: string, world: World): void {
    const present = new Map<string, KnownDisk>();
    for (const file of world.disks())
      if (!isPartial(file.path) && !isCheckpointFile(file.path)) present.set(`${host}/${file.diskId}`, file);
    for (const [id, before] of this.#disks) {
      if (!id.startsWith(`${host}/`) || this.#excused.has(id.slice(host.length + 1))) continue;
      const now = present.get(id);
      if (!now) throw new InvariantError(`${host}: the disk ${before.path} (${id}) is lost`);
      if (now.size < before.size) throw new InvariantError(`${host}: the disk ${now.path} shrank`);
    }
    for (const [id, { path, size }] of present) this.#disks.set(id, { path, size });
  }

  #attachments(host: string, world: World): void {
    const holders = new Map<string, string>();
    for (const vm of world.vms())
      for (const { path } of vm.drives) {
        const key = pathKey(path);
        const other = holders.get(key);
        if (other !== undefined) throw new InvariantError(`${host}: ${path} is attached to ${other} and ${vm.name}`);
        holders.set(key, vm.name);
      }
  }
}
