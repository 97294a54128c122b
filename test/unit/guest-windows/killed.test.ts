import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import { freshMachine, keptFiles, play, sealedItems } from "../../rigs/windows/guest.ts";
import type { Scenario, SeenStep, Step } from "../../rigs/windows/guest.ts";
import type { ReadyRig } from "../rigs/shell.ts";
import { everything } from "./values.ts";

const rig = await ensurePowerShell();
const keysFile = "ProgramData/ssh/administrators_authorized_keys";
const oldFiles = { "state/old.ini": "old\n", [keysFile]: "ssh-ed25519 AAAAold\r\n" };
const newFiles = {
  "state/old.ini": "new\n",
  "ProgramData/App/app.ini": "app\n",
  [keysFile]: `${everything["admin.sshKey.0"]}\r\n${everything["automation.publicKey"]}\r\n`,
};

/** Notes its begin and its end; for shell.sh. */
const script = (index: number, name: string, run: string) => ({
  [`script.${index}.name`]: name,
  [`script.${index}.interpreter`]: "powershell",
  [`script.${index}.run`]: run,
  [`script.${index}.timeoutSeconds`]: "60",
  [`script.${index}.content`]: `ran="$AETHERV_RIG_ROOT/C/state/ran-${name}"; printf b >>"$ran"; sleep 0.1; printf e >>"$ran"`,
});
const values = {
  hostname: "WIN-FRESH",
  "admin.sshKey.0": everything["admin.sshKey.0"],
  "automation.user": everything["automation.user"],
  "automation.publicKey": everything["automation.publicKey"],
  "file.0.path": String.raw`C:\state\old.ini`,
  "file.0.content": newFiles["state/old.ini"],
  "file.1.path": String.raw`C:\ProgramData\App\app.ini`,
  "file.1.content": newFiles["ProgramData/App/app.ini"],
  ...script(0, "once", "Once"),
  ...script(1, "change", "OnChange"),
  ...script(2, "always", "Always"),
};
const scripts = ["once", "change", "always"];

/** A statement of the agent to be killed before. */
interface Cut {
  readonly at: number;
  readonly place: string;
  readonly module: "files" | "scripts";
}

const modules = join(import.meta.dirname, "../../../agents/guest-windows");
const changing =
  /\[System\.IO\.File\]::(?:Write|Move|Replace|Delete)|\$stream\b|\$beside\b|Protect-Path|New-Folder|\$process\b|StandardInput|(?:Write|Remove)-State/;

/** The lines of the agent that change something themselves, or start it: `file:line`. */
const changingPlaces = async (): Promise<ReadonlySet<string>> => {
  const files = ["Private/Files.ps1", "Private/State.ps1", "Modules/files.ps1", "Modules/scripts.ps1"];
  const places = files.map(async (file) => {
    const lines = (await readFile(join(modules, file), "utf8")).split("\n");
    return lines.flatMap((line, at) => (changing.test(line) ? [`${basename(file)}:${at + 1}`] : []));
  });
  return new Set((await Promise.all(places)).flat());
};

/**
 * Each of these places where it is first and where it is last (in between are the same calls for other names) in files of the configuration, and in what is kept of scripts.
 * The first file is a private one that takes an old one's place, the last one is new.
 */
const cutsOf = (statements: readonly string[], places: ReadonlySet<string>): readonly Cut[] => {
  const found = new Map<string, Cut>();
  let module: Cut["module"] | undefined;
  for (const [index, place] of statements.entries()) {
    if (/^(?:accounts|files)\.ps1:/.test(place)) module = "files";
    if (place.startsWith("scripts.ps1:")) module = "scripts";
    if (module === undefined || !places.has(place)) continue;
    const first = `${module} ${place}`;
    if (!found.has(first)) found.set(first, { at: index + 1, place, module });
    // State is written alike whatever its name.
    else if (module === "files" || !place.startsWith("Files.ps1:"))
      found.set(`${first} last`, { at: index + 1, place, module });
  }
  return [...found.values()];
};

describe.skipIf(rig.kind === "skipped")("a Windows agent that is killed before any of its statements", () => {
  let folder = "";
  let uncut: SeenStep | undefined;
  let cuts: readonly Cut[] = [];
  let played: Readonly<Record<string, readonly SeenStep[]>> = {};

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-killed-"));
    const external = await sealedItems(values, { generation: 1 });
    const beside = Object.fromEntries(Object.entries(oldFiles).map(([path, text]) => [`../../${path}`, text]));
    const scenario = (name: string, steps: readonly Step[]): Scenario => {
      return { name, machine: freshMachine(), kept: { ...keptFiles(), ...beside }, steps };
    };
    const run = (scenarios: readonly Scenario[]) =>
      play(rig as ReadyRig, folder, scenarios, join(import.meta.dirname, "../../rigs/windows/shell.sh"));
    uncut = (await run([scenario("uncut", [{ external, cut: 0, passes: 1 }])]))["uncut"]?.[0];
    cuts = cutsOf(uncut?.statements ?? [], await changingPlaces());
    const all = cuts.map(({ at }) => scenario(`cut-${at}`, [{ external, cut: at, passes: 1 }, { passes: 1 }]));
    // Windows PowerShell reads two million characters of JSON at once.
    for (let at = 0; at < all.length; at += 60) played = { ...played, ...(await run(all.slice(at, at + 60))) };
  }, 900_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const each = (check: (seen: { cut: Cut; killed: SeenStep; after: SeenStep; whole: SeenStep }) => void): void => {
    for (const cut of cuts) {
      const [killed, after] = played[`cut-${cut.at}`] ?? [];
      if (!killed || !after || !uncut) throw new Error(`the cut at ${cut.at} was not played`);
      check({ cut, killed, after, whole: uncut });
    }
  };
  const why = ({ at, place, module }: Cut): string => `${module}: before statement ${at}, ${place}`;

  it("reaches every step of writing a file and of running a script", () => {
    expect(uncut?.passes).toMatchObject([{ thrown: "", state: "Applied" }]);
    expect(uncut?.files).toMatchObject(newFiles);
    expect(cuts.length).toBeGreaterThan(50);
    each(({ cut, killed }) => expect(killed.passes, why(cut)).toMatchObject([{ code: 137 }]));
  });

  it("leaves each file old or new, and never says more than is done", () => {
    each(({ cut, killed }) => {
      for (const [path, text] of Object.entries(newFiles)) {
        expect([Object.entries(oldFiles).find(([old]) => old === path)?.[1], text], `${why(cut)}: ${path}`).toContain(
          killed.files[path],
        );
      }
      if (killed.passes[0]?.state !== "Applied") return;
      expect(killed.files, why(cut)).toMatchObject(newFiles);
      for (const name of scripts) expect(killed.files[`state/ran-${name}`], why(cut)).toMatch(/e$/);
    });
  });

  it("ends applied at its next start, with nothing left of the cut", () => {
    each(({ cut, after, whole }) => {
      expect(after.passes, why(cut)).toMatchObject([{ thrown: "", state: "Applied", generation: "1", error: "" }]);
      const kept = (files: SeenStep["files"]) =>
        Object.entries(files).filter(([path]) => !path.startsWith("state/ran-"));
      expect(kept(after.files).toSorted(), why(cut)).toEqual(kept(whole.files).toSorted());
      expect(after.machine.acls[String.raw`C:\ProgramData\ssh\administrators_authorized_keys`], why(cut)).toBe(
        "*S-1-5-18:F *S-1-5-32-544:F",
      );
    });
  });

  it("runs a script again only where it was not known to have ended, and never beside itself", () => {
    const again = new Set<string>();
    each(({ cut, after }) => {
      for (const name of scripts) {
        const ran = after.files[`state/ran-${name}`] ?? "";
        // b: begun and ended with the agent; be: ended, and begun again since that was not kept.
        expect(ran, `${why(cut)}: ${name}`).toMatch(/^(?:b|be)?be$/);
        if (ran !== "be") again.add(cut.module);
      }
    });
    expect([...again]).toEqual(["scripts"]);
  });
});
