import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { copyFile, mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { bytesOf } from "../../../../src/api/quantity.ts";
import {
  editHost,
  makeDisk,
  readDisk,
  readHost,
  realPath,
  setFaults,
  type EmulatedHost,
} from "../../../rigs/hyperv/host.ts";

/** A machine as the emulated host keeps it; the fields that the admin's deeds touch. */
interface Machine {
  id: string;
  name: string;
  path: string;
  state: string;
  notes: string;
  startedAt?: string | null;
  stateSince?: string;
  processor: { count: number };
  memory: { startup: number };
  guest: { hung?: boolean; os?: string };
  drives: { path?: string | null }[];
  adapters: { id: string; mac: string }[];
  checkpoints: {
    id: string;
    name: string;
    parentId?: string | null;
    creationTime: string;
    snapshotType: string;
    drives: object[];
  }[];
  scsi: { id: string }[];
  due: object[];
}

const machines = (host: EmulatedHost): Machine[] => (host.vms ?? []) as unknown as Machine[];

const machine = (host: EmulatedHost, name: string): Machine => {
  const found = machines(host).find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (!found) throw new Error(`no machine "${name}"`);
  return found;
};

/** Every disk file under the host's drives, as Windows paths. */
const diskPaths = async (root: string): Promise<string[]> => {
  const found: string[] = [];
  for (const drive of ["C", "D"])
    for (const entry of await readdir(join(root, drive), { recursive: true, withFileTypes: true }))
      if (entry.isFile() && /\.a?vhdx?$/.test(entry.name))
        found.push(
          `${drive}:\\${join(entry.parentPath, entry.name)
            .slice(join(root, drive).length + 1)
            .replaceAll("/", "\\")}`,
        );
  return found;
};

const findDisk = async (root: string, name: string): Promise<string> => {
  const found = (await diskPaths(root)).find((path) => path === name || path.split("\\").at(-1)?.startsWith(name));
  if (found === undefined) throw new Error(`no disk "${name}"`);
  return found;
};

const stem = (path: string): string => path.replace(/\.a?vhdx?$/i, "").replace(/_[0-9A-F-]{36}$/, "");

const addCheckpoint = async (root: string, name: string, label: string, type: string): Promise<void> => {
  const vm = machine(await readHost(root), name);
  const moved: { from: string; to: string }[] = [];
  for (const { path } of vm.drives) {
    if (typeof path !== "string") continue;
    const parent = await readDisk(root, path);
    const to = `${stem(path)}_${randomUUID().toUpperCase()}.avhdx`;
    await makeDisk(root, to, {
      format: "VHDX",
      type: "Differencing",
      size: parent?.size ?? 0,
      parentPath: path,
      ...(parent?.dataWriteId ? { parentDataWriteId: parent.dataWriteId } : {}),
      ...(parent?.content ? { content: parent.content } : {}),
      ...(parent?.os ? { os: parent.os, osName: parent.osName ?? "", osVersion: parent.osVersion ?? "" } : {}),
      ...(parent?.generations ? { generations: parent.generations } : {}),
    });
    moved.push({ from: path, to });
  }
  await editHost(root, (host) => {
    const now = machine(host, name);
    now.checkpoints.push({
      id: randomUUID(),
      name: label,
      parentId: now.checkpoints.at(-1)?.id ?? null,
      creationTime: new Date().toISOString(),
      snapshotType: type,
      drives: structuredClone(now.drives),
    });
    for (const drive of now.drives) {
      const change = moved.find(({ from }) => from === drive.path);
      if (change) drive.path = change.to;
    }
  });
};

const copyVm = async (root: string, name: string): Promise<void> => {
  const copy = structuredClone(machine(await readHost(root), name));
  copy.id = randomUUID();
  copy.name = `${copy.name}-copy`;
  copy.path = `D:\\Exports\\${copy.name}`;
  copy.state = "Off";
  copy.startedAt = null;
  for (const adapter of copy.adapters) adapter.id = randomUUID();
  for (const controller of copy.scsi) controller.id = randomUUID();
  for (const drive of copy.drives) {
    if (typeof drive.path !== "string") continue;
    const to = `${copy.path}\\Virtual Hard Disks\\${drive.path.split("\\").at(-1)}`;
    await mkdir(dirname(realPath(root, to)), { recursive: true });
    await copyFile(realPath(root, drive.path), realPath(root, to));
    drive.path = to;
  }
  await editHost(root, (host) => {
    (host.vms as unknown as Machine[]).push(copy);
  });
};

/** As Explorer copies: the time of the last write comes along. */
const copyDisk = async (root: string, name: string, folder: string): Promise<void> => {
  const path = await findDisk(root, name);
  const [from, to] = [realPath(root, path), realPath(root, `${folder}\\${path.split("\\").at(-1)}`)];
  await mkdir(dirname(to), { recursive: true });
  await promisify(execFile)("cp", ["--preserve=timestamps", "--no-clobber", from, to]);
};

const unregister = async (root: string, name: string): Promise<void> => {
  await editHost(root, (host) => {
    const vm = machine(host, name);
    host.vms = machines(host).filter((one) => one !== vm) as unknown as Record<string, unknown>[];
  });
};

const configuration = (vm: Machine): string => `${vm.path}\\Virtual Machines\\${vm.id.toUpperCase()}.vmcx`;

const setPower = (vm: Machine, state: string): void => {
  vm.state = state;
  vm.stateSince = new Date().toISOString();
  vm.due = [];
  if (state === "Off") vm.startedAt = null;
  else vm.startedAt ??= new Date(Date.now() - 1000).toISOString();
};

/** What a careless admin does to the emulated host: the words of `aetherv simulator`. */
export class EmulatedAdmin {
  readonly #root: string;
  readonly #faultFile: string;
  /** Runs a script with the host's own cmdlets. */
  readonly #script: (text: string) => Promise<void>;
  readonly #holders: ChildProcess[] = [];

  constructor(root: string, faultFile: string, script: (text: string) => Promise<void>) {
    this.#root = root;
    this.#faultFile = faultFile;
    this.#script = script;
  }

  async act(words: readonly string[]): Promise<void> {
    const [action = "", name = "", ...more] = words;
    switch (action) {
      case "fault":
        return this.#fault(name, more);
      case "open-disk":
        return this.#hold(await findDisk(this.#root, name));
      case "delete-disk": {
        const path = await findDisk(this.#root, name);
        await rm(realPath(this.#root, path));
        return rm(realPath(this.#root, `${path}.aetherv.json`), { force: true });
      }
      case "copy-disk":
        return copyDisk(this.#root, name, more[0] ?? "");
      case "write-disk":
        return utimes(realPath(this.#root, await findDisk(this.#root, name)), new Date(), new Date());
      case "add-checkpoint":
        return addCheckpoint(this.#root, name, more[0] ?? "by hand", more[1] ?? "Production");
      case "remove-checkpoint":
        return this.#removeCheckpoint(name);
      case "copy-vm":
        return copyVm(this.#root, name);
      case "unregister-vm": {
        const vm = machine(await readHost(this.#root), name);
        await unregister(this.#root, name);
        return writeFile(realPath(this.#root, configuration(vm)), JSON.stringify({ ...vm, state: "Off" }));
      }
      case "delete-vm": {
        const vm = machine(await readHost(this.#root), name);
        await unregister(this.#root, name);
        return rm(realPath(this.#root, configuration(vm)), { force: true });
      }
      case "add-vm":
        return this.#script(`Hyper-V\\New-VM -Name '${name}' -Path 'D:\\Foreign' -Generation 2 -NoVHD`);
      case "add-image":
        return this.#addImage(name, more[0] ?? "20Gi", more[1] ?? "D:\\Images");
      default:
        return editHost(this.#root, (host) => this.#edit(host, action, name, more));
    }
  }

  #edit(host: EmulatedHost, action: string, name: string, more: readonly string[]): void {
    const [value = ""] = more;
    switch (action) {
      case "set-cpu":
        machine(host, name).processor.count = Number(value);
        return;
      case "set-memory":
        machine(host, name).memory.startup = bytesOf(value);
        return;
      case "edit-notes":
        machine(host, name).notes = more.join(" ");
        return;
      case "hang":
        machine(host, name).guest.hung = true;
        return;
      case "power":
        setPower(machine(host, name), value);
        return;
      case "rename-switch":
        for (const one of host.switches ?? []) if (one.name === name) one.name = value;
        return;
      case "fill-volume":
        for (const volume of host.volumes ?? [])
          if (volume.root === `${name}\\`) volume.otherBytes = (volume.capacity ?? 0) - bytesOf(value);
        return;
      default:
        throw new Error(`no admin action "${action}" for the emulated host`);
    }
  }

  /** As the simulator: the merge takes two seconds. */
  async #removeCheckpoint(name: string): Promise<void> {
    await editHost(this.#root, (host) => {
      (host as { behaviour: { mergeMs: number } }).behaviour.mergeMs = 2000;
    });
    await this.#script(
      `Hyper-V\\Get-VMSnapshot -VMName '${name}' | Select-Object -First 1 | Hyper-V\\Remove-VMSnapshot`,
    );
    await editHost(this.#root, (host) => {
      (host as { behaviour: { mergeMs: number } }).behaviour.mergeMs = 0;
    });
  }

  async #addImage(file: string, size: string, folder: string): Promise<void> {
    const bytes = bytesOf(size);
    await makeDisk(this.#root, `${folder}\\${file}`, { size: bytes, fileSize: Math.min(bytes, 2 * 2 ** 30) });
  }

  async #fault(verb: string, more: readonly string[]): Promise<void> {
    if (verb === "clear") return rm(this.#faultFile, { force: true });
    // The only part that the cases ask for.
    if (more[0] === "incomplete=vms")
      return setFaults(this.#root, [{ on: "CIM:Msvm_ProcessorSettingData", do: "throw", times: 1 }]);
    const [what = "", ...options] = more;
    const operation = options.find((one) => one.startsWith("operation="))?.slice("operation=".length);
    const [type = "", value = ""] = what.split("=");
    await writeFile(
      this.#faultFile,
      JSON.stringify({ type, operation, code: value, after: Number(value.replace("#", "")) || 0 }),
    );
  }

  async #hold(path: string): Promise<void> {
    const child = spawn("flock", ["--exclusive", realPath(this.#root, path), "sleep", "600"], { detached: true });
    this.#holders.push(child);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  /** Ends what holds files open. */
  close(): void {
    for (const { pid } of this.#holders.splice(0)) if (pid !== undefined) process.kill(-pid);
  }
}
