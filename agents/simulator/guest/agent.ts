import { createHash, createPrivateKey, generateKeyPairSync } from "node:crypto";
import { reportManifest, reportManifestKey } from "../../../src/guest/report.ts";
import { fnv } from "../model/hash.ts";
import type { GuestAgent, Vm } from "../model/types.ts";
import { open, type Opened } from "./open.ts";

/** File name, without its extension, of the medium that brings the guest agent. */
export const guestMedium = "aetherv-guest";

/** What the simulated guest agent calls itself. */
const version = "0.1.0-simulated";
const order = {
  Linux: ["network", "time", "hostname", "accounts", "automation", "disks", "domain", "files", "services", "scripts"],
  Windows: ["network", "time", "hostname", "domain", "accounts", "automation", "disks", "files", "services", "scripts"],
} as const;
const moduleKeys: Readonly<Record<string, RegExp>> = {
  network: /^adapter\./,
  time: /^timeZone/,
  hostname: /^hostname$/,
  accounts: /^admin\./,
  automation: /^automation\./,
  disks: /^growFilesystems$/,
  domain: /^domain\./,
  files: /^file\./,
  services: /^service\./,
  scripts: /^script\./,
};
/** Nominal time from one look to the next, and of one module at most; milliseconds. */
const pollMs = 300;
const moduleMs = 400;
const retryMs = 60_000;

/** What a look of the agent changes, and when it looks again (nominal milliseconds from now). */
export interface Looked {
  readonly vm: Vm;
  readonly againMs?: number;
  /** Likewise after a failure; never made shorter: a model without latency would try for ever at the same moment. */
  readonly retryMs?: number;
}

const onMedium = (vm: Vm): boolean =>
  vm.dvdDrives.some(({ path }) => path?.toLowerCase().endsWith(`\\${guestMedium}.iso`) === true);

/** Whether the guest has the agent: installed at an earlier boot, or its medium is in a drive now. */
export const hasGuestAgent = (vm: Vm): boolean => vm.guestAgent !== undefined || onMedium(vm);

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

const waiting: GuestAgent["report"] = { state: "Waiting", generation: 0, hash: "", step: "", error: "" };

/** First boot on this machine: nothing that another machine's disk brought along stays. */
const fresh = (vmId: string): GuestAgent => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  const der = publicKey.export({ type: "spki", format: "der" });
  return {
    vmId,
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    spki: der.toString("base64"),
    fingerprint: sha256(der),
    highestGeneration: 0,
    report: waiting,
    configured: {},
  };
};

/** The agent's start with the guest; undefined where there is none. */
export const started = (vm: Vm): Looked | undefined => {
  if (!hasGuestAgent(vm)) return undefined;
  const kept = vm.guestAgent?.vmId === vm.id ? vm.guestAgent : fresh(vm.id);
  // What was under way is begun anew from the pool: a module may have been cut off in its middle.
  const { work: _work, ...agent } = kept;
  return { vm: told(vm, agent), againMs: pollMs };
};

/** One look at the pool, or the next module of what is at work. */
export const look = (vm: Vm): Looked => {
  const agent = vm.guestAgent;
  if (!agent) return { vm };
  const opened = openPool(agent, vm);
  switch (opened.verdict) {
    case "Nothing":
      return { vm: told(vm, lasting(agent)) };
    case "Unchanged":
      return { vm: told(vm, { ...agent, report: { ...waiting, state: "Applied", ...at(opened) } }) };
    case "Accepted":
      return worked(vm, agent, opened);
    default: {
      const error = `${opened.verdict}: generation ${opened.generation} was refused`;
      const report = { state: "Failed", ...at(opened), step: "open", error } as const;
      return { vm: told(vm, { ...agent, report }) };
    }
  }
};

const openPool = (agent: GuestAgent, vm: Vm): Opened =>
  open({ ...agent, privateKey: createPrivateKey(agent.privateKey) }, vm.kvpHost);

const at = ({ generation, hash }: { readonly generation: number; readonly hash: string }) => ({ generation, hash });

/** Cleared: the last report that was no refusal. */
const lasting = (agent: GuestAgent): GuestAgent => {
  if (agent.report.step !== "open") return agent;
  return { ...agent, report: agent.applied ? { ...waiting, state: "Applied", ...agent.applied } : waiting };
};

const worked = (vm: Vm, agent: GuestAgent, opened: Extract<Opened, { verdict: "Accepted" }>): Looked => {
  const same = agent.work?.hash === opened.hash && agent.work.generation === opened.generation;
  const family = opened.values.get("os") === "Windows" ? "Windows" : "Linux";
  const all = order[family].filter((name) =>
    [...opened.values.keys()].some((key) => moduleKeys[name]?.test(key) === true),
  );
  const steps = same ? (agent.work?.steps ?? []) : all;
  const pinned = { ...agent, pinnedSigner: opened.signer, highestGeneration: opened.generation };
  if (!same) return doing(vm, { ...pinned, work: { ...at(opened), steps } }, "Applying");
  const [step, ...rest] = steps;
  if (step === undefined) return done(vm, pinned, opened);
  const failure = failureOf(step, opened.values);
  if (failure !== undefined) {
    const { work: _work, ...idle } = pinned;
    const report = { state: "Failed", ...at(opened), step, error: failure } as const;
    return { vm: told(vm, { ...idle, report }), retryMs };
  }
  const applied = applyModule(vm, step, opened.values);
  const reboots = family === "Windows" && step === "hostname";
  return doing(applied, { ...pinned, work: { ...at(opened), steps: rest } }, reboots ? "Rebooting" : "Applying");
};

const doing = (vm: Vm, agent: GuestAgent, state: "Applying" | "Rebooting"): Looked => {
  const { generation = 0, hash = "", steps = [] } = agent.work ?? {};
  const report = { state, generation, hash, step: steps[0] ?? "", error: "" };
  // Always the same for the same machine, configuration and module.
  const againMs = 50 + (fnv(`${vm.id} ${generation} ${steps.join()}`) % moduleMs);
  return { vm: told(vm, { ...agent, report }), againMs };
};

const done = (vm: Vm, agent: GuestAgent, opened: Extract<Opened, { verdict: "Accepted" }>): Looked => {
  const { work: _work, ...idle } = agent;
  const report = { ...waiting, state: "Applied", ...at(opened) } as const;
  return { vm: told(vm, { ...idle, applied: at(opened), report, configured: recorded(opened.values) }) };
};

const isSecret = (key: string): boolean => /password$|\.content$/.test(key);

const recorded = (values: ReadonlyMap<string, string>): Readonly<Record<string, string>> =>
  Object.fromEntries([...values].map(([key, value]) => [key, isSecret(key) ? `sha256:${sha256(value)}` : value]));

/** A script whose last command is `exit N` with another number than 0 fails, as a real one would. */
const failureOf = (step: string, values: ReadonlyMap<string, string>): string | undefined => {
  if (step !== "scripts") return undefined;
  for (let index = 0; ; index += 1) {
    const text = values.get(`script.${index}.content`);
    if (text === undefined) return undefined;
    const code = /(?:^|[;\n])\s*exit ([1-9]\d{0,2})\s*$/.exec(text)?.[1];
    if (code !== undefined) return `ScriptFailed: ${values.get(`script.${index}.name`)} ended with ${code}`;
  }
};

const applyModule = (vm: Vm, step: string, values: ReadonlyMap<string, string>): Vm => {
  if (step === "hostname" && vm.guest) return { ...vm, guest: { ...vm.guest, hostname: values.get("hostname") ?? "" } };
  return step === "network" ? withDeclaredAddresses(vm, Object.fromEntries(values)) : vm;
};

/** Static addresses in place of served ones, by MAC address. */
export const withDeclaredAddresses = (vm: Vm, values: Readonly<Record<string, string>>): Vm => {
  if (!vm.guest) return vm;
  const indices = Object.keys(values).flatMap((key) => /^adapter\.(\d+)\.mac$/.exec(key)?.[1] ?? []);
  const adapters = vm.adapters.map((adapter) => {
    const index = indices.find((one) => values[`adapter.${one}.mac`] === adapter.macAddress);
    if (index === undefined || adapter.switchId === undefined) return adapter;
    const declared = ["ipv4", "ipv6"].flatMap((family) => values[`adapter.${index}.${family}.address`] ?? []);
    const isStatic = values[`adapter.${index}.ipv4.method`] === "Static";
    const served = isStatic ? adapter.ipAddresses.filter((one) => one.includes(":")) : adapter.ipAddresses;
    return { ...adapter, ipAddresses: [...new Set([...declared, ...served])] };
  });
  return { ...vm, adapters, guest: { ...vm.guest, ipAddresses: adapters.flatMap((one) => one.ipAddresses) } };
};

/** The machine with the agent and what it reports in pool 1. */
const told = (vm: Vm, agent: GuestAgent): Vm => {
  const { report, spki } = agent;
  const facts = { os: vm.guest?.osName ?? "", network: "simulated" };
  const items: Record<string, string> = {
    "aetherv.guest.version": version,
    "aetherv.guest.publicKey.0": spki,
    "aetherv.guest.state": report.state,
    "aetherv.guest.generation": String(report.generation),
    "aetherv.guest.hash": report.hash,
    "aetherv.guest.step": report.step,
    "aetherv.guest.error": report.error,
    "aetherv.guest.facts": Object.entries(facts)
      .map(([name, text]) => `${name}=${Buffer.from(text).toString("base64url")}`)
      .join(" "),
  };
  return { ...vm, guestAgent: agent, kvpGuest: { ...items, [reportManifestKey]: reportManifest(items) } };
};
