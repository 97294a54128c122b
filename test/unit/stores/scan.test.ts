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
    expect((await scanner.scan()).steady).toBe(false);
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
