import { setTimeout as sleep } from "node:timers/promises";
import type { NamespaceGuest } from "../../integration/guest-linux/rig.ts";
import type { KvpItem } from "../../../src/guest/format.ts";
import { editHost, readHost, type EmulatedHost } from "../../rigs/hyperv/host.ts";
import { until } from "../rig.ts";

interface KvpVm {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  guest: { hostItems: Record<string, string>; guestItems: Record<string, string> };
}

export type Items = Readonly<Record<string, string>>;

const PERIOD_MS = 200;

/** Plays the VMBus and hv_kvp_daemon between an emulated machine and a guest of namespaces: carries items, changes none. */
export class KvpBridge {
  readonly vmId: string;
  readonly #root: string;
  readonly #guest: NamespaceGuest;
  readonly #ended: Promise<void>;
  /** Every set of host items that went to the guest, oldest first. */
  readonly #carried: Items[] = [];
  #altered: (items: Items) => Items = (items) => items;
  #broken = false;
  #stopping = false;

  private constructor(root: string, guest: NamespaceGuest, vmId: string) {
    this.vmId = vmId;
    this.#root = root;
    this.#guest = guest;
    this.#ended = this.#run();
  }

  /** Waits until the machine runs, tells the guest its id (pool 3), and carries items until `stop`. */
  static async start(root: string, name: string, guest: NamespaceGuest, timeoutMs: number): Promise<KvpBridge> {
    let vmId = "";
    await until(
      `${name} runs on the host`,
      async () => {
        const vm = machines(await readHost(root)).find((one) => one.name === name && one.state === "Running");
        vmId = vm?.id ?? "";
        return vm !== undefined;
      },
      timeoutMs,
    );
    await guest.ready(vmId);
    return new KvpBridge(root, guest, vmId);
  }

  /** Gives the guest a configuration that it had before, as who runs the host may do. Of the emulated KVP nothing changes. */
  async replay(generation: number): Promise<void> {
    const old = this.#carried.findLast((items) => `aetherv.config.${generation}.manifest` in items);
    if (!old) throw new Error(`generation ${generation} was never carried`);
    const clear = (items: Items = {}): boolean => !Object.keys(items).some((key) => key.startsWith("aetherv.config."));
    await until("the guest's pool has no configuration", async () => clear(this.#carried.at(-1)));
    this.#guest.publishItems(itemsOf(old));
  }

  async runs(): Promise<boolean> {
    return this.#find(await readHost(this.#root))?.state === "Running";
  }

  /** From now on the guest sees this of what is for it, as who runs the host may do. */
  alter(change: (items: Items) => Items): void {
    this.#altered = change;
  }

  /** Nothing of the host's is in the guest any more, and neither hears the other, until `mend`: as when hv_kvp_daemon ends. */
  cut(): void {
    this.#broken = true;
    this.#carried.push({});
    this.#guest.publishItems([]);
  }

  mend(): void {
    this.#broken = false;
  }

  /** Rejects with what ended the bridge before its time. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    for (; !this.#stopping; await sleep(PERIOD_MS)) {
      const vm = this.#find(await readHost(this.#root));
      if (vm?.state !== "Running" || this.#broken) continue;
      this.#toGuest(vm);
      await this.#toHost(vm);
    }
  }

  #find(host: EmulatedHost): KvpVm | undefined {
    return machines(host).find(({ id }) => id === this.vmId);
  }

  #toGuest(vm: KvpVm): void {
    const items = this.#altered(vm.guest.hostItems);
    if (JSON.stringify(items) === JSON.stringify(this.#carried.at(-1))) return;
    this.#guest.publishItems(itemsOf(items));
    this.#carried.push(items);
  }

  async #toHost(vm: KvpVm): Promise<void> {
    const said = Object.fromEntries(this.#guest.said().map(({ key, value }) => [key, value]));
    if (JSON.stringify(said) === JSON.stringify(vm.guest.guestItems)) return;
    await editHost(this.#root, (host) => {
      const now = this.#find(host);
      if (now?.state === "Running") now.guest.guestItems = said;
    });
  }
}

const itemsOf = (items: Items): readonly KvpItem[] => Object.entries(items).map(([key, value]) => ({ key, value }));

const machines = (host: EmulatedHost): readonly KvpVm[] => (host.vms ?? []) as unknown as readonly KvpVm[];
