import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { JobJournal } from "../../../src/journal/journal.ts";
import { openLevel } from "../../../src/stores/keyvalue/level.ts";
import { node } from "./processes.ts";

const writer = fileURLToPath(new URL("../../fixtures/agents/writer.ts", import.meta.url));
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

it("a journal survives the death of its process in the middle of its writes: each job whole, with its lines, and ended", async () => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-journal-"));
  try {
    const child = spawn(node, [writer, folder], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.once("close", resolve));
    let written = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      written = Number(chunk.toString().trim().split("\n").at(-1));
      if (written >= 400) child.kill("SIGKILL");
    });
    await ended;
    const data = await openLevel(folder);
    const journal = await JobJournal.open({ data, clock: systemClock, log });
    const jobs = await journal.list({ limit: 100_000 });
    expect(jobs.length).toBeGreaterThan(written);
    expect(jobs.filter(({ finishedAt }) => finishedAt === undefined)).toEqual([]);
    expect(new Set(jobs.map(({ status, code }) => code ?? status))).toEqual(new Set(["success", "ProtocolError"]));
    const lines: string[] = [];
    for await (const { text } of journal.lines(jobs.at(-1)!.id)) lines.push(text);
    expect(lines).toEqual([0, 1, 2, 3, 4].map((n) => `line ${n}`));
    await journal.close();
    await data.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
