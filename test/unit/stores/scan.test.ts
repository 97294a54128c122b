import { describe, expect, it } from "vitest";
import { modelValidation } from "../../../src/app/validation.ts";
import type { FileStat } from "../../../src/stores/files/filesystem.ts";
import { Scanner } from "../../../src/stores/files/scan.ts";
import { MemoryFileSystem } from "../../../src/stores/memory/filesystem.ts";

const disk = (size: string): string =>
  `{apiVersion: aetherv.io/v1alpha1, kind: VirtualDisk, metadata: {name: d}, spec: {source: {type: Blank}, size: ${size}}}`;

/** A file system in which something happens in the middle of a scan. */
class Restless extends MemoryFileSystem {
  onRead: (() => void) | undefined;
  onStat: ((path: string) => void) | undefined;
  failing: string | undefined;

  override async read(path: string): Promise<Uint8Array> {
    if (this.failing === path) throw Object.assign(new Error("EIO"), { code: "EIO" });
    const bytes = await super.read(path);
    this.onRead?.();
    return bytes;
  }

  override stat(path: string): Promise<FileStat> {
    this.onStat?.(path);
    return super.stat(path);
  }
}

const scanned = (): { fs: Restless; scanner: Scanner; sizes: () => Promise<unknown> } => {
  const fs = new Restless(["/m"]);
  fs.write("/m/d.yaml", disk("1Gi"));
  const scanner = new Scanner({ fs, validation: modelValidation, folders: ["/m"] });
  const sizes = async (): Promise<unknown> =>
    (await scanner.scan()).files.flatMap(({ content }) => content.objects.map(({ manifest }) => manifest?.spec));
  return { fs, scanner, sizes };
};

describe("a scan while files move", () => {
  it("proves no absence when a file changes while it is read, and reads it again", async () => {
    const { fs, scanner, sizes } = scanned();
    fs.onRead = () => {
      fs.onRead = undefined;
      fs.write("/m/d.yaml", disk("2Gi"));
    };
    expect(await scanner.scan()).toMatchObject({ steady: false, files: [] });
    expect(await sizes()).toMatchObject([{ size: "2Gi" }]);
    expect((await scanner.scan()).steady).toBe(true);
  });

  it("proves no absence when a file goes between the listing and its reading", async () => {
    const { fs, scanner } = scanned();
    fs.onStat = (path) => {
      if (path === "/m/d.yaml") fs.remove(path);
    };
    const report = await scanner.scan();
    expect(report).toMatchObject({ steady: false, files: [], folders: [{ problems: [], documents: 0 }] });
  });

  it("keeps what it knew of a file that changes while it is read", async () => {
    const { fs, scanner, sizes } = scanned();
    await scanner.scan();
    fs.write("/m/d.yaml", disk("2Gi"));
    fs.onRead = () => fs.write("/m/d.yaml", disk("3Gi"));
    expect(await sizes()).toMatchObject([{ size: "1Gi" }]);
    expect(await sizes()).toMatchObject([{ size: "1Gi" }]);
    fs.onRead = undefined;
    expect(await sizes()).toMatchObject([{ size: "3Gi" }]);
  });

  it("waits for the rest of a file without an end of line, but not for ever and not at the start", async () => {
    const { fs, scanner, sizes } = scanned();
    const block = (size: string): string =>
      `apiVersion: aetherv.io/v1alpha1\nkind: VirtualDisk\nmetadata: {name: d}\nspec:\n  source: {type: Blank}\n  size: ${size}`;
    fs.write("/m/d.yaml", block("1Gi"));
    expect(await sizes()).toMatchObject([{ size: "1Gi" }]);
    fs.write("/m/d.yaml", block("20Gi"));
    for (let scan = 1; scan < 10; scan++) expect(await sizes()).toMatchObject([{ size: "1Gi" }]);
    expect((await scanner.scan()).steady).toBe(true);
    expect(await sizes()).toMatchObject([{ size: "20Gi" }]);
    fs.write("/m/d.yaml", block("200Gi"));
    expect(await sizes()).toMatchObject([{ size: "20Gi" }]);
    fs.write("/m/d.yaml", `${block("2000Gi")}\n`);
    expect(await sizes()).toMatchObject([{ size: "2000Gi" }]);
  });

  it("tries again what could not be read, though it looks the same", async () => {
    const { fs, scanner, sizes } = scanned();
    fs.failing = "/m/d.yaml";
    expect((await scanner.scan()).files[0]?.content.problems).toMatchObject([{ message: "cannot be read (EIO)" }]);
    fs.failing = undefined;
    expect(await sizes()).toMatchObject([{ size: "1Gi" }]);
  });

  it("parses nothing again while nothing changes", async () => {
    const { fs, scanner } = scanned();
    await scanner.scan();
    await scanner.scan();
    expect(scanner.parsed).toBe(1);
    fs.write("/m/d.yaml", disk("2Gi"));
    await scanner.scan();
    expect(scanner.parsed).toBe(2);
  });

  it("remembers what a broken file declared when it was whole", async () => {
    const { fs, scanner } = scanned();
    await scanner.scan();
    fs.write("/m/d.yaml", "{");
    const [file] = (await scanner.scan()).files;
    expect(file).toMatchObject({ content: { objects: [] }, lastKeys: ["VirtualDisk/default/d"] });
  });
});
