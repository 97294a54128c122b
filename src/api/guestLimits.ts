import type { VirtualMachineSpec } from "./generated/types.ts";

/** What a guest section says in texts and Secrets. */
export type GuestValues = Omit<NonNullable<VirtualMachineSpec["guest"]>, "growFilesystems">;

/** Bytes in UTF-8 that files and scripts of a guest hold together at most. */
export const mostContentBytes = 65_536;
/** Bytes of a password or of the name of an account: openssl's and Windows' own limit. */
export const mostPasswordBytes = 256;

/** A value of a guest section with its size in bytes. */
export interface SizedValue {
  /** Field that declares it, with its index. */
  readonly path: string;
  readonly is: "content" | "password";
  readonly bytes: number;
}

export interface SizeProblem {
  readonly path: string;
  readonly message: string;
}

/** The first value that is too large, or the largest of contents that are too large together; undefined when all fit. */
export const tooLarge = (values: readonly SizedValue[]): SizeProblem | undefined => {
  const long = values.find(({ is, bytes }) => is === "password" && bytes > mostPasswordBytes);
  if (long) return { path: long.path, message: `has ${long.bytes} bytes; at most ${mostPasswordBytes} are possible` };
  const contents = values.filter(({ is }) => is === "content");
  const sum = contents.reduce((all, { bytes }) => all + bytes, 0);
  if (sum <= mostContentBytes) return undefined;
  const largest = contents.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const message = `has ${largest.bytes} bytes; files and scripts hold ${sum} bytes together, at most ${mostContentBytes} are possible`;
  return { path: largest.path, message };
};

/** Size of a Secret's value; undefined where it is not known. */
export type SecretSize = (name: string, key: string) => number | undefined;

/** All values of a guest section whose size is known. */
export const sizedValues = (guest: GuestValues, secretSize: SecretSize): readonly SizedValue[] => {
  const ofSecret = (path: string, is: SizedValue["is"], ref: Ref | undefined): readonly SizedValue[] => {
    const bytes = ref && secretSize(ref.name, ref.key);
    return bytes === undefined ? [] : [{ path, is, bytes }];
  };
  const { localAdministrator: admin, domainJoin, files = [], scripts = [] } = guest;
  const join = (key: string): Ref | undefined => domainJoin && { name: domainJoin.credentialsSecretRef.name, key };
  return [
    ...ofSecret("localAdministrator.passwordSecretRef", "password", admin?.passwordSecretRef),
    ...["username", "password"].flatMap((key) => ofSecret("domainJoin.credentialsSecretRef", "password", join(key))),
    ...files.flatMap(({ content, contentSecretRef }, at) => [
      ...inline(`files[${at}].content`, content),
      ...ofSecret(`files[${at}].contentSecretRef`, "content", contentSecretRef),
    ]),
    ...scripts.flatMap(({ inline: text, secretRef }, at) => [
      ...inline(`scripts[${at}].inline`, text),
      ...ofSecret(`scripts[${at}].secretRef`, "content", secretRef),
    ]),
  ];
};

interface Ref {
  readonly name: string;
  readonly key: string;
}

const inline = (path: string, text: string | undefined): readonly SizedValue[] =>
  text === undefined ? [] : [{ path, is: "content", bytes: new TextEncoder().encode(text).length }];
