import { expect } from "vitest";
import type { FaultRule } from "../../../agents/simulator/model/faults.ts";
import { isTrash, nameUid } from "../../../agents/simulator/model/paths.ts";
import { validStamp } from "../../../agents/simulator/model/stamp.ts";
import type { DiskFile, Vm } from "../../../agents/simulator/model/types.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { keyText, type Key, type Resource } from "../../../src/api/resource.ts";
import { namespace, type DiskSpec, type NicSpec, type VmSpec, type WorldSpec } from "../../property/world.ts";
import { standingOf } from "../../support/plane.ts";
import { Chance } from "../sim/chance.ts";
import { end } from "../sim/ending.ts";
import { FilesBackend } from "../sim/filesBackend.ts";
import { KubernetesBackend } from "../sim/kubernetesBackend.ts";
import { Simulation } from "../sim/simulation.ts";
import type { StoreKind } from "../sim/story.ts";

export const vmNamed = (name: string, more: Partial<VmSpec> = {}): VmSpec => ({
  name,
  host: "hv1",
  generation: 2,
  cpu: 2,
  memoryMi: 512,
  power: "Running",
  approval: "Automatic",
  notes: "",
  secureBoot: false,
  ...more,
});

export const diskNamed = (name: string, more: Partial<DiskSpec> = {}): DiskSpec => ({
  name,
  host: "hv1",
  source: "Blank",
  sizeGi: 20,
  storageClass: "standard",
  ...more,
});

export const nicNamed = (name: string, vm: string): NicSpec => ({
  name,
  vm,
  network: "lan",
  vlan: 7,
  connected: true,
  macSpoofing: false,
});

/** One machine with its system disk. */
export const oneVm: WorldSpec = { hosts: ["hv1"], vms: [vmNamed("web")], disks: [], nics: [], named: 9 };

/** A control plane over simulated hosts, on which exactly what a test does goes wrong. */
export class Stage {
  readonly simulation: Simulation;

  private constructor(simulation: Simulation) {
    this.simulation = simulation;
  }

  /** Raises the curtain: the world is wanted, nothing has been done yet. */
  static async open(world: WorldSpec, store: StoreKind = "memory", faults: readonly FaultRule[] = []): Promise<Stage> {
    const parts = { chance: new Chance(7), store, hosts: world.hosts, crashes: false } as const;
    const stage = new Stage(new Simulation({ ...parts, climate: "fair", trace: "keep" }));
    for (const { host } of stage.simulation.hosts.values()) host.behaviour = { faults };
    stage.simulation.supervisor.begin();
    await stage.want(world);
    return stage;
  }

  /** The same, once all of it is there. */
  static async built(world: WorldSpec, store: StoreKind = "memory"): Promise<Stage> {
    const stage = await Stage.open(world, store);
    await stage.pass(90);
    stage.quiet();
    expect(stage.standings().filter((text) => !text.endsWith(": Ready"))).toEqual([]);
    return stage;
  }

  get kubernetes(): KubernetesBackend {
    const { backend } = this.simulation;
    if (backend instanceof KubernetesBackend) return backend;
    throw new Error("this stage has no API server");
  }

  get files(): FilesBackend {
    const { backend } = this.simulation;
    if (backend instanceof FilesBackend) return backend;
    throw new Error("this stage has no files");
  }

  want(world: WorldSpec): Promise<void> {
    return this.simulation.want(world);
  }

  async pass(seconds: number): Promise<void> {
    await this.simulation.pass(seconds * 1000);
  }

  /** Lets time pass until the test holds. */
  async until(what: string, test: () => boolean, seconds = 600): Promise<void> {
    for (let left = seconds * 20; left > 0; left -= 1) {
      if (test()) return;
      await this.simulation.pass(50);
    }
    throw new Error(`not within ${seconds} s: ${what}\n${this.simulation.scheduler.trace.slice(-40).join("\n")}`);
  }

  /** Nothing happened that must never happen. */
  quiet(): void {
    expect(this.simulation.alarms).toEqual([]);
    for (const { watch } of this.simulation.hosts.values()) expect(watch.recorded()).toEqual([]);
  }

  /** From here on nothing goes wrong: everything becomes as it is wanted, and then there is silence. */
  async close(): Promise<void> {
    expect(await end(this.simulation)).toEqual([]);
    this.quiet();
  }

  object(kind: string, name: string): Resource | undefined {
    return this.simulation.truth.get(keyText(this.key(kind, name)));
  }

  key(kind: string, name: string): Key {
    return { kind, namespace: kind === "VMHost" ? "" : namespace, name };
  }

  standing(kind: string, name: string): string {
    const object = this.object(kind, name);
    return object ? standingOf(object) : "gone";
  }

  standings(): readonly string[] {
    return this.simulation.truth.list().map((one) => `${one.kind} ${one.metadata.name}: ${standingOf(one)}`);
  }

  uid(kind: string, name: string): string {
    return this.object(kind, name)?.metadata.uid ?? `no ${kind} ${name}`;
  }

  /** What an admin does at the host's own console. */
  byHand(work: (world: World) => void, host = "hv1"): void {
    const { watch, host: machine } = this.simulation.host(host);
    watch.byHand(() => machine.change(work));
  }

  read<T>(work: (world: World) => T, host = "hv1"): T {
    return this.simulation.host(host).host.read(work);
  }

  vms(host = "hv1"): readonly Vm[] {
    return this.read((world) => world.vms(), host);
  }

  /** The machine that carries the object's mark. */
  vm(name: string, host = "hv1"): Vm | undefined {
    const uid = this.uid("VirtualMachine", name);
    return this.vms(host).find((vm) => validStamp(vm)?.uid === uid);
  }

  /** Files outside the trash that carry the object's uid, copies too. */
  filesOf(disk: string, host = "hv1"): readonly DiskFile[] {
    const uid = this.uid("VirtualDisk", disk);
    return this.read((world) => world.disks(), host).filter(({ path }) => nameUid(path) === uid && !isTrash(path));
  }

  /** How often jobs of this operation were begun on the host. */
  begun(operation: string, host = "hv1"): number {
    const { audit } = this.simulation.host(host).watch;
    return audit.filter((entry) => entry.at === "begin" && entry.operation === operation).length;
  }
}
