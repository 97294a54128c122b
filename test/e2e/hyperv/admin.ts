import { rm } from "node:fs/promises";
import { editHost, makeDisk, readHost, realPath, type EmulatedHost } from "../../rigs/hyperv/host.ts";
import type { Chain } from "./chain.ts";
import { machinesOf, type StoredVm } from "./store.ts";

type Root = string;

const machine = (host: EmulatedHost, name: string): StoredVm => {
  const found = machinesOf(host).find((vm) => vm.name === name);
  if (!found) throw new Error(`no machine ${name}`);
  return found;
};

/** Root of the host that has a machine of this name. */
export const hostWith = async ({ hosts }: Chain, name: string): Promise<Root> => {
  for (const { root } of Object.values(hosts))
    if (machinesOf(await readHost(root)).some((vm) => vm.name === name)) return root;
  throw new Error(`no host has a machine ${name}`);
};

const edit = async (chain: Chain, name: string, change: (vm: StoredVm) => void): Promise<void> =>
  editHost(await hostWith(chain, name), (host) => change(machine(host, name)));

/** What a careless admin does, straight in the emulated Hyper-V's store. */
export const breaks = {
  setMemory: (chain: Chain, vm: string, startup: number) => edit(chain, vm, ({ memory }) => (memory.startup = startup)),
  rename: (chain: Chain, vm: string, to: string) => edit(chain, vm, (found) => (found.name = to)),
  detach: (chain: Chain, vm: string, disk: string) =>
    edit(chain, vm, (found) => (found.drives = found.drives.filter(({ path }) => !path.includes(`\\${disk}.`)))),
  setVlan: (chain: Chain, vm: string, id: number) =>
    edit(chain, vm, ({ adapters }) => {
      for (const { vlan } of adapters) Object.assign(vlan, { mode: "Access", accessVlanId: id });
    }),
  /** As Remove-VM does: the configuration's file goes, too. */
  deleteVm: async (chain: Chain, name: string) => {
    const root = await hostWith(chain, name);
    const { id, path } = machine(await readHost(root), name);
    await rm(realPath(root, `${path}\\Virtual Machines\\${id.toUpperCase()}.vmcx`), { force: true });
    await editHost(root, (host) => {
      host.vms = machinesOf(host).filter((vm) => vm.name !== name) as unknown as Record<string, unknown>[];
    });
  },
};

export const FOREIGN_DISKS = ["D:\\Foreign\\theirs.vhdx", "D:\\VMs\\default\\unknown.vhdx"] as const;

/** A machine that nobody declared, named as one of ours is, with a disk; and a disk alone in a managed folder. */
export const addForeign = async (root: Root, name: string): Promise<void> => {
  for (const path of FOREIGN_DISKS) await makeDisk(root, path, { size: 2 ** 30, content: "theirs" });
  await editHost(root, (host) => {
    host.vms?.push({
      id: FOREIGN_ID,
      name,
      notes: "do not touch",
      path: "D:\\Foreign",
      memory: { startup: 2 ** 30 },
      scsi: [{ id: "0f0f0f0f-0000-4000-8000-000000000001" }],
      drives: [{ controllerType: "SCSI", controllerNumber: 0, controllerLocation: 0, path: FOREIGN_DISKS[0] }],
      adapters: [{ id: "0f0f0f0f-0000-4000-8000-000000000002", name: "Network Adapter" }],
    });
  });
};

export const FOREIGN_ID = "0f0f0f0f-0000-4000-8000-000000000000";
