import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VMHost } from "../../../src/api/generated/types.ts";
import { Rig, until } from "../../e2e/rig.ts";
import { hostOf } from "../../rigs/sshd/connect.ts";
import { SshdRig, whyNoSshd } from "../../rigs/sshd/sshd.ts";
import { sshHostManifest, writeSecret } from "./manifests.ts";

const why = await whyNoSshd("powershell");
if (why !== undefined) console.warn(`skipped: ${why}`);

/** "ok DNS", "failed login"... of what `aetherv host check` prints. */
const verdicts = (out: string): readonly string[] =>
  out.split("\n").flatMap((line) => {
    const [, verdict, name] = /^(ok|warning|failed|skipped) +(\S+(?: \S+)*?)  /.exec(line) ?? [];
    return verdict === undefined ? [] : [`${verdict} ${name}`];
  });

describe.skipIf(why !== undefined)("aetherv host", () => {
  let sshd: SshdRig;
  let rig: Rig;
  beforeAll(async () => {
    sshd = await SshdRig.start({ shell: "cmd.exe", agent: "powershell" });
    rig = await Rig.make({ manifests: { "hosts.yaml": sshHostManifest("hv1", sshd) }, hosts: [] });
    await writeSecret(rig.files, { "ssh-privatekey": sshd.key });
  }, 120_000);
  afterAll(async () => {
    await rig.dispose();
    await sshd[Symbol.asyncDispose]();
  });
  const host = (...words: string[]) => rig.cli("host", ...words, "-f", rig.files);

  it("checks each step up to the VMHost's folders and switches", { timeout: 120_000 }, async () => {
    const { code, out, err } = await host("check", "hv1");
    expect(err).toBe("");
    expect(verdicts(out)).toEqual(
      expect.arrayContaining([
        "ok DNS",
        "ok TCP",
        "ok host key",
        "ok login",
        "ok PowerShell",
        "ok clock",
        "ok stub",
        "ok Hyper-V module",
        "ok agent",
        "ok switches",
      ]),
    );
    expect(code).toBe(0);
    await writeFile(rig.path("hosts.yaml"), sshHostManifest("hv1", sshd).replace("External", "Absent"));
    const wrong = await host("check", "hv1");
    await writeFile(rig.path("hosts.yaml"), sshHostManifest("hv1", sshd));
    expect(wrong.out).toMatch(/failed +switches +spec\.networks.*Absent/);
    expect(wrong.code).toBe(1);
  });

  it("stops at the first step that fails, with its reason and its remedy", { timeout: 60_000 }, async () => {
    const text = sshHostManifest("hv1", { port: sshd.port, hostKeys: [`SHA256:${"A".repeat(43)}`] });
    await writeFile(rig.path("hosts.yaml"), text);
    const { code, out } = await host("check", "hv1");
    await writeFile(rig.path("hosts.yaml"), sshHostManifest("hv1", sshd));
    expect(code).toBe(1);
    expect(verdicts(out).slice(0, 4)).toEqual(["ok DNS", "ok TCP", "failed host key", "skipped login"]);
    expect(out).toContain("replace its fingerprint in hostKeys");
  });

  it.each([
    {
      why: "an execution policy",
      says: "File C:\\ProgramData\\AetherV\\stub.ps1 cannot be loaded. The file C:\\ProgramData\\AetherV\\stub.ps1 is not\ndigitally signed. For more information, see about_Execution_Poli\ncies at https:/go.microsoft.com/fwlink/?LinkID=135170.\n    + FullyQualifiedErrorId : UnauthorizedAccess",
      exit: 1,
      step: "failed PowerShell",
      text: /execution policy \(AllSigned or Restricted, by group policy\) forbids the stub/,
      help: "Get-ExecutionPolicy -List",
    },
    {
      why: "a language mode",
      says: "",
      exit: 78,
      step: "failed PowerShell",
      text: /holds PowerShell in ConstrainedLanguage mode/,
      help: "run in FullLanguage mode",
    },
    {
      why: "no stub",
      says: 'Das Argument "C:\\ProgramData\\AetherV\\stub.ps1" fuer den Parameter -File ist nicht vorhanden.',
      exit: 64,
      step: "failed stub",
      text: /AetherV's stub is not on the host/,
      help: "aetherv host prepare",
    },
    {
      why: "no PowerShell",
      says: "'powershell.exe' is not recognized as an internal or external command",
      exit: 1,
      step: "failed PowerShell",
      text: /did not start \(exit code 1\): 'powershell.exe' is not recognized/,
      help: "on the PATH of the account",
    },
  ])("tells $why, and what to do", { timeout: 60_000 }, async ({ says, exit, step, text, help }) => {
    const path = join(sshd.root, "bin/powershell.exe");
    await rename(path, `${path}.away`);
    await writeFile(`${path}.says`, says);
    await writeFile(path, `#!/bin/sh\ncat '${path}.says' >&2\nexit ${exit}\n`, { mode: 0o755 });
    const { code, out } = await host("check", "hv1");
    await rename(`${path}.away`, path);
    expect(code).toBe(1);
    expect(verdicts(out)).toEqual(expect.arrayContaining(["ok login", step, "skipped agent"]));
    expect(out).toMatch(text);
    expect(out).toContain(help);
  });

  it("prints a setup script that PowerShell parses, with the key's public half only", { timeout: 60_000 }, async () => {
    const { code, out, err } = await host("prepare", "hv1");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("$publicKey = 'ssh-ed25519 AAAA");
    expect(out).toContain("$writable = @('D:\\VMs')");
    expect(out).not.toContain("PRIVATE KEY");
    const path = join(sshd.root, "prepare.ps1");
    await writeFile(path, out);
    const parse = `$errors = $null; $null = [System.Management.Automation.Language.Parser]::ParseFile('${path}', [ref]$null, [ref]$errors); [Console]::Out.WriteLine("errors: $($errors.Count)")`;
    expect(await runScript(sshd, parse)).toContain("errors: 0");
  });

  it("takes a host over whose fence is unreadable", { timeout: 120_000 }, async () => {
    const state = join(sshd.root, "C/ProgramData/AetherV/state");
    await writeFile(join(state, "fence.json"), "{ broken");
    await writeFile(join(state, "fence.made"), "{}");
    await rig.start();
    const { code, out, err } = await host("take-over", "hv1");
    expect([code, err]).toEqual([0, ""]);
    const [, epoch, id] = /^hv1 obeys epoch (\d+) of control plane ([0-9a-f-]{36})\n$/.exec(out) ?? [];
    // The control plane goes on from there, perhaps above it by now.
    const fence = JSON.parse(await readFile(join(state, "fence.json"), "utf8")) as Record<string, number>;
    expect(fence[id ?? ""]).toBeGreaterThanOrEqual(Number(epoch));
    await until("the host obeys", async () => {
      const { conditions = [] } = ((await rig.object("VMHost", "hv1")) as VMHost).status ?? {};
      return conditions.some(({ type, status }) => type === "Reachable" && status === "True");
    });
  });
});

/** Runs a script on the host as `host prepare --run` does. */
const runScript = async (sshd: SshdRig, script: string): Promise<string> => {
  const host = hostOf(sshd);
  let text = "";
  await host.runScript(script, (part) => (text += part), AbortSignal.timeout(30_000));
  host.close();
  return text;
};
