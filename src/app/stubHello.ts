import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { agentFolder } from "./ssh.ts";

/** What agents/hyperv/stub.ps1 answers to `hello`. */
export interface StubHello {
  /** SHA-256 of its own file. */
  readonly stub: string;
  readonly powershell: string;
  /** PowerShell's language mode; anything but FullLanguage comes from a policy. */
  readonly language?: string;
  readonly hyperv: boolean;
  /** The host's clock, RFC 3339. */
  readonly time?: string;
}

/** SHA-256 of this version's stub. */
export const stubHash = async (): Promise<string> =>
  createHash("sha256")
    .update(await readFile(`${agentFolder()}stub.ps1`))
    .digest("hex");
