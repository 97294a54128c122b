import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Plant } from "./plants.ts";

export interface Search {
  readonly seeds: number;
  readonly from: number;
  readonly workers: number;
}

export interface Found {
  readonly seed: number;
  /** Seeds that were run until then. */
  readonly tried: number;
  readonly how: string;
}

const program = fileURLToPath(new URL("../simulate.ts", import.meta.url));

/** Runs seeds over the product with the bug in it until one fails. */
export const findPlant = async (plant: Plant, { seeds, from, workers }: Search): Promise<Found | undefined> => {
  const stores = plant.stores?.flatMap((store) => ["--store", store]) ?? [];
  const numbers = ["--seeds", String(seeds), "--from", String(from), "--workers", String(workers)];
  const args = [...process.execArgv, program, ...numbers, "--plant", plant.name, "--first", ...stores];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  let wrong = "";
  child.stdout.on("data", (part: Buffer) => (text += String(part)));
  child.stderr.on("data", (part: Buffer) => (wrong += String(part)));
  await new Promise((resolve) => child.once("close", resolve));
  const failure = /FAIL seed (\d+) [^\n]*\n\s*([^\n]*)/.exec(text);
  const tried = Number(/(\d+) seeds in/.exec(text)?.[1] ?? 0);
  if (failure) return { seed: Number(failure[1]), tried, how: failure[2] ?? "" };
  // A worker that can't even start says nothing about the bug.
  if (tried < seeds) throw new Error(`${plant.name}: only ${tried} seeds were run: ${wrong.slice(0, 2000)}`);
  return undefined;
};
