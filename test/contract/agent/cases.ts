import { readdirSync, readFileSync } from "node:fs";

/** What is expected of a result; absent = success. `data` and `message` as in match.ts. */
export interface Expectation {
  readonly status?: "success" | "error" | "partial";
  readonly code?: string;
  readonly message?: string;
  readonly data?: unknown;
}

/** One step: a job sent to the agent, something an admin does, a named setup, or a look at the host. */
export type Step =
  | {
      readonly send: string;
      readonly spec: unknown;
      /** Name for the result's data, for later steps: ${name.field}. */
      readonly as?: string;
      readonly expect?: Expectation;
      readonly dryRun?: boolean;
      readonly epoch?: number;
      readonly controlPlane?: string;
      readonly locks?: readonly string[];
      /** Sent again: the same id answers the same, a new id succeeds and leaves the host as it is. */
      readonly repeat?: boolean;
      /** Cut off after each of its effects and sent again, it ends as the uncut one. */
      readonly cut?: boolean;
      /** What a full inventory must match wherever it was cut off, before it is sent again. */
      readonly afterCut?: unknown;
    }
  | { readonly admin: readonly string[] }
  | { readonly setup: string }
  /** A full inventory must match. */
  | { readonly see: unknown };

export interface Case {
  readonly why: string;
  readonly given?: string;
  readonly steps: readonly Step[];
  /** Also run against the real process (session and one-shot). */
  readonly process?: boolean;
}

const here = (path: string): URL => new URL(path, import.meta.url);
const read = (path: string): unknown => JSON.parse(readFileSync(here(path), "utf8"));

export const fixtures = read("fixtures.json") as {
  readonly values: Readonly<Record<string, unknown>>;
  readonly setups: Readonly<Record<string, readonly Step[]>>;
};

/** The cases by file, which is named for its operation. */
export const caseFiles = (): readonly { readonly name: string; readonly cases: readonly Case[] }[] =>
  readdirSync(here("cases")).map((file) => ({
    name: file.replace(/\.json$/, ""),
    cases: read(`cases/${file}`) as readonly Case[],
  }));
