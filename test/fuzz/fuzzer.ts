import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "../support/random.ts";
import { Coverage } from "./coverage.ts";
import { mutateBytes, mutateJson, pick } from "./mutate.ts";

/** Something that reads what strangers write. */
export interface Target {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  /** What a seed is: texts of JSON are changed in their structure too. */
  readonly shape: "bytes" | "json";
  /** Reads the inputs; throws when something does not hold that must. */
  check(inputs: readonly Buffer[]): void | Promise<void>;
  /** What runs outside of this process has no coverage here. */
  readonly coverage: "guides" | "none";
}

export interface Fuzzed {
  readonly runs: number;
  readonly corpus: number;
  readonly blocks: number;
}

export class FuzzError extends Error {
  override readonly name = "FuzzError";
}

const foundFolder = fileURLToPath(new URL("found", import.meta.url));

/** Inputs that once broke something: kept for ever, and tried first. */
export const foundInputs = (name: string): readonly Buffer[] => {
  const folder = join(foundFolder, name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map((file) => readFileSync(join(folder, file)));
};

const CORPUS = 2000;
const BATCH = 16;

/** Feeds changed seeds to a target until the time is over. Throws at the first input that breaks it, made as small as is quick. */
export const fuzz = async (target: Target, seconds: number, seed: number): Promise<Fuzzed> => {
  const random = new SeededRandom(seed);
  using coverage = new Coverage();
  const corpus = [...foundInputs(target.name), ...target.seeds];
  for (const input of corpus) await checked(target, [input], seed);
  coverage.keep(coverage.fresh());
  const end = Date.now() + seconds * 1000;
  let runs = corpus.length;
  while (Date.now() < end) {
    const inputs = Array.from({ length: BATCH }, () => next(random, target, corpus));
    await checked(target, inputs, seed);
    runs += inputs.length;
    // Looking costs more than most runs: who of a batch reached something new is asked only when somebody did.
    if (target.coverage === "none" || coverage.fresh().length === 0) continue;
    for (const input of inputs) {
      await checked(target, [input], seed);
      const fresh = coverage.fresh();
      coverage.keep(fresh);
      if (fresh.length > 0) corpus.push(input);
    }
    // The oldest that were found go; seeds stay.
    corpus.splice(target.seeds.length, Math.max(0, corpus.length - CORPUS));
  }
  return { runs, corpus: corpus.length, blocks: coverage.size };
};

const next = (random: SeededRandom, { shape }: Target, corpus: readonly Buffer[]): Buffer => {
  // What was found last is changed more often.
  const recent = corpus.slice(-20);
  const base = pick(random, random.next() < 0.3 ? recent : corpus);
  if (shape === "json" && random.next() < 0.7) {
    const value = parsed(base);
    if (value !== undefined) {
      let changed = mutateJson(random, value);
      while (random.next() < 0.4) changed = mutateJson(random, changed);
      return Buffer.from(JSON.stringify(changed) ?? "");
    }
  }
  return mutateBytes(random, base, pick(random, corpus));
};

const parsed = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
};

/** Processor time that one input may take, milliseconds: a hang, and what grows too fast. Other programs don't count. */
const LONGEST_MS = 8000;

const fails = async (target: Target, inputs: readonly Buffer[]): Promise<string | undefined> => {
  const before = process.cpuUsage();
  try {
    await target.check(inputs);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const { user, system } = process.cpuUsage(before);
  const took = (user + system) / 1000;
  return took > LONGEST_MS * inputs.length ? `it took ${took} ms of a processor` : undefined;
};

const checked = async (target: Target, inputs: readonly Buffer[], seed: number): Promise<void> => {
  if ((await fails(target, inputs)) === undefined) return;
  for (const input of inputs) {
    const why = await fails(target, [input]);
    if (why === undefined) continue;
    const small = await smaller(target, input);
    const told = (await fails(target, [small])) ?? why;
    throw new FuzzError(
      `${target.name}, seed ${seed}: an input breaks it (keep it in test/fuzz/found/${target.name}/)\n` +
        `base64: ${small.toString("base64")}\ntext: ${JSON.stringify(small.toString("utf8")).slice(0, 2000)}\n${told}`,
    );
  }
  throw new FuzzError(`${target.name}, seed ${seed}: ${inputs.length} inputs together break it, and none alone`);
};

const TRIES = 400;

/** Leaves out pieces while what is left still breaks the target. */
const smaller = async (target: Target, input: Buffer): Promise<Buffer> => {
  let best = input;
  let tries = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1 && tries < TRIES; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.length && tries < TRIES; tries += 1) {
      const less = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if ((await fails(target, [less])) === undefined) at += size;
      else best = less;
    }
  }
  return best;
};
