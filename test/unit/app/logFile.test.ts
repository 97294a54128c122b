import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogFile } from "../../../src/app/logFile.ts";
import { createLogger } from "../../../src/app/logger.ts";

let folder = "";
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "aetherv-log-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = (): string => join(folder, "data/aetherv.log");
const names = async (): Promise<readonly string[]> => (await readdir(join(folder, "data"))).sort();

describe("aetherv.log", () => {
  it("is bounded: full files are put aside, the oldest is given up, no line is torn", async () => {
    const limits = { maxBytes: 100, kept: 2 };
    const first = new LogFile(path(), limits);
    for (let line = 0; line < 10; line += 1) first.write(`line ${line} of the first process\n`);
    // A process that starts anew goes on where the one before was.
    const second = new LogFile(path(), limits);
    for (let line = 0; line < 9; line += 1) second.write(`line ${line} of the second process\n`);
    expect(await names()).toEqual(["aetherv.log", "aetherv.log.1", "aetherv.log.2"]);
    const texts = await Promise.all((await names()).map((name) => readFile(join(folder, "data", name), "utf8")));
    for (const text of texts) {
      expect(text.length).toBeLessThanOrEqual(100);
      expect(text).toMatch(/^(line \d of the (first|second) process\n)+$/);
    }
    expect(texts[0]).toContain("line 8 of the second process");
    expect((await stat(path())).mode & 0o777).toBe(0o600);
  });

  it.each([
    { why: "by default from info on", level: undefined, has: ["info", "warn"] },
    { why: "as much when STDERR wants less", level: "error", has: ["info", "warn"] },
    { why: "all of it on demand", level: "debug", has: ["debug", "info", "warn"] },
  ])("$why", async ({ level, has }) => {
    const log = createLogger({ file: path(), pretty: true, ...(level === undefined ? {} : { level }) });
    log.debug({}, "fine");
    log.info({ password: "hunter2" }, "news");
    log.warn({}, "look");
    const text = await readFile(path(), "utf8");
    const lines = text.trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(has);
    expect(text).not.toContain("hunter2");
  });
});
