import type { World } from "./world.ts";

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(12, "0");

/** Addresses of the host's pool that no adapter here and none of the others has, in order. */
export function* freeMacs(world: World, others: readonly string[]): Generator<string, undefined> {
  const { minimum, maximum } = world.host().macPool;
  const taken = new Set([...others, ...world.vms().flatMap((vm) => vm.adapters.map((one) => one.macAddress))]);
  for (let value = Number.parseInt(minimum, 16); value <= Number.parseInt(maximum, 16); value++)
    if (!taken.has(hex(value))) yield hex(value);
  return undefined;
}
