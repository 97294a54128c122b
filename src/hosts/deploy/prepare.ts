import { readFile } from "node:fs/promises";

export interface PrepareSettings {
  readonly user: string;
  /** One line as in authorized_keys. */
  readonly publicKey: string;
  /** Folders that the account must write: virtual machines and disks. */
  readonly writable: readonly string[];
  /** Folders that it must read: images. */
  readonly readable: readonly string[];
}

/** The one-time setup script of a Windows host: agents/setup/prepare.ps1 with its settings filled in. */
export const prepareScript = async (
  files: { readonly script: string; readonly stub: string },
  { user, publicKey, writable, readable }: PrepareSettings,
): Promise<string> => {
  const [script, stub] = [await readFile(files.script, "utf8"), await readFile(files.stub)];
  const settings = [
    `$user = ${quoted(user)}`,
    `$publicKey = ${quoted(publicKey)}`,
    `$writable = @(${writable.map(quoted).join(", ")})`,
    `$readable = @(${readable.map(quoted).join(", ")})`,
    `$stub = '${stub.toString("base64")}'`,
  ];
  const filled = script.replace(/(?<=# <settings>\n)[^]*?(?=# <\/settings>)/, () => `${settings.join("\n")}\n`);
  if (filled === script) throw new Error(`${files.script} has no settings block`);
  return filled;
};

/** PowerShell takes the typographic quotes for quotes, too (about_Quoting_Rules). */
const quoted = (text: string): string => {
  if (/[\r\n\0]/.test(text)) throw new Error("a setting of the host's setup holds a line break");
  return `'${text.replace(/['\u2018\u2019\u201A\u201B]/g, "$&$&")}'`;
};
