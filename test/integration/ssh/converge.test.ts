import { rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { VMHost } from "../../../src/api/generated/types.ts";
import { Rig, small, until } from "../../e2e/rig.ts";
import { PASSWORD } from "../../rigs/sshd/options.ts";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";
import { sshHostManifest, writeSecret } from "./manifests.ts";

const why = await whyNoSshd("simulator");
if (why !== undefined) console.warn(`skipped: ${why}`);

let sshd: SshdRig;
let plane: Rig;

const condition = async (type: string): Promise<string> => {
  const host = (await plane.object("VMHost", "hv1")) as VMHost | undefined;
  const found = host?.status?.conditions?.find((one) => one.type === type);
  return `${found?.status} ${found?.reason}`;
};
const shows = (type: string, wanted: string): Promise<void> =>
  until(
    `${type} is ${wanted}`,
    async () => {
      const found = await condition(type);
      if (found !== wanted) throw new Error(`it is ${found}`);
      return true;
    },
    60_000,
  );

/** A control plane over the given machines, whose one host is behind the sshd. */
const start = async (login: Readonly<Record<string, string>>, hostKeys: readonly string[], ...vms: string[]) => {
  const manifests = { ...small(...vms), "hosts.yaml": sshHostManifest("hv1", { port: sshd.port, hostKeys }) };
  plane = await Rig.make({ manifests, hosts: [] });
  await writeSecret(plane.files, login);
  await plane.start();
};

describe.skipIf(why !== undefined)("a control plane over SSH", () => {
  beforeAll(async () => {
    sshd = await SshdRig.start({ shell: "powershell.exe", agent: "simulator", forced: true });
  });
  afterAll(() => sshd[Symbol.asyncDispose]());
  afterEach(() => plane.dispose());

  it(
    "makes machines on the host, through cuts of the connection and an end of sshd",
    { timeout: 180_000 },
    async () => {
      await start({ "ssh-privatekey": sshd.key }, sshd.hostKeys, "a", "b", "c");
      await until("the first job", async () => (await plane.jobs()).some(({ operation }) => operation === "vm.create"));
      for (let cuts = 0; cuts < 3; cuts += 1) {
        await sshd.cut();
        await new Promise((go) => setTimeout(go, 700));
      }
      await plane.ready(10, 90_000);
      const { vms, disks } = await plane.inventory("hv1");
      expect(vms.map(({ name, state }) => `${name} ${state}`).sort()).toEqual(["a Running", "b Running", "c Running"]);
      expect(disks.filter(({ path }) => !path.startsWith("D:\\Images"))).toHaveLength(3);
      await sshd.stop();
      await shows("Reachable", "False HostUnreachable");
      await sshd.listen();
      await shows("Reachable", "True Reachable");
      await plane.ready(10);
      expect(plane.said).not.toContain("PRIVATE KEY");
    },
  );

  it(
    "sends nothing to a host that shows another key, and goes on once the VMHost lists it",
    { timeout: 90_000 },
    async () => {
      const before = sshd.hostKeys;
      await sshd.stop();
      await sshd.newHostKeys();
      await sshd.listen();
      await start({ "ssh-privatekey": sshd.key }, before);
      await shows("Stalled", "True HostKeyMismatch");
      expect(await sshd.processes("stub.ts")).toEqual([]);
      await plane.edit("hosts.yaml", JSON.stringify(before), JSON.stringify(sshd.hostKeys));
      await shows("Ready", "True Converged");
    },
  );

  it("tells a refused login, and goes on with the Secret's next value", { timeout: 90_000 }, async () => {
    await start({ password: "guess" }, sshd.hostKeys);
    await shows("Stalled", "True AuthenticationFailed");
    await writeSecret(plane.files, { password: PASSWORD });
    await shows("Ready", "True Converged");
    expect(plane.said).not.toContain("guess");
  });

  it("tells a host without PowerShell, and goes on once it is there", { timeout: 90_000 }, async () => {
    const path = join(sshd.root, "bin/powershell.exe");
    await rename(path, `${path}.away`);
    await start({ "ssh-privatekey": sshd.key }, sshd.hostKeys);
    await shows("AgentReady", "False HostNotPrepared");
    await shows("Reachable", "True Reachable");
    await rename(`${path}.away`, path);
    await shows("AgentReady", "True AgentReady");
  });
});
