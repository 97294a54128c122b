import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KvpItem } from "../../../src/guest/format.ts";
import type { Line } from "../../../src/guest/payload.ts";
import { heard, parameters, sealedItems } from "../../unit/guest-linux/control.ts";
import { agentFolder, poolFile, poolItems, repository } from "../../unit/guest-linux/rig.ts";

/** Why a guest of namespaces cannot be had here; undefined where it can. */
export const whyNot = (network: Network = "ifupdown"): string | undefined => {
  if (process.getuid?.() !== 0) return "needs root for namespaces";
  const missing = ["unshare", "nsenter", "ip", "busybox", "openssl", "ping"].filter(
    (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0,
  );
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  const tried = spawnSync("unshare", ["--net", "--mount", "sh", "-c", "mount -t tmpfs t /mnt"], { encoding: "utf8" });
  if (tried.status !== 0) return `no namespaces here: ${tried.stderr.trim()}`;
  return fetchPackages(network) ? undefined : `apt-get could not download ${networks[network].join(", ")}`;
};

export const mac = "00155D010203";

const endProcess = (id: number): void => {
  try {
    process.kill(id, "SIGKILL");
  } catch {
    // It has ended already.
  }
};

type Report = NonNullable<ReturnType<typeof heard>>;

/** What cares for the network in a guest (`openrc`: ifupdown, and OpenRC for services), and the packages of Debian that bring it. */
const networks = {
  ifupdown: ["ifupdown"],
  openrc: ["openrc", "ifupdown"],
  networkd: ["systemd", "systemd-resolved", "dbus-daemon"],
  NetworkManager: ["network-manager", "dbus-daemon"],
} as const;

export type Network = keyof typeof networks;

const packagesOf = (network: Network): string => join(repository, ".cache/rigs/guest-linux", network);

/** Downloads what this machine lacks of the packages (at most about 12 MB), once; unpacked into guests, never installed here. */
const fetchPackages = (network: Network): boolean => {
  const folder = packagesOf(network);
  const done = join(folder, "done");
  if (existsSync(done)) return true;
  mkdirSync(join(folder, "partial"), { recursive: true });
  // Nothing of this machine's packages changes: no lock is needed.
  const options = ["--download-only", "-y", "-q", "--no-install-recommends", "-o", "Debug::NoLocking=1"];
  const place = ["-o", `Dir::Cache::archives=${folder}/`];
  const ran = spawnSync("apt-get", ["install", ...options, ...place, ...networks[network]], { stdio: "ignore" });
  if (ran.status !== 0) return false;
  writeFileSync(done, "");
  return true;
};

/** A guest of namespaces (test/rigs/guest-linux/start.sh) and its outside. */
export class NamespaceGuest {
  readonly #folder = mkdtempSync(join(tmpdir(), "aetherv-ns-"));
  readonly #rig: ChildProcess;
  #agent: ChildProcess | undefined;
  #outside = 0;
  #guest = 0;
  /** All that agents wrote to their logs. */
  log = "";

  constructor(network: Network = "ifupdown") {
    const script = join(repository, "test/rigs/guest-linux/start.sh");
    this.#rig = spawn("sh", [script, this.#folder, agentFolder, "00:15:5d:01:02:03", packagesOf(network), network], {
      stdio: ["ignore", "ignore", "inherit"],
      // A process group of its own, so that `stop` ends all of it, ready or not.
      detached: true,
    });
  }

  /** Waits for the namespaces, and tells the guest the id of its VM as the host does. */
  async ready(vmId?: string): Promise<void> {
    await this.until("the namespaces", () => existsSync(join(this.#folder, "guest.pid")));
    this.#outside = Number(readFileSync(join(this.#folder, "outside.pid"), "utf8"));
    this.#guest = Number(readFileSync(join(this.#folder, "guest.pid"), "utf8"));
    writeFileSync(this.#pool(3), parameters(vmId));
  }

  #pool(number: number): string {
    return join(this.#folder, `hyperv/.kvp_pool_${number}`);
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (const deadline = Date.now() + 100_000; !holds(); await sleep(100))
      if (Date.now() > deadline)
        throw new Error(`not seen: ${what}; report ${JSON.stringify(this.report())}\n${this.log}`);
  }

  /** Items of pool 1, whoever wrote them. */
  said(): readonly KvpItem[] {
    return existsSync(this.#pool(1)) ? poolItems(readFileSync(this.#pool(1))) : [];
  }

  /** The guest's word, as the control plane reads it. */
  report(): Report | undefined {
    return existsSync(this.#pool(1)) ? heard(readFileSync(this.#pool(1))) : undefined;
  }

  async reported(what: string, holds: (report: Report) => boolean): Promise<Report> {
    await this.until(what, () => {
      const report = this.report();
      return report !== undefined && holds(report);
    });
    return this.report() as Report;
  }

  /** Starts the agent; `prefix` are lines of shell that are run after its parts were loaded and before its main. */
  start(prefix = ":"): void {
    const lines = `export AETHERV_SOURCED=1 AETHERV_HOME=/opt/agent AETHERV_POLL_SECONDS=1; . /opt/agent/aetherv-guest; ${prefix}; main run`;
    // A process group of its own: `kill` ends all of it, as the init of a guest does with what is left of a service.
    const agent = spawn("nsenter", [...this.#inside(), "sh", "-c", lines], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    agent.stderr.on("data", (chunk: Buffer) => (this.log += chunk.toString()));
    this.#agent = agent;
  }

  /** Ends the agent and its modules at once; services that it started go on. */
  async kill(): Promise<void> {
    if (this.#agent?.pid !== undefined && this.#agent.exitCode === null && this.#agent.signalCode === null) {
      endProcess(-this.#agent.pid);
      await this.ended();
    }
  }

  /** As a power cut, and the next start as far as it goes without an init: all processes end, /run is empty, then network and services come up. The agent does not. */
  reboot(): void {
    this.in("kill -9 -1");
    const empty = "find /run -mindepth 1 -delete; mkdir -p /run/network; ip addr flush dev eth0; ip link set eth0 down";
    this.in(`${empty}; ifup -a --force; for start in /etc/rc2.d/S*; do [ ! -x "$start" ] || "$start" start; done`);
  }

  /** A process in the network namespace outside of the guest; the device `outside` there is the other end of its cable. */
  get outside(): number {
    return this.#outside;
  }

  /** Resolves when the agent has ended by itself (or by a fault of the test). */
  async ended(): Promise<void> {
    await this.until("the agent's end", () => this.#agent?.exitCode !== null || this.#agent?.signalCode !== null);
    // The one outside may end before the one that it waits for.
    const left = "read -r id _ </run/aetherv/pid && [ -d /proc/$id ] && echo left";
    await this.until("the agent's process is gone", () => this.in(left) === "");
  }

  #inside(): readonly string[] {
    return [
      "-t",
      String(this.#guest),
      "--net",
      "--mount",
      "--uts",
      "--ipc",
      "--pid",
      "-r",
      "-w/",
      "env",
      "-i",
      "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    ];
  }

  /** Output of a command in the guest. */
  in(command: string): string {
    return spawnSync("nsenter", [...this.#inside(), "sh", "-c", command], { encoding: "utf8" }).stdout;
  }

  /** Whether an address answers from outside. */
  pings(address: string): boolean {
    const args = ["-t", String(this.#outside), "--net", "ping", "-c", "2", "-W", "3", address];
    return spawnSync("nsenter", args).status === 0;
  }

  publishItems(items: readonly KvpItem[]): void {
    writeFileSync(`${this.#pool(0)}.new`, poolFile(items));
    renameSync(`${this.#pool(0)}.new`, this.#pool(0));
  }

  /** Seals lines for the guest's key and lets the "host" write them; the hash. */
  async publish(generation: number, lines: readonly Line[]): Promise<{ hash: string; items: readonly KvpItem[] }> {
    const sealed = await sealedItems(this.report()?.key.spki ?? "", generation, lines);
    this.publishItems(sealed.items);
    return sealed;
  }

  async stop(): Promise<void> {
    // The guest's first process takes all others with it.
    if (this.#guest > 0) endProcess(this.#guest);
    const ended = this.#rig.exitCode === null && this.#rig.signalCode === null ? once(this.#rig, "exit") : undefined;
    if (this.#rig.pid !== undefined) endProcess(-this.#rig.pid);
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
