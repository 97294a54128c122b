import { spawn } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PowerShellRig } from "../../../scripts/rigs/powershell.mjs";
import { configItems } from "../../../src/guest/format.ts";
import { guestKeyOf } from "../../../src/guest/keys.ts";
import { payloadText } from "../../../src/guest/payload.ts";
import { seal } from "../../../src/guest/seal.ts";
import { openSigner, signerItems } from "../../../src/guest/signer.ts";

const root = join(import.meta.dirname, "../../..");
const registry = String.raw`HKLM:\SOFTWARE\Microsoft\Virtual Machine`;
const names = String.raw`HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName`;

/** Hyper-V's id of the emulated machine. */
export const vmId = "7f2c5a86-9d1e-4b3a-8f60-0d9be1c47a52";

interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly spki: string;
}

interface Keys {
  readonly guests: Readonly<Record<"a" | "b", KeyPair>>;
  readonly signers: Readonly<Record<"one" | "two", KeyPair>>;
}

/** The keys of test/fixtures/guest. */
export const keys = JSON.parse(await readFile(join(root, "test/fixtures/guest/keys.json"), "utf8")) as Keys;

/** A private key (PKCS#8 PEM) as the Windows agent keeps it before it is protected: eight numbers in base64. */
export const keptKey = (pem: string): string => {
  const jwk = createPrivateKey(pem).export({ format: "jwk" });
  const parts = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi];
  return parts.map((part) => Buffer.from(part ?? "", "base64url").toString("base64")).join(" ");
};

/** State files of an agent that has guest a's key already. */
export const keptFiles = (): Record<string, string> => ({
  vmid: vmId,
  key: `rig:${Buffer.from(keptKey(keys.guests.a.privateKey)).toString("base64")}`,
});

const family = (served: string, gateway: string, dns: readonly string[]) => ({
  dhcp: true,
  discovery: "Enabled",
  addresses: [served],
  gateways: [gateway],
  dns: [] as string[],
  served: { address: served, gateway, dns },
});

/** A fresh installation, two adapters with DHCP. Types are those of modules/*.psm1. */
export const freshMachine = () => ({
  registry: {
    [String.raw`${registry}\External`]: {},
    [String.raw`${registry}\Guest`]: { OtherProgram: "kept" },
    [String.raw`${registry}\Guest\Parameters`]: { VirtualMachineId: `{${vmId.toUpperCase()}}` },
    [String.raw`HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State`]: { ImageState: "IMAGE_STATE_COMPLETE" },
    [String.raw`${names}\ComputerName`]: { ComputerName: "WIN-FRESH" },
    [String.raw`${names}\ActiveComputerName`]: { ComputerName: "WIN-FRESH" },
  } as Record<string, Record<string, string>>,
  name: "WIN-FRESH",
  domain: "",
  boots: 1,
  timeZone: "UTC",
  /** The DVD drive, such as `D:`. */
  medium: "",
  directory: { name: "ad.example.org", user: "joiner@ad.example.org", password: "join-secret", computers: [], ou: "" },
  adapters: ["00-15-5D-01-02-03", "00-15-5D-01-02-04"].map((mac, at) => ({
    name: `Ethernet ${at}`,
    index: 4 + at,
    mac,
    guid: `{00000000-0000-4000-8000-00000000000${at}}`,
    v4: family(`198.51.100.${20 + at}/24`, "198.51.100.1", ["198.51.100.53"]),
    v6: family(`2001:db8:9::${20 + at}/64`, "fe80::1", []),
  })),
  answers: ["192.0.2.1", "198.51.100.1"],
  answersArp: ["2001:db8::1"],
  searchList: [] as string[],
  users: [{ name: "Administrator", enabled: true, password: "of-the-image" }] as {
    name: string;
    enabled: boolean;
    password: string;
  }[],
  groups: [{ sid: "S-1-5-32-544", name: "Administratoren", members: ["Administrator"] }],
  services: [
    { name: "W32Time", status: "Stopped", startType: "Manual" },
    { name: "Spooler", status: "Running", startType: "Automatic" },
  ],
  disk: {
    size: 42_949_672_960,
    partitions: [
      { number: 1, letter: "", offset: 1_048_576, size: 104_857_600, type: "System" },
      { number: 2, letter: "C", offset: 105_906_176, size: 32_000_000_000, type: "Basic" },
    ],
  },
  tasks: [] as unknown[],
  acls: {} as Record<string, string>,
});

export type Machine = ReturnType<typeof freshMachine>;

/** The items in External of a configuration sealed by signer one, through the product's own code. */
export const sealedItems = async (
  values: Readonly<Record<string, string>>,
  at: { readonly generation: number; readonly spki?: string },
): Promise<Record<string, string>> => {
  const { privateKey, publicKey } = keys.signers.one;
  const digestKey = Buffer.alloc(32).toString("base64");
  const signer = await openSigner({ privateKey, publicKey, digestKey, handovers: [] });
  const key = guestKeyOf(at.spki ?? keys.guests.a.spki);
  if (!key) throw new Error("the guest published no key");
  const all = { format: "1", vm: vmId, generation: String(at.generation), os: "Windows", ...values };
  const text = await seal(signer, { vmId, generation: at.generation, key }, payloadText(Object.entries(all)));
  const items = [...signerItems(signer), ...configItems(at.generation, text)];
  return Object.fromEntries(items.map((item) => [item.key, item.value]));
};

/** One change of the machine, then starts of the agent. */
export interface Step {
  readonly external?: Readonly<Record<string, string>>;
  readonly machine?: Partial<Machine>;
  readonly faults?: readonly { on: string; at: "before" | "after"; do: "kill" | "throw"; message?: string }[];
  /** The agent is killed before this statement of its own, counted from the start of the step; 0: never, they are told in `statements`. */
  readonly cut?: number;
  readonly passes: number;
}

export interface Scenario {
  readonly name: string;
  readonly machine: Machine;
  /** By path from C:\state\guest, the agent's own folder. */
  readonly kept: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

/** What a step left: the report after each start, the machine, the files on C:, the changing calls. */
export interface SeenStep {
  readonly passes: readonly {
    readonly code: number;
    readonly thrown: string;
    readonly state: string | null;
    readonly generation: string | null;
    readonly hash: string | null;
    readonly step: string | null;
    readonly error: string | null;
  }[];
  readonly machine: Machine;
  readonly files: Readonly<Record<string, string>>;
  /** Of files whose name begins with `texts-`, in base64. */
  readonly bytes: Readonly<Record<string, string>>;
  readonly calls: readonly string[];
  /** Of a step with `cut: 0`: `file:line` of each statement that was reached. */
  readonly statements: readonly string[];
}

/** Plays all scenarios in one PowerShell of the 5.1 kind. */
export const play = async (
  rig: Extract<PowerShellRig, { kind: "ready" }>,
  folder: string,
  scenarios: readonly Scenario[],
  shell = join(rig.bin, "powershell.exe"),
): Promise<Readonly<Record<string, readonly SeenStep[]>>> => {
  await mkdir(join(folder, "C"), { recursive: true });
  const script = [
    "-File",
    join(import.meta.dirname, "scenarios.ps1"),
    "-Agent",
    join(root, "agents/guest-windows/agent.ps1"),
  ];
  const args = ["-NoProfile", "-NonInteractive", ...script, "-Shell", shell, "-Work", join(folder, "machines")];
  const env = { ...process.env, AETHERV_RIG_ROOT: folder, PSModulePath: rig.modules };
  const child = spawn(join(rig.bin, "powershell.exe"), args, { env });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdin.end(JSON.stringify(scenarios));
  await new Promise((done) => child.on("close", done));
  if (err !== "" || out === "") throw new Error(`the scenarios did not play: ${err}${out.slice(0, 2000)}`);
  return JSON.parse(out) as Readonly<Record<string, readonly SeenStep[]>>;
};
