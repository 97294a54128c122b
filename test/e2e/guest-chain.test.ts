import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sealedItems } from "../unit/guest-linux/control.ts";
import { Chain, machine, PATIENCE_MS, whyNoChain } from "./guest/chain.ts";
import {
  chunkChanged,
  contentChanged,
  renumbered,
  replacedBy,
  replacedUnderSigner,
  type Alteration,
} from "./guest/tampering.ts";
import { filesUnder, leaks, whyNoCapture, Witness } from "./guest/witness.ts";
import { until } from "./rig.ts";

const why = (await whyNoChain()) ?? whyNoCapture();
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
---${machine({
  dns,
  guest: `
    hostname: web-1
    growFilesystems: false
    localAdministrator: { name: operator, passwordSecretRef: { name: web-secrets, key: password } }
    sshAuthorizedKeys: [ssh-ed25519 AAAAchain one@example]
    files: [{ path: /etc/app/app.conf, contentSecretRef: { name: web-secrets, key: app.conf } }]
    services: [{ name: beacon, state: Running, startup: Enabled }]
    scripts: [{ name: setup, interpreter: sh, secretRef: { name: web-secrets, key: setup.sh } }]`,
})}`;

describe.skipIf(why !== undefined)("a guest section, from its manifest into a Linux guest and back", () => {
  let chain: Chain;
  let seen = "";
  let witness: Witness;

  beforeAll(async () => {
    seen = await mkdtemp(join(tmpdir(), "aetherv-witness-"));
    witness = new Witness(seen);
    await witness.processes();
    await witness.packets("packets between control plane and host", "lo");
    chain = await Chain.start(web("192.0.2.53", planted.password));
  }, 120_000);
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.log(`${chain.plane.said.slice(-3000)}\n${chain.guest.log.slice(-3000)}`);
  });
  afterAll(async () => {
    try {
      await witness.end();
    } finally {
      await chain.stop();
    }
    await rm(seen, { recursive: true, force: true });
  }, 60_000);

  it("arrives whole, and the control plane learns that it did", { timeout: 2 * PATIENCE_MS }, async () => {
    await chain.connect();
    const { guest, bridge } = chain;
    await witness.packets("packets of the guest", "outside", guest.outside);
    expect(guest.pings("192.0.2.10")).toBe(false);
    guest.start();
    await chain.applied(1);
    expect(guest.report()).toMatchObject({ state: "Applied", generation: 1, step: "", error: "" });
    const { guest: told } = await chain.status();
    expect(told).toMatchObject({
      generation: 1,
      vmId: bridge.vmId,
      keyFingerprint: guest.report()?.key.fingerprint,
      facts: { network: "ifupdown" },
    });
    expect(guest.pings("192.0.2.10")).toBe(true);
    expect(guest.in("uname -n; cat /etc/hostname /etc/resolv.conf")).toBe("web-1\nweb-1\nnameserver 192.0.2.53\n");
    expect(guest.in("id -nG operator")).toContain("sudo");
    expect(chain.hasPassword("operator", planted.password)).toBe(true);
    expect(guest.in("cat /home/operator/.ssh/authorized_keys")).toBe("ssh-ed25519 AAAAchain one@example\n");
    expect(guest.in("cat /etc/app/app.conf; stat -c %a /etc/app/app.conf")).toBe(`${planted.file}\n600\n`);
    expect(guest.in("/etc/init.d/beacon status && echo runs; ls /etc/rc2.d | grep beacon")).toBe("runs\nS20beacon\n");
    expect(guest.in("cat /var/log/chain")).toBe("ran\n");
  });

  it("follows an edit and a rotated Secret as a second generation", { timeout: 2 * PATIENCE_MS }, async () => {
    await chain.declare(web("192.0.2.54", planted.rotated));
    await chain.applied(2);
    expect(chain.guest.in("cat /etc/resolv.conf")).toBe("nameserver 192.0.2.54\n");
    expect(chain.hasPassword("operator", planted.rotated)).toBe(true);
    expect(chain.guest.pings("192.0.2.10")).toBe(true);
    expect(chain.guest.in("cat /var/log/chain")).toBe("ran\n");
    await chain.plane.ready(4, PATIENCE_MS);
  });

  it("refuses what the host replays, and is given the present one again", { timeout: 2 * PATIENCE_MS }, async () => {
    const { guest, bridge } = chain;
    await chain.cleared();
    const before = await chain.publishes();
    await bridge.replay(1);
    await until("the refusal", async () => guest.report()?.step === "open", PATIENCE_MS);
    expect(guest.report()).toMatchObject({ state: "Failed", generation: 1 });
    expect(guest.report()?.error).toMatch(/^Replayed: /);
    // The control plane was told: nothing else lets it publish again.
    await until("it is published again", async () => (await chain.publishes()) > before, PATIENCE_MS);
    await until("the guest takes it", async () => guest.report()?.state === "Applied", PATIENCE_MS);
    expect(guest.report()).toMatchObject({ generation: 2, error: "" });
    await chain.applied(2);
    await chain.cleared();
    expect(guest.in("cat /etc/resolv.conf")).toBe("nameserver 192.0.2.54\n");
    expect(chain.hasPassword("operator", planted.rotated)).toBe(true);
  });

  it(
    "refuses what was tampered with on its way, tells why, and changes nothing",
    { timeout: 4 * PATIENCE_MS },
    async () => {
      const { guest, bridge } = chain;
      const spki = guest.report()?.key.spki ?? "";
      const evil = [["hostname", "evil"]] as const;
      const { items } = await sealedItems(spki, 3, evil, { by: "two", vm: bridge.vmId });
      const forged = Object.fromEntries(items.map(({ key, value }) => [key, value]));
      const cases: readonly { readonly how: string; readonly change: Alteration; readonly told: RegExp }[] = [
        { how: "a chunk", change: chunkChanged(3), told: /has not taken up generation 3 yet\.$/ },
        { how: "a chunk and the manifest", change: contentChanged(3), told: /refused another one: Tampered: / },
        { how: "the generation's number", change: renumbered(3, 4), told: /refused another one: HeaderMismatch: / },
        { how: "another signer", change: replacedBy(3, forged), told: /refused another one: SignerChanged: / },
        {
          how: "another key's signature",
          change: replacedUnderSigner(3, forged),
          told: /refused another one: HeaderMismatch: /,
        },
      ];
      bridge.alter(cases[0]?.change ?? ((all) => all));
      await chain.declare(web("192.0.2.55", planted.rotated));
      await chain.published(3);
      for (const { how, change, told } of cases) {
        bridge.alter(change);
        await chain.told(told);
        expect((await chain.status()).guest, how).toMatchObject({ generation: 3, appliedGeneration: 2 });
        expect(guest.in("uname -n; cat /etc/resolv.conf; cat /var/lib/aetherv/generation"), how).toBe(
          "web-1\nnameserver 192.0.2.54\n2\n",
        );
      }
      bridge.alter((all) => all);
      await chain.applied(3);
      expect(guest.in("uname -n; cat /etc/resolv.conf")).toBe("web-1\nnameserver 192.0.2.55\n");
    },
  );

  it("tells its secrets nowhere", { timeout: PATIENCE_MS }, async () => {
    const { guest, plane, sshd } = chain;
    const watched = await witness.end();
    const kept = guest.in(
      "cat /var/lib/hyperv/.kvp_pool_* /run/aetherv/* /var/lib/aetherv/* /var/lib/aetherv/*/* 2>/dev/null | tr -d '\\000'",
    );
    const places: Record<string, string> = {
      ...watched,
      "what the control plane said": plane.said,
      "its objects": JSON.stringify(await plane.objects()),
      "its jobs": JSON.stringify(await plane.jobs()),
      "its Events": JSON.stringify(await plane.client.events({})),
      "the guest's log": guest.log,
      "the guest's state and pools": kept,
      ...(await filesUnder(plane.data)),
      ...(await filesUnder(sshd.root)),
    };
    // What was looked at held what it was looked at for.
    expect(kept).toContain("aetherv.guest.state");
    expect(places["its Events"]).toContain('"web"');
    expect(Object.keys(places)).toContain(join(sshd.root, "hyperv/state.json"));
    expect(Object.keys(places).some((place) => place.startsWith(plane.data))).toBe(true);
    expect(watched["packets between control plane and host"]).toContain("SSH-2.0-");
    expect(watched["packets of the guest"]?.length).toBeGreaterThan(500);
    for (const part of ["openssl\0pkeyutl\0-decrypt", "openssl\0passwd\0-6", "aetherv-guest"])
      expect(watched["the process list"]).toContain(part);
    expect(leaks({ poll: "AETHERV_POLL_SECONDS=1" }, watched)).toEqual(["poll in the process list"]);
    expect(leaks(planted, places)).toEqual([]);
  });
});

if (why !== undefined) it("the whole Linux chain", (context) => context.skip(why));
