import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KvpItem } from "../../../src/guest/format.ts";

export const repository = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
export const agentFolder = join(repository, "agents/guest-linux");

/** A shell that the agent has to run on, as its command line. */
export interface Shell {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const all: readonly Shell[] = [
  { name: "dash", command: ["dash"] },
  { name: "bash", command: ["bash", "--norc"] },
  { name: "busybox ash", command: ["busybox", "ash"] },
];

/** Shells of this machine. npm test installs dash and busybox where it may. */
export const shells = all.map((shell) => ({
  ...shell,
  there: spawnSync(shell.command[0], [...shell.command.slice(1), "-c", "exit 0"]).status === 0,
}));

/** A folder that stands for the root of a guest; removed by `remove`. */
export interface Root {
  readonly path: string;
  readonly write: (path: string, content: string | Uint8Array) => void;
  readonly read: (path: string) => string;
  readonly bytes: (path: string) => Buffer;
  readonly remove: () => void;
}

export const makeRoot = (): Root => {
  const path = mkdtempSync(join(tmpdir(), "aetherv-guest-"));
  const write = (name: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  };
  for (const folder of ["etc", "run/aetherv/work", "var/lib/aetherv", "var/lib/hyperv"])
    mkdirSync(join(path, folder), { recursive: true });
  return {
    path,
    write,
    read: (name) => readFileSync(join(path, name), "utf8"),
    bytes: (name) => readFileSync(join(path, name)),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
};

const padded = (text: string, size: number): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc(size)], size);

/** A pool file of hv_kvp_daemon. */
export const poolFile = (items: readonly KvpItem[]): Buffer =>
  Buffer.concat(items.flatMap(({ key, value }) => [padded(key, 512), padded(value, 2048)]));

const textAt = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end === -1 ? bytes.length : end).toString("utf8");
};

/** What a pool file says, in its order. */
export const poolItems = (bytes: Buffer): readonly KvpItem[] =>
  Array.from({ length: bytes.length / 2560 }, (_, at) => ({
    key: textAt(bytes.subarray(at * 2560, at * 2560 + 512)),
    value: textAt(bytes.subarray(at * 2560 + 512, (at + 1) * 2560)),
  }));

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly log: string;
}

const environment = (root: Root) => ({
  PATH: process.env["PATH"],
  AETHERV_ROOT: root.path,
  AETHERV_HOME: agentFolder,
});

const run = (shell: Shell, root: Root, args: readonly string[], more: Record<string, string>): Ran => {
  const [command, ...first] = shell.command;
  const done = spawnSync(command, [...first, ...args], {
    env: { ...environment(root), ...more },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1e7,
  });
  return { code: done.status, out: done.stdout, log: done.stderr };
};

/** Runs lines of shell after all parts of the agent were loaded. */
export const inAgent = (shell: Shell, root: Root, lines: string): Ran =>
  run(shell, root, ["-c", `. "$AETHERV_HOME/aetherv-guest"\n${lines}`], { AETHERV_SOURCED: "1" });

/** Starts the agent for one look at the pool. */
export const lookOnce = (shell: Shell, root: Root): Ran =>
  run(shell, root, [join(agentFolder, "aetherv-guest"), "once"], {});
