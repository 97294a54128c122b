import { open, readFile, rename } from "node:fs/promises";
import type { SignerReport } from "../cli/clusterTools.ts";
import { newSigner, openSigner, parseSigner, rotated } from "../guest/signer.ts";
import { ControlError } from "../server/control.ts";
import type { Signer } from "../guest/signer.ts";

/** The key that signs guest configurations: of the file, which is made (0600) when there is none. One process a data folder. */
export const fileSigner = async (path: string): Promise<Signer> => {
  const found = await textOf(path);
  if (found !== undefined) return await opened(path, found);
  await write(path, `${JSON.stringify(await newSigner(), null, 2)}\n`);
  return await opened(path, (await textOf(path)) ?? "");
};

/** The whole file or, after a crash, the one before. */
const write = async (path: string, text: string): Promise<void> => {
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
};

/** The file's text; NotFound where there is none. */
export const requireSigner = async (path: string): Promise<string> => {
  const found = await textOf(path);
  if (found !== undefined) return found;
  throw new ControlError("NotFound", `${path} does not exist: no guest was configured from this data folder yet`);
};

/** Puts a successor in the place of the file's key. No control plane may work on it: it would go on with the old one. */
export const rotateFileSigner = async (path: string): Promise<SignerReport> => {
  const found = await requireSigner(path);
  await opened(path, found).catch((error: unknown) => {
    throw new ControlError("Invalid", error instanceof Error ? error.message : String(error));
  });
  const { text, report } = await rotated(found);
  await write(path, text);
  return report;
};

const textOf = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
};

/** A damaged one is never made anew: guests would refuse what another key signs. */
const opened = async (path: string, text: string): Promise<Signer> => {
  try {
    return await openSigner(parseSigner(text));
  } catch {
    throw new Error(`${path} is damaged: restore it from a backup; without it, guests must be told a new key by hand`);
  }
};
