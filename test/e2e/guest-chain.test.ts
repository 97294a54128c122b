import { spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { NamespaceGuest, whyNot } from "../integration/guest-linux/rig.ts";
import { sshHostManifest, writeSecret } from "../integration/ssh/manifests.ts";
import { readHost } from "../rigs/hyperv/host.ts";
import { SshdRig, whyNoSshd } from "../rigs/sshd/sshd.ts";
import { KvpBridge } from "./guest/kvpBridge.ts";
import { Rig, until } from "./rig.ts";

const why = (await whyNoSshd("powershell")) ?? whyNot();
if (why !== undefined) console.warn(`skipped: ${why}`);

const planted = {
  password: "planted-chain-pass 'w\"ord$1",
  rotated: "planted-chain-rotated-2",
  file: "planted-chain-file-3",
  script: "planted-chain-script-4",
};

/** The machine with all that it refers to; one document set, so that an edit of two things is one change. */
const web = (dns: string, password: string): string => `
apiVersion: v1
kind: Secret
metadata: { name: web-secrets }
stringData:
  password: ${JSON.stringify(password)}
  app.conf: ${JSON.stringify(`${planted.file}\n`)}
  setup.sh: ${JSON.stringify(`# ${planted.script}\necho ran >>/var/log/chain\n`)}
---
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
    hostname: web-1
    growFilesystems: false
    localAdministrator: { name: operator, passwordSecretRef: { name: web-secrets, key: password } }
    sshAuthorizedKeys: [ssh-ed25519 AAAAchain one@example]
    files: [{ path: /etc/app/app.conf, contentSecretRef: { name: web-secrets, key: app.conf } }]
    services: [{ name: beacon, state: Running, startup: Enabled }]
    scripts: [{ name: setup, interpreter: sh, secretRef: { name: web-secrets, key: setup.sh } }]
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

const PATIENCE_MS = 150_000;

/** Control plane -> ssh2 -> sshd -> PowerShell agent -> emulated KVP -> pool files -> the shell agent in its namespaces, and back. */
describe.skipIf(why !== undefined)("a guest section, from its manifest into a Linux guest and back", () => {
  let sshd: SshdRig;
  let plane: Rig;
  let guest: NamespaceGuest;
  let bridge: KvpBridge;

  // Of what was started; a start that fails half-way leaves nothing running.
  const disposals: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    guest = new NamespaceGuest();
    disposals.push(() => guest.stop());
    sshd = await SshdRig.start({ shell: "powershell.exe", agent: "powershell", forced: true });
    disposals.push(() => sshd[Symbol.asyncDispose]());
    plane = await Rig.make({ manifests: { "hosts.yaml": sshHostManifest("hv1", sshd) }, hosts: [] });
    disposals.push(() => plane.dispose());
    await writeSecret(plane.files, { "ssh-privatekey": sshd.key });
    await declare("192.0.2.53", planted.password);
    await plane.start();
  }, 120_000);
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.log(`${plane.said.slice(-3000)}\n${guest.log.slice(-3000)}`);
  });
  afterAll(async () => {
    for (const dispose of disposals.toReversed()) await dispose();
  });

  const declare = (dns: string, password: string): Promise<void> =>
    writeFile(plane.path("web.yaml"), web(dns, password), { mode: 0o600 });

  const statusOf = async (): Promise<NonNullable<VirtualMachine["status"]>> =>
    ((await plane.object("VirtualMachine", "web")) as VirtualMachine | undefined)?.status ?? {};

  /** Waits until the control plane tells that the guest applied the generation. */
  const applied = (generation: number): Promise<void> =>
    until(
      `generation ${generation} is Applied`,
      async () => {
        const { conditions, guest: told } = await statusOf();
        const found = conditions?.find(({ type }) => type === "GuestConfigured");
        if (found?.status === "True" && found.reason === "Applied" && told?.appliedGeneration === generation)
          return true;
        throw new Error(`${found?.reason}: ${found?.message}; ${JSON.stringify(told)}`);
      },
      PATIENCE_MS,
    );

  /** Whether the guest's account has the password: its hash is made again with the same salt. */
  const hasPassword = (user: string, password: string): boolean => {
    const hash = guest.in(`sed -n 's/^${user}:\\([^:]*\\):.*/\\1/p' /etc/shadow`).trim();
    const salt = /^\$6\$([^$]+)\$/.exec(hash)?.[1] ?? "";
    const made = spawnSync("openssl", ["passwd", "-6", "-salt", salt, "-stdin"], { input: password, encoding: "utf8" });
    return made.stdout.trim() === hash;
  };

  it("arrives whole, and the control plane learns that it did", { timeout: 2 * PATIENCE_MS }, async () => {
    bridge = await KvpBridge.start(sshd.root, "web", guest, PATIENCE_MS);
    disposals.push(bridge.stop.bind(bridge));
    expect(guest.pings("192.0.2.10")).toBe(false);
    guest.start();
    await applied(1);
    expect(guest.report()).toMatchObject({ state: "Applied", generation: 1, step: "", error: "" });
    const { guest: told } = await statusOf();
    expect(told).toMatchObject({
      generation: 1,
      vmId: bridge.vmId,
      keyFingerprint: guest.report()?.key.fingerprint,
      facts: { network: "ifupdown" },
    });
    expect(guest.pings("192.0.2.10")).toBe(true);
    expect(guest.in("uname -n; cat /etc/hostname /etc/resolv.conf")).toBe("web-1\nweb-1\nnameserver 192.0.2.53\n");
    expect(guest.in("id -nG operator")).toContain("sudo");
    expect(hasPassword("operator", planted.password)).toBe(true);
    expect(guest.in("cat /home/operator/.ssh/authorized_keys")).toBe("ssh-ed25519 AAAAchain one@example\n");
    expect(guest.in("cat /etc/app/app.conf; stat -c %a /etc/app/app.conf")).toBe(`${planted.file}\n600\n`);
    expect(guest.in("/etc/init.d/beacon status && echo runs; ls /etc/rc2.d | grep beacon")).toBe("runs\nS20beacon\n");
    expect(guest.in("cat /var/log/chain")).toBe("ran\n");
  });

  it("follows an edit and a rotated Secret as a second generation", { timeout: 2 * PATIENCE_MS }, async () => {
    await declare("192.0.2.54", planted.rotated);
    await applied(2);
    expect(guest.in("cat /etc/resolv.conf")).toBe("nameserver 192.0.2.54\n");
    expect(hasPassword("operator", planted.rotated)).toBe(true);
    expect(guest.pings("192.0.2.10")).toBe(true);
    expect(guest.in("cat /var/log/chain")).toBe("ran\n");
    await plane.ready(4, PATIENCE_MS);
  });

  const noneLeft = (): Promise<void> =>
    until(
      "no configuration lies on the host",
      async () => !JSON.stringify((await readHost(sshd.root)).vms).includes("aetherv.config."),
      PATIENCE_MS,
    );

  it("refuses what the host replays, and is given the present one again", { timeout: 2 * PATIENCE_MS }, async () => {
    await noneLeft();
    const publishes = async (): Promise<number> =>
      (await plane.jobs()).filter(({ operation }) => operation === "guest.publish").length;
    const before = await publishes();
    await bridge.replay(1);
    await until("the refusal", async () => guest.report()?.step === "open", PATIENCE_MS);
    expect(guest.report()).toMatchObject({ state: "Failed", generation: 1 });
    expect(guest.report()?.error).toMatch(/^Replayed: /);
    // The control plane was told: nothing else lets it publish again.
    await until("it is published again", async () => (await publishes()) > before, PATIENCE_MS);
    await until("the guest takes it", async () => guest.report()?.state === "Applied", PATIENCE_MS);
    expect(guest.report()).toMatchObject({ generation: 2, error: "" });
    await applied(2);
    await noneLeft();
    expect(guest.in("cat /etc/resolv.conf")).toBe("nameserver 192.0.2.54\n");
    expect(hasPassword("operator", planted.rotated)).toBe(true);
  });

  it("tells its secrets nowhere", { timeout: PATIENCE_MS }, async () => {
    const kept = guest.in(
      "cat /var/lib/hyperv/.kvp_pool_* /run/aetherv/* /var/lib/aetherv/* /var/lib/aetherv/*/* 2>/dev/null | tr -d '\\000'",
    );
    const places: Record<string, string> = {
      "what the control plane said": plane.said,
      "its objects": JSON.stringify(await plane.objects()),
      "its jobs": JSON.stringify(await plane.jobs()),
      "the guest's log": guest.log,
      "the guest's state and pools": kept,
      ...(await filesUnder(plane.data)),
      ...(await filesUnder(sshd.root)),
    };
    expect(kept).toContain("aetherv.guest.state");
    expect(Object.keys(places)).toContain(join(sshd.root, "hyperv/state.json"));
    expect(Object.keys(places).some((place) => place.startsWith(plane.data))).toBe(true);
    const told = Object.entries(places).flatMap(([place, text]) =>
      Object.entries(planted)
        .filter(([, secret]) =>
          [secret, JSON.stringify(secret).slice(1, -1), base64(secret)].some((form) => text.includes(form)),
        )
        .map(([name]) => `${name} in ${place}`),
    );
    expect(told).toEqual([]);
  });
});

/** Without its last characters, which depend on what follows. */
const base64 = (text: string): string => Buffer.from(text).toString("base64").replace(/=+$/, "").slice(0, -1);

/** Text of every regular file, by its path. */
const filesUnder = async (folder: string): Promise<Record<string, string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // Of files that come and go meanwhile, nothing.
  const read = async (path: string): Promise<[string, string]> => [
    path,
    await readFile(path, "latin1").catch(() => ""),
  ];
  return Object.fromEntries(await Promise.all(paths.map(read)));
};
