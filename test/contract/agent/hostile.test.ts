import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import type { JobResult } from "../../../src/protocol/generated/types.ts";
import { editHost, makeHost, readHost } from "../../rigs/hyperv/host.ts";
import { fixtures } from "./cases.ts";
import { AGENT_FOLDER, AgentSession } from "./hyperv/session.ts";
import { startInProcess } from "./inProcess.ts";
import type { AgentUnderTest } from "./run.ts";

/**
 * Texts that a shell, a parser, a path or a reader takes for something else, in every field that reaches a cmdlet or a file: they arrive
 * as they are, or are refused with InvalidRequest naming the field; the simulator says the same. `npm test` sends each text as
 * notes and into a few other fields in turn, AETHERV_HOSTILE=1 into all.
 */
type Hostile = { readonly why: string } & (
  { readonly text: string } | { readonly repeat: string; readonly times: number }
);

const FEW = 2;
const all = process.env["AETHERV_HOSTILE"] === "1";
const base = mkdtempSync(join(tmpdir(), "aetherv-hostile-"));
/** Made by a command in a text, if one ever runs. */
const marker = join(base, "marker");
const root = join(base, "host");
const hostile = JSON.parse(readFileSync(new URL("hostile.json", import.meta.url), "utf8")) as readonly Hostile[];
const textOf = (one: Hostile): string =>
  "text" in one ? one.text.replaceAll("{{marker}}", marker) : one.repeat.repeat(one.times);

const { layout } = fixtures.values as { layout: { storageClasses: readonly object[] } & object };
// Uids of their own: named mutexes are the machine's.
const uid = (digit: number): string => `${digit}0000000-0000-4000-8000-${String(process.pid).padStart(12, "0")}`;
const owner = { kind: "VirtualMachine", namespace: "default", name: "web", uid: uid(1) };
const vmOwner = owner;

interface Field {
  /** What an InvalidRequest for it must name. */
  readonly named: RegExp;
  readonly operation: string;
  spec(text: string, vmId: string): object;
  /** What must have arrived in the emulated store after success. */
  arrived?(host: Arrived, text: string): void;
}

interface Arrived {
  readonly vms: readonly {
    id: string;
    name: string;
    notes: string;
    adapters: readonly { name: string }[];
    guest: { hostItems?: Readonly<Record<string, string>> };
  }[];
  readonly files: readonly string[];
}

const lines = (text: string): string => text.replaceAll("\r\n", "\n");
const machine = (host: Arrived) => host.vms.find((vm) => vm.id === state.vmId);
/** A uid of its own for each job, so that none finds what another left. */
const disk = (text: object) => ({
  kind: "VirtualDisk",
  namespace: "default",
  name: "data",
  uid: state.diskUid,
  ...text,
});
const blank = { layout, type: "Blank", storageClass: "fast", size: 2 ** 30 };
const nic = { kind: "NetworkAdapter", namespace: "default", name: "nic", uid: uid(3) };

const FIELDS: Readonly<Record<string, Field>> = {
  notes: {
    named: /notes/,
    operation: "vm.update",
    spec: (text, vmId) => ({ owner, vmId, set: { notes: text } }),
    arrived: (host, text) =>
      expect(lines(machine(host)?.notes ?? "").replace(/\n?\[aetherv\] .*$/, "")).toBe(lines(text)),
  },
  "machine's name": {
    named: /name/,
    operation: "vm.update",
    spec: (text, vmId) => ({ owner, vmId, set: { name: text } }),
    arrived: (host, text) => expect(machine(host)?.name).toBe(text),
  },
  "owner of a machine": {
    named: /owner|namespace/,
    operation: "vm.create",
    spec: (text) => ({
      owner: { ...owner, namespace: text, name: text, uid: state.diskUid },
      layout,
      generation: 2,
      config: { name: state.diskUid },
    }),
    arrived: (host, text) => {
      const made = host.vms.find((vm) => vm.name === state.diskUid);
      expect(JSON.parse(made?.notes.slice("[aetherv] ".length) ?? "")).toMatchObject({ namespace: text, name: text });
    },
  },
  "adapter's owner": {
    named: /owner/,
    operation: "nic.create",
    spec: (text, vmId) => ({ owner: { ...nic, name: text }, vmId, vmOwner, config: {} }),
    arrived: (host, text) => expect(machine(host)?.adapters.map(({ name }) => name)).toEqual([`${text}.30000000`]),
  },
  switch: {
    named: /switchName/,
    operation: "nic.create",
    spec: (text, vmId) => ({ owner: nic, vmId, vmOwner, config: { switchName: text } }),
  },
  "disk's name": {
    named: /owner|file's name/,
    operation: "disk.create",
    spec: (text) => ({ ...blank, owner: disk({ name: text }) }),
    arrived: (host, text) => expect(host.files).toContain(`D/Fast/default/${text}.${state.diskUid}.vhdx`),
  },
  "disk's namespace": {
    named: /owner|file's name/,
    operation: "disk.create",
    spec: (text) => ({ ...blank, owner: disk({ namespace: text }) }),
    arrived: (host, text) => expect(host.files).toContain(`D/Fast/${text}/data.${state.diskUid}.vhdx`),
  },
  "disk's uid": {
    named: /owner|file's name/,
    operation: "disk.create",
    spec: (text) => ({ ...blank, owner: disk({ uid: text }) }),
    arrived: (host, text) => expect(host.files).toContain(`D/Fast/default/data.${text}.vhdx`),
  },
  "storage class": {
    named: /storageClass/,
    operation: "disk.create",
    spec: (text) => ({ ...blank, owner: disk({}), storageClass: text }),
  },
  "path of a storage class": {
    named: /path/,
    operation: "disk.create",
    spec: (text) => ({
      ...blank,
      owner: disk({}),
      layout: { ...layout, storageClasses: [{ name: "fast", path: text }] },
    }),
  },
  "folder of a storage class": {
    named: /path/,
    operation: "disk.create",
    spec: (text) => ({
      ...blank,
      owner: disk({}),
      layout: { ...layout, storageClasses: [{ name: "fast", path: `D:\\Fast\\${text}` }] },
    }),
    arrived: (host, text) =>
      expect(host.files).toContain(
        `D/Fast/${text.replaceAll("\\", "/").replace(/\/$/, "")}/default/data.${state.diskUid}.vhdx`,
      ),
  },
  image: {
    named: /image/,
    operation: "disk.clone",
    spec: (text) => ({ owner: disk({}), layout, storageClass: "fast", source: { image: text } }),
  },
  "source path": {
    named: /path/,
    operation: "disk.clone",
    spec: (text) => ({ owner: disk({}), layout, storageClass: "fast", source: { path: `D:\\Images\\${text}` } }),
  },
  "path of an adopted file": {
    named: /path/,
    operation: "disk.create",
    spec: (text) => ({ owner: disk({}), layout, type: "File", path: `D:\\Images\\${text}` }),
  },
  "path in the trash": {
    named: /trashPath/,
    operation: "disk.restore",
    spec: (text) => ({ trashPath: `D:\\AetherV.Trash\\${text}` }),
  },
  "value for the guest": {
    named: /items/,
    operation: "guest.publish",
    spec: (text, vmId) => ({ owner, vmId, items: { "aetherv-x": text }, order: ["aetherv-x"] }),
    arrived: (host, text) => expect(machine(host)?.guest.hostItems).toEqual({ "aetherv-x": text }),
  },
  "key for the guest": {
    named: /items|order/,
    operation: "guest.publish",
    spec: (text, vmId) => ({ owner, vmId, items: { [text]: "x" }, order: [text] }),
    arrived: (host, text) => expect(machine(host)?.guest.hostItems).toEqual({ [text]: "x" }),
  },
  medium: {
    named: /image/,
    operation: "dvd.attach",
    spec: (text, vmId) => ({ owner, vmId, layout, image: text }),
  },
  network: {
    named: /networks/,
    operation: "host.validate",
    spec: (text) => ({ layout, networks: [{ name: text, switchName: text }] }),
  },
};

const state = { vmId: "", simulatedId: "", diskUid: "" };
let ids = 0;
const request = (operation: string, resource_spec: object) => ({
  operation,
  resource_spec,
  correlation_id: String((ids += 1)).padStart(26, "0"),
  metadata: {
    timestamp: "2026-01-01T00:00:00Z",
    host: "host-1",
    control_plane: "plane-1",
    epoch: 1,
    deadline_seconds: 60,
    debug: false,
    dry_run: false,
    locks: [],
  },
});

/** Files of the host's drives, without the agent's state. */
const files = async (): Promise<string[]> => {
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => /^[A-Z]\//.test(path) && !path.startsWith("C/AetherV/"))
    .toSorted();
};

/** The host's state without what the jobs of a text may change, and what passes by itself. */
const rest = async (): Promise<string> => {
  const { nextMac: _m, jobs: _j, due: _d, vms = [], ...host } = await readHost(root);
  const kept = vms.map(({ name: _n, notes: _o, guest, ...vm }) => ({
    ...vm,
    guest: { ...(guest as object), hostItems: {} },
  }));
  return JSON.stringify({ ...host, kept });
};

const arrived = async (): Promise<Arrived> => ({
  ...((await readHost(root)) as unknown as Arrived),
  files: await files(),
});

const rig = await ensurePowerShell();
if (rig.kind === "skipped") test.skip(`hostile texts: ${rig.why}`, () => undefined);
else {
  const place = {
    rig,
    edition: process.env["AETHERV_EDITION"] === "7" ? "7" : "5.1",
    root,
    bundle: AGENT_FOLDER,
  } as const;
  const session = new AgentSession(place);
  let simulator: AgentUnderTest | undefined;
  let baseline = { files: [] as string[], rest: "" };

  afterAll(async () => {
    await session.close();
    await simulator?.close();
    rmSync(base, { recursive: true, force: true });
  });

  const ask = async (operation: string, spec: (vmId: string) => object) => {
    const real = await session.send(request(operation, spec(state.vmId)));
    const simulated = await simulator?.send(request(operation, spec(state.simulatedId)));
    if (!real || !simulated) throw new Error(`no answer: ${session.errors}`);
    return { real, simulated };
  };

  const begin = async (): Promise<void> => {
    await makeHost(root);
    simulator = await startInProcess();
    const made = await ask("vm.create", () => ({ owner, layout, generation: 2, config: { name: "web" } }));
    state.vmId = String(made.real.data["vmId"]);
    state.simulatedId = String(made.simulated.data["vmId"]);
    baseline = { files: await files(), rest: await rest() };
  };
  let begun: Promise<void> | undefined;

  /** Takes back what a text's job made, on both hosts. */
  const undo = async ({ operation, spec }: Field, text: string): Promise<void> => {
    switch (operation) {
      case "nic.create": {
        const made = await ask("host.inventory", () => ({ layout }));
        const idOf = (result: JobResult): unknown =>
          (
            result.data as { observed: { vms: { upsert: { id: string; adapters: { id: string }[] }[] } } }
          ).observed.vms.upsert.flatMap((vm) => vm.adapters)[0]?.id;
        const { owner: one } = spec(text, "") as { owner: object };
        await session.send(
          request("nic.delete", { owner: one, vmId: state.vmId, vmOwner, adapterId: idOf(made.real) }),
        );
        await simulator?.send(
          request("nic.delete", { owner: one, vmId: state.simulatedId, vmOwner, adapterId: idOf(made.simulated) }),
        );
        return;
      }
      case "guest.publish":
        await ask("guest.clear", (vmId) => ({ owner, vmId, keys: (spec(text, "") as { order: string[] }).order }));
        return;
      case "vm.create":
        await editHost(root, (host) => {
          host.vms = (host.vms ?? []).filter((vm) => vm["id"] === state.vmId);
        });
        break;
      default:
    }
    for (const path of await files()) if (!baseline.files.includes(path)) await rm(join(root, path));
  };

  const tryField = async (name: string, field: Field, text: string): Promise<void> => {
    state.diskUid = `${uid(2).slice(0, 24)}${String(ids).padStart(12, "0")}`;
    const { real, simulated } = await ask(field.operation, (vmId) => field.spec(text, vmId));
    const verdict = ({ status, code }: JobResult) => ({ name, status, code });
    expect.soft(verdict(real), `${real.message} / ${simulated.message}`).toEqual(verdict(simulated));
    if (real.code === "InvalidRequest") {
      expect.soft(real.message).toMatch(field.named);
      expect.soft(simulated.message, "simulator").toMatch(field.named);
    } else expect.soft(["PermissionDenied", "InternalError", "HyperVError"]).not.toContain(real.code);
    expect.soft(real.status).not.toBe("partial");
    if (real.status !== "success") return;
    field.arrived?.(await arrived(), text);
    await undo(field, text);
  };

  describe("hostile texts are data", () => {
    test.each(hostile.map((one, index) => ({ ...one, index })))(
      "$why",
      async (one) => {
        await (begun ??= begin());
        const [notes, ...others] = Object.entries(FIELDS);
        const text = textOf(one);
        const turn = all
          ? others
          : Array.from({ length: FEW }, (_, step) => others[(one.index * FEW + step) % others.length]);
        for (const field of [notes, ...turn]) if (field) await tryField(field[0], field[1], text);
        expect(existsSync(marker), "a command in the text ran").toBe(false);
        expect.soft(await files()).toEqual(baseline.files);
        expect.soft(await rest()).toBe(baseline.rest);
      },
      120_000,
    );
  });

  describe("hostile requests are refused, and the session goes on", () => {
    const hello = JSON.stringify({ ...request("agent.hello", {}), correlation_id: "0".repeat(26) });
    const with_ = (from: string, to: string): string => hello.replace(from, to);
    const spec = (text: string): string => with_('"resource_spec":{}', `"resource_spec":${text}`);
    const nested = (open: string, close: string, depth: number): string =>
      `${open.repeat(depth)}1${close.repeat(depth)}`;
    test.each([
      { why: "a hundred thousand lists in each other", line: "[".repeat(100_000) },
      { why: "objects in each other, as deep as closed", line: nested('{"a":', "}", 20_000) },
      { why: "a spec of nested lists", line: spec(`{"a":${nested("[", "]", 3000)}}`) },
      {
        why: "twenty thousand keys",
        line: spec(`{${Array.from({ length: 20_000 }, (_, n) => `"k${n}":${n}`).join()}}`),
      },
      { why: "a number beyond every type", line: with_('"epoch":1', '"epoch":1e999') },
      { why: "a number beyond 64 bits", line: with_('"epoch":1', '"epoch":99999999999999999999999') },
      { why: "a number of a megabyte", line: with_('"epoch":1', `"epoch":${"9".repeat(2 ** 20)}`) },
      { why: "a text for a number", line: with_('"epoch":1', '"epoch":"1"') },
      { why: "a date that is none", line: with_("2026-01-01T00:00:00Z", String.raw`\/Date(0)\/`) },
      { why: "keys in other letters", line: with_('"operation"', '"Operation"') },
      { why: "a prototype", line: spec('{"__proto__":{"x":1}}') },
      { why: "no object", line: "[]" },
      { why: "nothing", line: "null" },
      { why: "a script", line: "Remove-VM *" },
      { why: "CLIXML", line: "#< CLIXML <Objs/>" },
      { why: "an operation that is a path", line: with_("agent.hello", "../../evil") },
      { why: "an operation that is a command", line: with_("agent.hello", "host.info; Remove-VM") },
    ])(
      "$why",
      async ({ line }) => {
        await (begun ??= begin());
        expect(await session.sendText(line)).toMatchObject({ status: "error", code: "InvalidRequest" });
        expect(await session.send(request("agent.hello", {}))).toMatchObject({ status: "success" });
      },
      120_000,
    );

    test("a key twice: one of the two counts, or neither", async () => {
      const twice = with_('"operation":"agent.hello"', '"operation":"vm.delete","operation":"agent.hello"');
      const result = await session.sendText(twice);
      expect(["agent", undefined]).toContain(result?.status === "success" ? Object.keys(result.data)[0] : undefined);
    }, 120_000);
  });
}
