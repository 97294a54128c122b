import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { parseAllDocuments, stringify } from "yaml";
import type { VMHost } from "../../../src/api/generated/types.ts";
import { editHost } from "../../rigs/hyperv/host.ts";
import { USER } from "../../rigs/sshd/options.ts";
import { SshdRig } from "../../rigs/sshd/sshd.ts";
import { Rig } from "../rig.ts";

/** The samples' hosts, each behind an sshd of its own with PowerShell and the emulated Hyper-V. */
export interface Chain extends AsyncDisposable {
  readonly plane: Rig;
  readonly hosts: Readonly<Record<string, SshdRig>>;
}

/** A folder with the samples, whose hosts alone are others: driver HyperV, over SSH. Nothing runs but the servers. */
export const makeChain = async (): Promise<Chain> => {
  const plane = await Rig.make({ hosts: [] });
  // A deployment sends the hosts nothing of its own: test/e2e/deployment.test.ts has it.
  await rm(plane.path("shop.yaml"));
  await withoutGuests(plane);
  const documents = parseAllDocuments(await readFile(plane.path("hosts.yaml"), "utf8"));
  const manifests = documents.map((document) => document.toJS() as VMHost & { metadata: { name: string } });
  // One login as `aetherv host prepare` makes it, one of an administrator with another default shell.
  const rigs = await Promise.all(
    manifests.map((_, index) =>
      index === 0
        ? SshdRig.start({ shell: "powershell.exe", agent: "powershell", forced: true })
        : SshdRig.start({ shell: "cmd.exe", agent: "powershell" }),
    ),
  );
  // Windows makes the range of the host's address: hosts of one fleet rarely share one.
  for (const [index, { root }] of rigs.entries())
    await editHost(root, (state) => {
      const range = `00155D0${index + 1}`;
      state.host = { ...state.host, macAddressMinimum: `${range}0000`, macAddressMaximum: `${range}00FF` };
    });
  const hosts = Object.fromEntries(manifests.map(({ metadata }, index) => [metadata.name, rigs[index] as SshdRig]));
  const texts = manifests.map((host) => stringify(overSsh(host, hosts[host.metadata.name] as SshdRig)));
  await writeFile(plane.path("hosts.yaml"), texts.join("---\n"));
  const secrets = Object.entries(hosts).map(([name, { key }]) => stringify(secret(name, key)));
  await writeFile(plane.path("logins.yaml"), secrets.join("---\n"), { mode: 0o600 });
  return {
    plane,
    hosts,
    async [Symbol.asyncDispose]() {
      await plane.dispose();
      await Promise.all(rigs.map((rig) => rig[Symbol.asyncDispose]()));
    },
  };
};

/** Nothing runs inside the emulated machines that could answer a guest section. */
const withoutGuests = async (plane: Rig): Promise<void> => {
  for (const name of (await readdir(plane.files)).filter((one) => one.endsWith(".yaml"))) {
    const documents = parseAllDocuments(await readFile(plane.path(name), "utf8"));
    if (!documents.some((document) => document.hasIn(["spec", "guest"]))) continue;
    for (const document of documents) document.deleteIn(["spec", "guest"]);
    await writeFile(plane.path(name), documents.map(String).join(""));
  }
};

export const overSsh = (host: VMHost, { port, hostKeys }: SshdRig): VMHost => ({
  ...host,
  spec: {
    ...host.spec,
    driver: "HyperV",
    // Each session is a PowerShell of its own, and all hosts of this test share the cores of one machine.
    concurrency: 2,
    connection: {
      type: "SSH",
      ssh: {
        address: "127.0.0.1",
        port,
        user: USER,
        credentialsSecretRef: { namespace: "default", name: `${host.metadata?.name}-login` },
        hostKeys: [...hostKeys],
      },
    },
  },
});

export const secret = (host: string, key: string): object => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: `${host}-login` },
  stringData: { "ssh-privatekey": key },
});
