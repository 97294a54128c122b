import { open, readFile, rename } from "node:fs/promises";
import { newSigner, openSigner, parseSigner } from "../guest/signer.ts";
import type { Signer } from "../guest/signer.ts";

/** The key that signs guest configurations: of the file, which is made (0600) when there is none. One process a data folder. */
export const fileSigner = async (path: string): Promise<Signer> => {
  const found = await textOf(path);
  if (found !== undefined) return await opened(path, found);
  const part = `${path}.part`;
  const file = await open(part, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(await newSigner(), null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
  return await opened(path, (await textOf(path)) ?? "");
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
