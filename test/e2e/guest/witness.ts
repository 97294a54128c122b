import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../rig.ts";

/** Why nothing can be captured here; undefined where it can. */
export const whyNoCapture = (): string | undefined =>
  spawnSync("tcpdump", ["--version"]).status === 0 ? undefined : "not installed: tcpdump";

/** Watches from outside, while a test runs: packets of interfaces, and the process list. */
export class Witness {
  readonly #folder: string;
  readonly #watchers: { readonly child: ChildProcess; readonly file: string; readonly what: string }[] = [];

  /** Keeps what it sees in files of this folder. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Every packet of an interface; `inside`: a process in whose network namespace it is. */
  async packets(what: string, device: string, inside?: number): Promise<void> {
    const file = join(this.#folder, `${this.#watchers.length}.pcap`);
    const [command, ...args] =
      inside === undefined ? ["tcpdump"] : ["nsenter", "-t", String(inside), "--net", "tcpdump"];
    const options = ["-i", device, "-Z", "root", "-U", "--immediate-mode", "-s", "0", "-w", file];
    const child = spawn(command ?? "", [...args, ...options], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (part: Buffer) => (said += String(part)));
    await until(`tcpdump listens on ${device}`, async () => said.includes("listening on") || child.exitCode !== null);
    if (child.exitCode !== null) throw new Error(`tcpdump on ${device}: ${said}`);
    this.#watchers.push({ child, file, what });
  }

  /** Command lines and environments of all processes. */
  async processes(): Promise<void> {
    const file = join(this.#folder, "processes");
    const output = openSync(file, "w");
    const child = spawn(process.execPath, [join(import.meta.dirname, "processes.ts")], {
      stdio: ["pipe", output, "inherit"],
    });
    closeSync(output);
    this.#watchers.push({ child, file, what: "the process list" });
    await until("the first look at the processes", async () => readFileSync(file, "latin1").includes("-\n"));
  }

  /** Ends all watching; what each saw, byte for byte. */
  async end(): Promise<Readonly<Record<string, string>>> {
    for (const { child } of this.#watchers) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      if (child.stdin) child.stdin.end();
      else child.kill("SIGTERM");
      await ended;
    }
    return Object.fromEntries(this.#watchers.map(({ what, file }) => [what, readFileSync(file, "latin1")]));
  }
}

/** Where which secrets show, in any of the forms that a program would write them in. */
export const leaks = (
  planted: Readonly<Record<string, string>>,
  places: Readonly<Record<string, string>>,
): readonly string[] =>
  Object.entries(places).flatMap(([place, text]) =>
    Object.entries(planted)
      .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
      .map(([name]) => `${name} in ${place}`),
  );

const formsOf = (secret: string): readonly string[] => {
  const bytes = Buffer.from(secret);
  const wide = Buffer.from(secret, "utf16le");
  return [
    bytes.toString("latin1"),
    JSON.stringify(secret).slice(1, -1),
    wide.toString("latin1"),
    bytes.toString("hex"),
    // Without the last characters, which depend on what follows.
    ...[bytes, wide].flatMap((one) => [one.toString("base64"), one.toString("base64url")]).map(withoutEnd),
  ];
};

const withoutEnd = (text: string): string => text.replace(/=+$/, "").slice(0, -1);

/** Text of every regular file, by its path. */
export const filesUnder = async (folder: string): Promise<Record<string, string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // Of files that come and go meanwhile, nothing.
  const read = async (path: string): Promise<[string, string]> => [
    path,
    await readFile(path, "latin1").catch(() => ""),
  ];
  return Object.fromEntries(await Promise.all(paths.map(read)));
};
