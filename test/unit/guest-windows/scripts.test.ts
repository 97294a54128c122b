import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { freshMachine, keptFiles, play, sealedItems } from "../../rigs/windows/guest.ts";
import type { SeenStep } from "../../rigs/windows/guest.ts";
import { runShell } from "../rigs/shell.ts";
import type { ReadyRig } from "../rigs/shell.ts";

const rig = await ensurePowerShell();

const script = (index: number, name: string, run: string, content: string, seconds = 120) => ({
  [`script.${index}.name`]: name,
  [`script.${index}.interpreter`]: "powershell",
  [`script.${index}.run`]: run,
  [`script.${index}.timeoutSeconds`]: String(seconds),
  [`script.${index}.content`]: content,
});

const note = (text: string): string => `[IO.File]::AppendAllText("$env:AETHERV_RIG_ROOT/C/state/ran", '${text} ')\r\n`;
const scripts = (once: string, change: string, more: Readonly<Record<string, string>> = {}) => ({
  hostname: "WIN-FRESH",
  ...script(0, "a name/with: anything", "Once", note(once)),
  ...script(1, "change", "OnChange", note(change)),
  ...script(2, "always", "Always", note("always")),
  ...more,
});
const commandLine = `[IO.File]::WriteAllText("$env:AETHERV_RIG_ROOT/C/state/argv", [Environment]::CommandLine)
if ('zweifelsfrei-ü' -ne ([string][char]122 + 'weifelsfrei-' + [char]252)) { exit 9 }
exit 3`;

describe.skipIf(rig.kind === "skipped")("scripts of the Windows agent", () => {
  let folder = "";
  let steps: readonly SeenStep[] = [];
  const seen = (at: number): SeenStep => {
    const step = steps[at];
    if (!step) throw new Error(`step ${at} was not played`);
    return step;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-scripts-"));
    const at = (generation: number, values: Readonly<Record<string, string>>) => sealedItems(values, { generation });
    const played = await play(rig as ReadyRig, folder, [
      {
        name: "scripts",
        machine: freshMachine(),
        kept: keptFiles(),
        steps: [
          { external: await at(1, scripts("once1", "change1")), passes: 2 },
          { external: await at(2, scripts("once2", "change2")), passes: 1 },
          { external: await at(3, scripts("once3", "change2")), passes: 1 },
          { external: await at(4, scripts("once3", "change2", script(3, "fails", "Once", commandLine))), passes: 1 },
          { external: await at(5, script(0, "slow", "Once", "Start-Sleep -Seconds 300", 2)), passes: 1 },
          {
            external: await at(6, { ...script(0, "shell", "Once", "true"), "script.0.interpreter": "bash" }),
            passes: 1,
          },
        ],
      },
    ]);
    steps = played["scripts"] ?? [];
  }, 600_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    { at: 0, ran: "once1 change1 always ", why: "all of them, and not again at a further start" },
    { at: 1, ran: "once1 change1 always change2 always ", why: "Once is over whatever its text, OnChange by its text" },
    { at: 2, ran: "once1 change1 always change2 always always ", why: "Always with each generation" },
  ])("generation $at: $why", ({ at, ran }) => {
    expect(seen(at).passes.at(-1)).toMatchObject({ thrown: "", state: "Applied", error: "" });
    expect(seen(at).files["state/ran"]).toBe(ran);
  });

  it("a failing script: its exit code is told, its text is on no command line", () => {
    expect(seen(3).passes).toMatchObject([
      { state: "Failed", step: "scripts", error: "ScriptFailed: script fails ended with 3" },
    ]);
    expect(seen(3).files["state/argv"]).toContain("OpenStandardInput");
    expect(seen(3).files["state/argv"]).not.toContain("zweifelsfrei");
  });

  it("a script that takes too long is ended", () => {
    expect(seen(4).passes).toMatchObject([
      { state: "Failed", error: "Timeout: script slow was ended after 2 seconds" },
    ]);
  });

  it("a text that was cut, since the agent was killed while it wrote, does not run", async () => {
    const source = await readFile(
      join(import.meta.dirname, "../../../agents/guest-windows/Modules/scripts.ps1"),
      "utf8",
    );
    const host = /^\$script:ScriptHost = '(.*)'$/m.exec(source)?.[1] ?? "";
    const text = `${note("ü begun")}${note("ended")}`;
    const run = (stdin: string) =>
      runShell(rig as ReadyRig, { root: folder, edition: "5.1", stdin }, [
        "-NoProfile",
        "-NonInteractive",
        "-Command",
        host,
      ]);
    await rm(join(folder, "C/state/ran"), { force: true });
    for (const length of [0, 20, note("ü begun").length, text.length - 1]) {
      expect(await run(`${text.length}\n${text.slice(0, length)}`), `cut at ${length}`).toMatchObject({ code: 125 });
    }
    expect(await run("")).toMatchObject({ code: 125 });
    expect(await readdir(join(folder, "C/state"))).not.toContain("ran");
    expect(await run(`${text.length}\n${text}`)).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "C/state/ran"), "utf8")).toBe("ü begun ended ");
  }, 300_000);

  it("a shell's script is refused", () => {
    expect(seen(5).passes).toMatchObject([{ state: "Failed", step: "scripts" }]);
    expect(seen(5).passes[0]?.error).toMatch(/^NotSupported: /);
  });
});
