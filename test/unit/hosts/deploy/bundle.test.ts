import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { agentFolder } from "../../../../src/app/ssh.ts";
import { bundleOf } from "../../../../src/hosts/deploy/bundle.ts";
import { Gate } from "../../../../src/hosts/deploy/gate.ts";
import { prepareScript } from "../../../../src/hosts/deploy/prepare.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "aetherv-bundle-"));
});
afterEach(() => rm(folder, { recursive: true }));

const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
  for (const [path, text] of Object.entries({ "version.json": '{"version":"1.2.3"}', ...files })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
};

describe("bundleOf", () => {
  it("gives the same bytes whatever the order of writing, without the stub and other files", async () => {
    await write({ "agent.ps1": "1", "Private/B.ps1": "2", "Private/A.ps1": "3" });
    const first = await bundleOf(folder);
    await rm(folder, { recursive: true });
    await write({ "Private/A.ps1": "3", "notes.txt": "x", "stub.ps1": "y", "Private/B.ps1": "2", "agent.ps1": "1" });
    expect(await bundleOf(folder)).toEqual(first);
    expect(first.version).toBe("1.2.3");
    expect(first.text.split("\n").map((line) => line.split(" ")[0])).toEqual([
      "AETHERV-BUNDLE",
      "Private/A.ps1",
      "Private/B.ps1",
      "agent.ps1",
      "version.json",
      "END",
      "",
    ]);
  });

  it.each([
    { why: "5.1 reads it in the machine's code page", files: { "agent.ps1": "a\nb ä" }, says: "agent.ps1, line 2" },
    { why: "the stub takes plain names", files: { "Private/a b.ps1": "" }, says: "Private/a b.ps1" },
    { why: "the stub makes one folder level", files: { "a/b/c.ps1": "" }, says: "a/b/c.ps1" },
  ])("refuses what the host would misread: $why", async ({ files, says }) => {
    await write(files);
    await expect(bundleOf(folder)).rejects.toThrow(says);
  });

  it("bundles the agent that is shipped", async () => {
    const { text, sha256 } = await bundleOf(agentFolder());
    expect(text).toMatch(/^agent\.ps1 /m);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("Gate", () => {
  it("lets so many in at a time, and the others once one has ended or failed", async () => {
    const gate = new Gate(2);
    const doors = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
    let inside = 0;
    let most = 0;
    const works = doors.map(({ promise }) =>
      gate.run(async () => {
        most = Math.max(most, (inside += 1));
        await promise.finally(() => (inside -= 1));
      }),
    );
    doors[0]!.reject(new Error("one fails"));
    doors.slice(1).forEach(({ resolve }) => resolve());
    const ends = await Promise.allSettled(works);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", ...Array<string>(4).fill("fulfilled")]);
    expect([most, inside]).toEqual([2, 0]);
  });
});

describe("prepareScript", () => {
  const files = { script: join(agentFolder(), "../setup/prepare.ps1"), stub: join(agentFolder(), "stub.ps1") };
  const settings = { user: "aetherv", publicKey: "ssh-ed25519 AAAA", writable: [], readable: [] };

  it("puts values in as PowerShell's literal text, whatever quotes they hold", async () => {
    const text = await prepareScript(files, { ...settings, writable: ["D:\\it's\u2019$(x)", "E:\\b"] });
    expect(text).toContain("$writable = @('D:\\it''s\u2019\u2019$(x)', 'E:\\b')\n");
  });

  it("refuses a value that would begin a new line", async () => {
    await expect(prepareScript(files, { ...settings, user: "a\nb" })).rejects.toThrow("line break");
  });
});
