import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import type { JobResult } from "../../../src/protocol/generated/types.ts";
import { clearCalls, makeHost, readCalls, setFaults } from "../../rigs/hyperv/host.ts";
import { fixtures } from "./cases.ts";
import {
  AGENT_FOLDER,
  agentArguments,
  AgentSession,
  hostEnvironment,
  powershell,
  type Edition,
  type SessionPlace,
} from "./hyperv/session.ts";

const rig = await ensurePowerShell();
const TIMEOUT = 120_000;
const { layout } = fixtures.values as { layout: object };
// A uid of its own: named mutexes are the machine's, and other tests run beside this one.
const owner = { kind: "VirtualMachine", namespace: "default", name: "web", uid: `process-${process.pid}` };
let ids = 0;

const request = (operation: string, resource_spec: object, metadata: object = {}) => ({
  operation,
  resource_spec,
  correlation_id: String((ids += 1)).padStart(26, "0"),
  metadata: {
    timestamp: "2026-01-01T00:00:00Z",
    host: "host-1",
    control_plane: "plane-1",
    epoch: 5,
    deadline_seconds: 60,
    debug: false,
    dry_run: false,
    locks: [],
    ...metadata,
  },
});

/** Texts that a shell, a wildcard, a JSON reader or a date parser would take for something else. */
const HOSTILE = [
  `'; Remove-VM *; '`,
  `"; exit 1; "`,
  "$(Stop-Computer)",
  "`$env:Path`",
  "first\nsecond\r\nthird",
  "[a-z]*?",
  "C:\\..\\..\\x",
  "2026-01-01T00:00:00Z",
  "/Date(0)/",
  "\u202Egnp.exe",
  '{"a":[1]}',
  "<&>'",
  "%PATH% !x! ^&|",
  "\u{1F600} \u00E4\u00F6\u00FC",
  "@{a=1}",
  "-Force",
  "x".repeat(60_000),
];

const oneShot = (place: SessionPlace, text: string): Promise<{ out: string; err: string; code: number | null }> =>
  new Promise((resolve) => {
    const child = spawn(powershell(place), agentArguments(place), { env: hostEnvironment(place) });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => (out += part));
    child.stderr.setEncoding("utf8").on("data", (part: string) => (err += part));
    child.on("close", (code) => resolve({ out, err, code }));
    child.stdin.end(text);
  });

const lastLine = (out: string): JobResult => JSON.parse(out.trim().split("\n").at(-1) ?? "") as JobResult;
const create = (notes: string) =>
  request("vm.create", { owner, layout, generation: 2, config: { name: "web", notes } });

if (rig.kind === "skipped") test.skip(`the PowerShell agent: ${rig.why}`, () => undefined);
else
  describe.each<Edition>(["5.1", "7"])("the PowerShell agent's process, edition %s", (edition) => {
    const root = mkdtempSync(join(tmpdir(), "aetherv-hyperv-"));
    const place: SessionPlace = { rig, edition, root, bundle: AGENT_FOLDER };
    const session = new AgentSession(place);
    const state = join(root, "C/AetherV/state");
    const send = async (document: object): Promise<JobResult> => {
      const result = await session.send(document);
      if (!result) throw new Error(`no answer: ${session.errors}`);
      return result;
    };

    beforeAll(() => makeHost(root), TIMEOUT);
    afterAll(async () => {
      await session.close();
      rmSync(root, { recursive: true, force: true });
    });

    test(
      "one-shot: a result on STDOUT's last line and exit 0, also for an error; a byte order mark is no harm",
      async () => {
        const good = await oneShot(place, `\uFEFF${JSON.stringify(request("agent.hello", {}, { debug: true }))}`);
        expect({ code: good.code, result: lastLine(good.out) }).toMatchObject({
          code: 0,
          result: { status: "success", data: { agent: "hyperv", sessionConcurrency: 1 } },
        });
        expect(
          good.err
            .trim()
            .split("\n")
            .map((line) => (JSON.parse(line) as { level: string }).level),
        ).toEqual(["debug"]);
        const bad = await oneShot(place, "{ no JSON");
        expect({ code: bad.code, result: lastLine(bad.out) }).toMatchObject({
          code: 0,
          result: { code: "InvalidRequest" },
        });
      },
      TIMEOUT,
    );

    test(
      "texts are data: notes come back as they went, and nothing else happens",
      async () => {
        let vmId = "";
        for (const [index, notes] of HOSTILE.entries()) {
          const result =
            index === 0 ? await send(create(notes)) : await send(request("vm.update", { owner, vmId, set: { notes } }));
          expect(result, notes.slice(0, 40)).toMatchObject({ status: "success" });
          if (index === 0) vmId = (result.data as { vmId: string }).vmId;
          const { vms } = (result.data as { observed: { vms: { upsert: { notes: string; id: string }[] } } }).observed;
          // Hyper-V keeps lines; which of the two line ends does not matter.
          expect(vms.upsert.map((vm) => vm.notes.replaceAll("\r\n", "\n"))).toEqual([notes.replaceAll("\r\n", "\n")]);
        }
      },
      TIMEOUT,
    );

    test(
      "what a JSON reader takes for a date stays a text, and lists of none and one stay lists",
      async () => {
        const text = JSON.stringify(
          request("host.validate", { layout, networks: [{ name: "/Date(0)/", switchName: "\\\\/x" }] }),
        );
        const { out } = await oneShot(place, text.replaceAll("/", String.raw`\/`));
        expect(lastLine(out).data).toMatchObject({ problems: [{ field: "networks[name=/Date(0)/].switchName" }] });
        expect((await send(request("host.validate", { layout, networks: [] }))).data).toEqual({ problems: [] });
      },
      TIMEOUT,
    );

    test(
      "a repeated correlation id gets the kept result from another process too",
      async () => {
        const document = request("vm.get", { owner });
        const change = create("kept");
        const first = await send(change);
        const second = lastLine((await oneShot(place, JSON.stringify(change))).out);
        expect({ ...second, logs: [] }).toEqual({ ...first, logs: [] });
        expect((await send(document)).status).toBe("success");
      },
      TIMEOUT,
    );

    test(
      "an unchanged host: the digest stays, nothing is sent, the number of calls does not grow with its machines",
      async () => {
        const first = await send(request("host.inventory", { layout }));
        const since = (first.data as { digest: string }).digest;
        const count = async (): Promise<number> => {
          await clearCalls(root);
          const quiet = await send(request("host.inventory", { layout, since }));
          expect(quiet.data).toMatchObject({ digest: since, full: false, complete: true, observed: {} });
          expect(JSON.stringify(quiet).length).toBeLessThan(600);
          return (await readCalls(root)).length;
        };
        const one = await count();
        expect((await readCalls(root)).filter((line) => line.includes("Get-VHD"))).toEqual([]);
        expect(one).toBeLessThan(45);
      },
      TIMEOUT,
    );

    test(
      "adapters that two processes make at the same moment get an address each",
      async () => {
        const other = new AgentSession(place);
        const machines = [1, 2].map((number) => ({
          ...owner,
          name: `twin-${number}`,
          uid: `twin-${number}-${process.pid}`,
        }));
        const ids: string[] = [];
        for (const one of machines) {
          const made = await send(
            request("vm.create", { owner: one, layout, generation: 2, config: { name: one.name } }),
          );
          ids.push((made.data as { vmId: string }).vmId);
        }
        await other.send(request("agent.hello", {}));
        await setFaults(root, [{ on: "Add-VMNetworkAdapter", do: "delay", ms: 1500 }]);
        const results = await Promise.all(
          machines.map(async (vmOwner, index) => {
            const nic = { kind: "NetworkAdapter", namespace: "default", name: "lan", uid: `lan-${vmOwner.uid}` };
            return [session, other][index]?.send(
              request("nic.create", { owner: nic, vmId: ids[index], vmOwner, config: { connected: false } }),
            );
          }),
        );
        await setFaults(root, []);
        await other.close();
        expect(results.map((result) => result?.status)).toEqual(["success", "success"]);
        expect(
          new Set(results.map((result) => (result?.data as { macAddress: string } | undefined)?.macAddress)).size,
        ).toBe(2);
      },
      TIMEOUT,
    );

    test(
      "the fence: an older epoch is refused; a broken or vanished fence file is StaleController, never 0",
      async () => {
        const old = { ...create("x"), metadata: { ...create("x").metadata, epoch: 4 } };
        expect(await send(old)).toMatchObject({ code: "StaleController" });
        const fence = join(state, "fence.json");
        const kept = await readFile(fence);
        await writeFile(fence, "{");
        expect(await send(create("x"))).toMatchObject({ code: "StaleController" });
        await rm(fence);
        expect(await send(create("x"))).toMatchObject({ code: "StaleController" });
        await writeFile(fence, kept);
        expect(await send(create("x"))).toMatchObject({ status: "success" });
      },
      TIMEOUT,
    );
  });
