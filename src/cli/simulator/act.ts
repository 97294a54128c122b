import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { settle } from "../../../agents/simulator/model/settle.ts";
import type { HostStore } from "../../../agents/simulator/model/state.ts";
import type { DiskFile, Switch, Vm } from "../../../agents/simulator/model/types.ts";
import { World } from "../../../agents/simulator/model/world.ts";
import { openHost } from "../../../agents/simulator/process/host.ts";
import { bytesOf } from "../../api/quantity.ts";
import { nearest } from "../../api/nearest.ts";
import { ControlError } from "../../server/control.ts";

/** One change that a careless admin makes on a host: its state folder and the words of the command. Tells what it did. */
export type AdminAction = (stateDir: string, args: readonly string[]) => Promise<string>;

export const invalid = (message: string, hint?: string): never => {
  throw new ControlError("Invalid", message, hint);
};

/** The host's store; an error when the folder holds no host (a new one is never made by mistake). */
export const existingHost = (stateDir: string): HostStore => {
  if (!existsSync(join(stateDir, "snapshot.json")))
    throw new ControlError(
      "NotFound",
      `no simulated host "${basename(stateDir)}": ${stateDir} does not exist`,
      "`aetherv run` makes the hosts that its VMHost objects name (driver Simulated); --data names the data folder",
    );
  return openHost(stateDir);
};

/** Changes the host's state in one step, as of now. */
export const change = <T>(stateDir: string, work: (world: World) => T): T =>
  existingHost(stateDir).transact((tx) => {
    const world = new World(tx);
    settle(world, Date.now());
    return work(world);
  });

export const look = <T>(stateDir: string, work: (world: World) => T): T =>
  existingHost(stateDir).read((tx) => work(new World(tx)));

const missing = (what: string, wanted: string, there: readonly string[]): never => {
  const near = nearest(wanted, there);
  throw new ControlError(
    "NotFound",
    `the host has no ${what} "${wanted}"; there are: ${there.join(", ") || "none"}`,
    near === undefined ? undefined : `did you mean "${near}"?`,
  );
};

/** By name (case ignored) or id; a name that several machines have needs the id. */
export const findVm = (world: World, wanted: string): Vm => {
  const found = world.vms().filter((vm) => vm.id === wanted || vm.name.toLowerCase() === wanted.toLowerCase());
  if (found.length > 1) invalid(`"${wanted}" is the name of ${found.map((vm) => vm.id).join(" and ")}; give the id`);
  return (
    found[0] ??
    missing(
      "virtual machine",
      wanted,
      world.vms().map((vm) => vm.name),
    )
  );
};

/** A disk file by its path, its file name, or the part of the name before the uid. */
export const findDisk = (world: World, wanted: string, among: readonly DiskFile[] = world.disks()): DiskFile => {
  const text = wanted.toLowerCase();
  const matches = (file: DiskFile): boolean => {
    const path = file.path.toLowerCase();
    const name = path.slice(path.lastIndexOf("\\") + 1);
    return path === text || name === text || name.startsWith(`${text}.`);
  };
  const found = among.filter(matches);
  if (found.length > 1) invalid(`"${wanted}" could be ${found.map((file) => file.path).join(" or ")}; give the path`);
  return (
    found[0] ??
    missing(
      "disk file",
      wanted,
      among.map((file) => file.path),
    )
  );
};

export const findSwitch = (world: World, wanted: string): Switch =>
  world.switches().find((one) => one.name.toLowerCase() === wanted.toLowerCase()) ??
  missing(
    "switch",
    wanted,
    world.switches().map((one) => one.name),
  );

/** A size as in manifests: 512Mi, 4Gi, 1Ti. */
export const sizeArgument = (text: string): number => {
  try {
    return bytesOf(text);
  } catch (error) {
    return invalid(error instanceof Error ? error.message : String(error));
  }
};

export const numberArgument = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  return Number.isInteger(value) && value >= least && value <= most
    ? value
    : invalid(`${name}: expected a whole number from ${least} to ${most}, got "${text}"`);
};

export const choice = <T extends string>(name: string, text: string, allowed: readonly T[]): T =>
  allowed.find((one) => one.toLowerCase() === text.toLowerCase()) ??
  invalid(`${name}: expected one of ${allowed.join(", ")}, got "${text}"`);
