import { copyFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { PlanReport } from "../../src/server/control.ts";
import { Rig, small, until } from "./rig.ts";

let rig: Rig;

const guest = `
  guest:
    hostname: planted-host
    localAdministrator: { name: operator, passwordSecretRef: { name: web-admin, key: password } }
    files: [{ path: /etc/motd, content: planted-text }]`;

const secret = `apiVersion: v1
kind: Secret
metadata: { name: web-admin }
stringData: { password: planted-password, other: planted-other }
`;

const applied = (generation: number): Promise<void> =>
  until(
    `generation ${generation} is applied`,
    async () => {
      const vm = (await rig.object("VirtualMachine", "web")) as VirtualMachine | undefined;
      return vm?.status?.guest?.appliedGeneration === generation;
    },
    120_000,
  );

beforeAll(async () => {
  const files = small("web");
  const web = (files["web.yaml"] ?? "")
    .replace("\n---", `${guest}\n---`)
    .replace("network: lan }", "network: lan, ipv4: { method: DHCP } }");
  rig = await Rig.make({ manifests: { ...files, "web.yaml": web }, hosts: ["hv1"] });
  await writeFile(rig.path("secret.yaml"), secret, { mode: 0o600 });
  await rig.start();
  await applied(1);
}, 180_000);

afterAll(() => rig.dispose());

/** Lines of a text plan, without signs of the objects' places. */
const lines = (text: string): readonly string[] =>
  text.split("\n").flatMap((line) => (/^ {4}[-+~] guest: |^Not told|^No changes/.test(line) ? [line.trim()] : []));

describe("aetherv plan, inside a guest", () => {
  it("has nothing to say of the stored documents but that Secrets are not compared", async () => {
    const { code, out } = await rig.cli("plan", "-f", rig.files);
    expect({ code, lines: lines(out) }).toEqual({
      code: 0,
      lines: [
        "No changes. The hosts are as declared.",
        "Not told: Secret web-admin for virtualmachine/web (user operator (password)); a plan compares no values of Secrets.",
      ],
    });
  });

  it("names what changes and no value, and the loop does exactly that", { timeout: 180_000 }, async () => {
    const draft = rig.path("../web.yaml");
    await copyFile(rig.path("web.yaml"), draft);
    const edits = async (file: string): Promise<void> => {
      await rig.edit(file, "planted-host", "planted-shop");
      await rig.edit(file, "planted-text", "planted-words");
      await rig.edit(file, "key: password", "key: other");
      await rig.edit(file, "method: DHCP", "method: DHCP, dnsServers: [192.0.2.53]");
    };
    await edits("../web.yaml");
    const { code, out } = await rig.cli("plan", "-f", draft);
    expect({ code, lines: lines(out).map((line) => line.replace(/ +#/, " #")) }).toEqual({
      code: 2,
      lines: [
        "~ guest: hostname # applied in the running guest",
        "~ guest: network adapter web-lan (DNS) # applied in the running guest",
        "~ guest: user operator (password) # comes from a Secret: whether its value changes can't be told",
        "~ guest: file /etc/motd (content) # applied in the running guest",
      ],
    });
    const json = await rig.cli("plan", "-f", draft, "-o", "json");
    const report = JSON.parse(json.out) as PlanReport;
    expect(report.objects.find(({ key }) => key.kind === "VirtualMachine")?.guest).toMatchObject({
      at: "Change",
      when: "Now",
    });
    expect(out + json.out).not.toContain("planted");
    await edits("web.yaml");
    await applied(2);
    expect((await rig.cli("plan")).code).toBe(0);
    expect((await rig.cli("plan", "-f", draft)).code).toBe(0);
  });

  it("tells without a control plane what a machine gets at its start", { timeout: 60_000 }, async () => {
    await rig.stop();
    const draft = rig.path("../more.yaml");
    const more = (small("more")["more.yaml"] ?? "").replace("\n---", `${guest}\n---`);
    await writeFile(draft, more);
    const { code, out } = await rig.cli("plan", "-f", draft);
    expect({ code, lines: lines(out) }).toEqual({
      code: 2,
      lines: ["+ guest: configured at its first start: hostname, user operator, root filesystem, file /etc/motd"],
    });
  });
});
