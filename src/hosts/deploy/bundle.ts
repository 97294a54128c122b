import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";

/** The agent's files as one text, in the form that the stub on the host reads. */
export interface Bundle {
  /** Of `text`: names the version's folder on the host. */
  readonly sha256: string;
  /** ASCII: a first line, one line "PATH BASE64" a file, a last line END. */
  readonly text: string;
  /** Of version.json. */
  readonly version: string;
}

/** The stub lies outside the version folders: `aetherv host prepare` puts it there. */
const NOT_BUNDLED = new Set(["stub.ps1"]);

/**
 * Bundles a folder of the agent: the same files make the same bytes, whatever their order, times and the machine.
 * Throws when a script is not ASCII: Windows PowerShell 5.1 reads it in the machine's code page.
 */
export const bundleOf = async (folder: string): Promise<Bundle> => {
  const paths = await filesIn(folder);
  const lines = await Promise.all(
    paths.map(async (path) => `${path} ${checked(path, await readFile(join(folder, path))).toString("base64")}`),
  );
  const text = ["AETHERV-BUNDLE 1", ...lines, "END", ""].join("\n");
  const { version } = JSON.parse(await readFile(join(folder, "version.json"), "utf8")) as { version: string };
  return { sha256: createHash("sha256").update(text).digest("hex"), text, version };
};

const filesIn = async (folder: string): Promise<readonly string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(ps1|psm1|psd1|json)$/.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((path) => !NOT_BUNDLED.has(path))
    .sort();
};

const checked = (path: string, content: Buffer): Buffer => {
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)?$/.test(path))
    throw new Error(`agent file ${path}: the stub takes names of A-Z a-z 0-9 . _ - and one folder level only`);
  const at = path.endsWith("1") ? content.findIndex((byte) => byte > 127) : -1;
  if (at < 0) return content;
  const line = content.subarray(0, at).toString("latin1").split("\n").length;
  throw new Error(`agent file ${path}, line ${line}: not ASCII, which Windows PowerShell 5.1 would misread`);
};
