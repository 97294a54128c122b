import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import type { VirtualMachine } from "../../../src/api/generated/types.ts";
import { NamespaceGuest, whyNot as whyNoNamespaces } from "../../integration/guest-linux/rig.ts";
import { sshHostManifest, writeSecret } from "../../integration/ssh/manifests.ts";
import { readHost } from "../../rigs/hyperv/host.ts";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";
import { Rig, until } from "../rig.ts";
import { KvpBridge } from "./kvpBridge.ts";

export const PATIENCE_MS = 150_000;

/** Why the chain cannot be had here; undefined where it can. */
export const whyNoChain = async (): Promise<string | undefined> => (await whyNoSshd("powershell")) ?? whyNoNamespaces();

type Status = NonNullable<VirtualMachine["status"]>;
type Condition = NonNullable<Status["conditions"]>[number];

/** Control plane -> ssh2 -> sshd -> PowerShell agent -> emulated KVP -> pool files -> the shell agent in its namespaces, and back. */
export class Chain {
  readonly guest: NamespaceGuest;
  readonly sshd: SshdRig;
  readonly plane: Rig;
  #bridge: KvpBridge | undefined;

  private constructor(guest: NamespaceGuest, sshd: SshdRig, plane: Rig) {
    this.guest = guest;
    this.sshd = sshd;
    this.plane = plane;
  }

  /** Starts all but the guest's agent; the manifests declare a machine `web` on the host hv1. */
  static async start(manifests: string): Promise<Chain> {
    const guest = new NamespaceGuest();
    let [sshd, plane]: [SshdRig | undefined, Rig | undefined] = [undefined, undefined];
    try {
      sshd = await SshdRig.start({ shell: "powershell.exe", agent: "powershell", forced: true });
      plane = await Rig.make({ manifests: { "hosts.yaml": sshHostManifest("hv1", sshd) }, hosts: [] });
      await writeSecret(plane.files, { "ssh-privatekey": sshd.key });
      const chain = new Chain(guest, sshd, plane);
      await chain.declare(manifests);
      await plane.start();
      return chain;
    } catch (error) {
      // What started half-way leaves nothing running.
      await plane?.dispose();
      await sshd?.[Symbol.asyncDispose]();
      await guest.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#bridge?.stop();
    await this.plane.dispose();
    await this.sshd[Symbol.asyncDispose]();
    await this.guest.stop();
  }

  /** The way between the emulated machine and the guest; there from `connect` on. */
  get bridge(): KvpBridge {
    if (!this.#bridge) throw new Error("not connected");
    return this.#bridge;
  }

  /** Waits until the machine runs, and carries its items from then on. */
  async connect(): Promise<void> {
    this.#bridge = await KvpBridge.start(this.sshd.root, "web", this.guest, PATIENCE_MS);
  }

  declare(manifests: string): Promise<void> {
    return writeFile(this.plane.path("web.yaml"), manifests, { mode: 0o600 });
  }

  async status(): Promise<Status> {
    return ((await this.plane.object("VirtualMachine", "web")) as VirtualMachine | undefined)?.status ?? {};
  }

  async configured(): Promise<Condition | undefined> {
    return (await this.status()).conditions?.find(({ type }) => type === "GuestConfigured");
  }

  /** Waits until GuestConfigured has a message like this. */
  told(message: RegExp): Promise<void> {
    return until(
      `GuestConfigured tells ${message}`,
      async () => {
        const found = await this.configured();
        if (message.test(found?.message ?? "")) return true;
        throw new Error(`${found?.reason}: ${found?.message}; the guest: ${JSON.stringify(this.guest.report())}`);
      },
      PATIENCE_MS,
    );
  }

  /** Waits until the control plane tells that the guest applied the generation. */
  applied(generation: number): Promise<void> {
    return until(
      `generation ${generation} is Applied`,
      async () => {
        const { guest: told } = await this.status();
        const found = await this.configured();
        if (found?.status === "True" && found.reason === "Applied" && told?.appliedGeneration === generation)
          return true;
        throw new Error(`${found?.reason}: ${found?.message}; ${JSON.stringify(told)}`);
      },
      PATIENCE_MS,
    );
  }

  /** Waits until the host has no configuration any more. */
  cleared(): Promise<void> {
    return this.#host("no configuration lies on the host", (text) => !text.includes("aetherv.config."));
  }

  /** Waits until a whole configuration of the generation lies on the host. */
  published(generation: number): Promise<void> {
    const manifest = `aetherv.config.${generation}.manifest`;
    return this.#host(`generation ${generation} lies on the host`, (text) => text.includes(manifest));
  }

  #host(what: string, holds: (text: string) => boolean): Promise<void> {
    return until(what, async () => holds(JSON.stringify((await readHost(this.sshd.root)).vms)), PATIENCE_MS);
  }

  /** How often the control plane published something so far. */
  async publishes(): Promise<number> {
    return (await this.plane.jobs()).filter(({ operation }) => operation === "guest.publish").length;
  }

  /** Whether the guest's account has the password: its hash is made again with the same salt. */
  hasPassword(user: string, password: string): boolean {
    const hash = this.guest.in(`sed -n 's/^${user}:\\([^:]*\\):.*/\\1/p' /etc/shadow`).trim();
    const salt = /^\$6\$([^$]+)\$/.exec(hash)?.[1] ?? "";
    const made = spawnSync("openssl", ["passwd", "-6", "-salt", salt, "-stdin"], { input: password, encoding: "utf8" });
    return made.stdout.trim() === hash;
  }
}

/** A machine on hv1 with a system disk, an adapter with a static address, and this guest section (lines of YAML). */
export const machine = ({ guest, dns }: { readonly guest: string; readonly dns: string }): string => `
apiVersion: aetherv.io/v1alpha1
kind: VirtualMachine
metadata: { name: web }
spec:
  host: hv1
  osFamily: Linux
  cpu: { count: 2 }
  memory: { startup: 1Gi }
  boot: { order: [{ type: Disk, name: web-system }] }
  guest:
${guest.trim().replaceAll(/^ */gm, "    ")}
---
apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata: { name: web-system }
spec:
  source: { type: Image, image: debian-12 }
  attachment: { virtualMachine: web }
---
apiVersion: aetherv.io/v1alpha1
kind: NetworkAdapter
metadata: { name: web-lan }
spec:
  virtualMachine: web
  network: lan
  macAddress: 00:15:5D:01:02:03
  ipv4: { method: Static, address: 192.0.2.10, prefixLength: 24, gateway: 192.0.2.1, dnsServers: [${dns}] }
`;
