import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeHost } from "../../../rigs/hyperv/host.ts";
import type { AgentUnderTest, StartAgent } from "../run.ts";
import { EmulatedAdmin } from "./admin.ts";
import { AGENT_FOLDER, AgentSession, hostEnvironment, powershell, type Edition, type ReadyRig } from "./session.ts";

const run = promisify(execFile);

/** The agent's files with the tests' own beside them: what goes wrong, what is slow. */
export const makeBundle = async (bundle: string): Promise<void> => {
  await cp(AGENT_FOLDER, bundle, { recursive: true });
  await cp(fileURLToPath(new URL("faults.ps1", import.meta.url)), join(bundle, "Private/ZzFaults.ps1"));
};

/**
 * The PowerShell agent on an emulated host. One process serves case after case, since starting one takes seconds; each
 * case gets a new host in the same folder. `end` ends the process.
 */
export const hypervAgents = (rig: ReadyRig, edition: Edition): { start: StartAgent; end(): Promise<void> } => {
  const base = mkdtempSync(join(tmpdir(), "aetherv-hyperv-"));
  const root = join(base, "host");
  const bundle = join(base, "bundle");
  const faultFile = join(base, "fault.json");
  const place = { rig, edition, root, bundle, env: { AETHERV_TEST_FAULT: faultFile } };
  const session = new AgentSession(place);

  const script = async (text: string): Promise<void> => {
    const path = join(base, "admin.ps1");
    await writeFile(path, `$ErrorActionPreference = 'Stop'\n${text}\n`);
    await run(powershell(place), ["-NoProfile", "-NonInteractive", "-File", path], { env: hostEnvironment(place) });
  };

  const freshHost = async (): Promise<void> => {
    await mkdir(root, { recursive: true });
    for (const name of await readdir(root)) await rm(join(root, name), { recursive: true });
    await rm(faultFile, { force: true });
    await makeHost(root, (host) => {
      host.behaviour = { ...host.behaviour, mergeMs: 0 };
    });
    for (const name of ["runs", "results", "inventory"])
      await mkdir(join(root, "C/AetherV/state", name), { recursive: true });
  };

  let prepared: Promise<void> | undefined;

  const start = async (): Promise<AgentUnderTest> => {
    await (prepared ??= makeBundle(bundle));
    await freshHost();
    const admin = new EmulatedAdmin(root, faultFile, script);
    return {
      send: (request) => session.send(request),
      admin: (words) => admin.act(words),
      close: async () => admin.close(),
    };
  };

  const end = async (): Promise<void> => {
    await session.close();
    if (session.errors !== "") console.warn(session.errors.slice(0, 4000));
    rmSync(base, { recursive: true, force: true });
  };
  return { start, end };
};
