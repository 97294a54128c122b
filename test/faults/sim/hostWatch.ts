import type { AuditEntry } from "../../../agents/simulator/model/audit.ts";
import { isTrash, nameUid } from "../../../agents/simulator/model/paths.ts";
import { validStamp } from "../../../agents/simulator/model/stamp.ts";
import type { HostFile, Vm } from "../../../agents/simulator/model/types.ts";
import type { JobRecord } from "../../../src/engine/ports.ts";
import { OPERATION_EFFECTS } from "../../../src/protocol/generated/types.ts";
import { violations } from "../../support/audit.ts";
import type { Invariants } from "../../support/invariants.ts";
import type { SimHost } from "../../support/simHost.ts";
import type { Alarm, Truth } from "./truth.ts";

/** Longer than any decision is on its way, with its live read and a slow line. */
const staleMs = 45_000;

type Changes = Readonly<Record<string, unknown>>;

/** Looks at a host after each change of it, and tells what must never happen. */
export class HostWatch {
  readonly #alarm: Alarm;
  readonly #truth: Truth;
  readonly #common: Invariants;
  readonly audit: AuditEntry[] = [];
  /** Stamps of machines and owners of files as they were. */
  readonly #vms = new Map<string, { readonly uid: string; readonly disks: readonly (string | undefined)[] }>();
  /** Jobs that were sent; and what each process, by its epoch, was told to be done, with the count of changes at its end. */
  readonly #sent = new Set<string>();
  readonly #done = new Map<string, number>();
  /** Jobs that were begun, with the count of changes then. */
  readonly #begun = new Map<string, number>();
  /** The count of changes after the last one that an admin made. */
  #lastByHand = 0;
  /** Jobs that have ended, with the count of changes then. */
  readonly #over = new Map<string, number>();
  readonly #files = new Map<string, string>();
  /** Entries of things that are not ours, as they must stay. */
  readonly #foreign = new Map<string, string>();
  #byHand = false;
  /** Changes of machines and disks, whoever made them. */
  changes = 0;

  constructor(parts: { readonly alarm: Alarm; readonly truth: Truth; readonly common: Invariants }) {
    this.#alarm = parts.alarm;
    this.#truth = parts.truth;
    this.#common = parts.common;
  }

  /** What is done meanwhile is an admin's doing. */
  byHand(work: () => void): void {
    this.#byHand = true;
    try {
      work();
    } finally {
      this.#byHand = false;
    }
  }

  /** From now on these entries are somebody else's: nobody may touch them. */
  protect(entries: Changes): void {
    for (const [key, value] of Object.entries(entries)) this.#foreign.set(key, JSON.stringify(value));
  }

  /** Machines that are somebody else's. */
  get strangers(): readonly string[] {
    return [...this.#foreign.keys()].map((key) => key.slice("vm:".length));
  }

  changed(host: SimHost, set: Changes): void {
    let visible = false;
    for (const [key, value] of Object.entries(set)) {
      if (!key.startsWith("vm:") && !key.startsWith("file:")) continue;
      visible = true;
      this.#foreignChanged(host.name, key, value);
      if (key.startsWith("vm:")) this.#vmChanged(host.name, key, value as Vm | null);
      else this.#fileChanged(host.name, key, value as HostFile | null);
    }
    if (!visible) return;
    this.changes += 1;
    if (this.#byHand) this.#lastByHand = this.changes;
    try {
      this.#common.check(host);
    } catch (error) {
      this.#alarm(error instanceof Error ? error.message : String(error));
    }
  }

  #foreignChanged(host: string, key: string, value: unknown): void {
    const before = this.#foreign.get(key);
    if (before === undefined || this.#byHand) return;
    if (JSON.stringify(value) !== before) this.#alarm(`${host}: ${key}, which is not ours, was touched`);
  }

  #vmChanged(host: string, key: string, vm: Vm | null): void {
    const before = this.#vms.get(key)?.uid;
    const uid = vm ? validStamp(vm)?.uid : undefined;
    if (!vm || uid === undefined) this.#vms.delete(key);
    else this.#vms.set(key, { uid, disks: vm.drives.map(({ path }) => nameUid(path)) });
    if (before === undefined || uid === before || this.#byHand || this.#truth.isGoing(before)) return;
    this.#alarm(`${host}: the machine of ${before}, which stays, ${vm ? "lost its stamp" : "was removed"}`);
  }

  #fileChanged(host: string, key: string, file: HostFile | null): void {
    const before = this.#files.get(key);
    const uid = file?.type === "disk" && !isTrash(file.path) ? nameUid(file.path) : undefined;
    if (uid === undefined) this.#files.delete(key);
    else this.#files.set(key, uid);
    if (file?.type !== "disk" || !isTrash(file.path) || this.#byHand) return;
    const owner = nameUid(file.path) ?? before;
    // A detached disk moves by a copy: then the old file goes.
    if (owner === undefined || [...this.#files.values()].includes(owner)) return;
    if (this.#truth.knows(owner) && !this.#truth.isGoing(owner))
      this.#alarm(`${host}: the disk ${file.path} went to the trash though ${owner} stays`);
  }

  /** Takes an entry of the host's own record. */
  heard(entry: AuditEntry): void {
    this.audit.push(entry);
    if (entry.at === "begin") this.#begun.set(entry.id, this.changes);
    if (entry.at === "end" || entry.at === "died") this.#over.set(entry.id, this.changes);
    if (entry.at === "effect" && this.#over.has(entry.id))
      this.#alarm(`${entry.operation} ${entry.id} goes on though its end was told`);
    if (entry.at === "begin" && entry.operation === "disk.detach") this.#detached(entry.locks?.[0] ?? "");
  }

  /** What the control plane's record tells of a job. */
  told({ id, operation, status, finishedAt, request }: JobRecord): void {
    if (OPERATION_EFFECTS[operation] !== "change") return;
    const order = `${request.metadata.epoch} ${operation} ${JSON.stringify(request.resource_spec)}`;
    if (status === "running" && !this.#sent.has(id)) {
      this.#sent.add(id);
      // Nothing at all has changed on the host since the same was told to be done: it was decided on something older.
      if (this.#done.get(order) === this.changes)
        this.#alarm(`${operation} ${id} is sent though it was told to be done: ${order}`);
    }
    if (finishedAt === undefined || status !== "success") return;
    const changes = this.#over.get(id);
    if (changes === undefined) this.#alarm(`${operation} ${id} is taken for done, and still runs`);
    // What an admin did meanwhile may have undone it before its end, which then tells so.
    else if (this.#lastByHand <= (this.#begun.get(id) ?? 0)) this.#done.set(order, changes);
  }

  /** A disk is taken from its machine: whoever decided that must have had a reason not long ago. */
  #detached(uid: string): void {
    const held = this.#truth.heldBy(uid);
    const inPlace = held && [...this.#vms.values()].some((vm) => vm.uid === held.vm && vm.disks.includes(uid));
    if (inPlace && held.ms > staleMs)
      this.#alarm(
        `disk.detach of ${uid}, which its machine has been meant to have for ${Math.round(held.ms / 1000)} s`,
      );
  }

  /** What the host's own record tells; asked at the end. */
  recorded(): readonly string[] {
    return violations(this.audit);
  }
}
