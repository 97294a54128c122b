import { createHash, randomBytes } from "node:crypto";
import { chmod, readFile, rename, stat, writeFile } from "node:fs/promises";
import { isRole, type Role } from "../../server/console/access.ts";
import { sameText } from "../../server/console/sessions.ts";
import { ControlError } from "../../server/control.ts";
import { errorCode } from "../../stores/files/filesystem.ts";

/** A token for machines and people, as its file has it: who holds the file can't log in with it. */
export interface TokenRecord {
  readonly name: string;
  readonly role: Role;
  /** Hexadecimal, of the token. */
  readonly sha256: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly expiresAt?: string;
}

const prefix = "aev_";

const newToken = (): string => `${prefix}${randomBytes(32).toString("base64url")}`;

const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** The tokens of a file, read again whenever it changed. */
export class TokenFile {
  readonly #path: string;
  #signature = "";
  #records: readonly TokenRecord[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  async list(): Promise<readonly TokenRecord[]> {
    const signature = await stat(this.#path).then(
      ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
      (error: unknown) => {
        if (errorCode(error) === "ENOENT") return "none";
        throw error;
      },
    );
    if (signature === this.#signature) return this.#records;
    this.#records = signature === "none" ? [] : recordsIn(await readFile(this.#path, "utf8"), this.#path);
    this.#signature = signature;
    return this.#records;
  }

  /** The record of a token that is valid now. */
  async find(token: string, now: Date): Promise<TokenRecord | undefined> {
    const digest = digestOf(token);
    let found: TokenRecord | undefined;
    // All are compared: the time tells nothing of which one it is.
    for (const record of await this.list()) if (sameText(record.sha256, digest)) found = record;
    return found && !isExpired(found, now) ? found : undefined;
  }

  /** The new token, which is kept nowhere else. */
  async create(about: Omit<TokenRecord, "sha256">): Promise<string> {
    const records = await this.list();
    if (records.some(({ name }) => name === about.name))
      throw new ControlError("Conflict", `there is a token "${about.name}"`, "revoke it first, or take another name");
    const token = newToken();
    await this.#write([...records, { ...about, sha256: digestOf(token) }]);
    return token;
  }

  async revoke(name: string): Promise<void> {
    const records = await this.list();
    if (!records.some((one) => one.name === name)) throw new ControlError("NotFound", `there is no token "${name}"`);
    await this.#write(records.filter((one) => one.name !== name));
  }

  async #write(records: readonly TokenRecord[]): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    await writeFile(temporary, `${JSON.stringify({ tokens: records }, null, 2)}\n`, { mode: 0o600 });
    await rename(temporary, this.#path);
    this.#signature = "";
  }
}

export const isExpired = ({ expiresAt }: TokenRecord, now: Date): boolean =>
  expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime();

const recordsIn = (text: string, path: string): readonly TokenRecord[] => {
  const damaged = (why: string): ControlError =>
    new ControlError("Invalid", `${path} is damaged: ${why}`, "make tokens with `aetherv token create`");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw damaged("it is no JSON");
  }
  const { tokens } = (parsed ?? {}) as { tokens?: unknown };
  if (!Array.isArray(tokens)) throw damaged("it has no list of tokens");
  return tokens.map((one: unknown, index) => {
    const { name, role, sha256, createdAt = "", expiresAt } = (one ?? {}) as Partial<Record<string, unknown>>;
    const isHash = typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
    const ends = expiresAt === undefined || (typeof expiresAt === "string" && !Number.isNaN(Date.parse(expiresAt)));
    if (typeof name !== "string" || typeof role !== "string" || !isRole(role) || !isHash || !ends)
      throw damaged(`tokens[${index}] must have name, role, sha256 and perhaps expiresAt`);
    return {
      name,
      role,
      sha256,
      createdAt: String(createdAt),
      ...(typeof expiresAt === "string" ? { expiresAt } : {}),
    };
  });
};

/** The admin's token of a data folder: made at the first use, readable by the folder's owner alone. */
export const adminToken = async (path: string): Promise<string> => {
  const known = await readFile(path, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  });
  if (known.trim() !== "") {
    await chmod(path, 0o600);
    return known.trim();
  }
  const token = newToken();
  await writeFile(path, `${token}\n`, { mode: 0o600, flag: "wx" });
  return token;
};
