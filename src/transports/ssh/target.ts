import ssh2 from "ssh2";
import { TransportError } from "../../engine/ports.ts";
import { fault } from "../../protocol/errors.ts";

/** Where a host's sshd is, and which keys it may show. */
export interface SshTarget {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** `SHA256:...` as ssh-keygen -l prints them; a server that shows no such key gets no credential. */
  readonly hostKeys: readonly string[];
}

export type Login =
  | { readonly at: "key"; readonly key: string; readonly passphrase?: string }
  | { readonly at: "password"; readonly password: string };

export const placeOf = ({ address, port }: SshTarget): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** The public half of a login's key, as authorized_keys wants it. */
export const publicKeyOf = (login: Login): string => {
  if (login.at === "password") throw refused("the login is a password: a host is prepared for a key (ssh-privatekey)");
  const parsed = ssh2.utils.parseKey(login.key, login.passphrase);
  if (parsed instanceof Error) throw refused(`the key can't be used: ${parsed.message}`);
  return `${parsed.type} ${parsed.getPublicSSH().toString("base64")} aetherv`;
};

const refused = (message: string): TransportError => new TransportError(fault("AuthenticationFailed", message));

/**
 * The login that a Secret's data holds: ssh-privatekey (with passphrase, when it is encrypted), else password.
 * Throws AuthenticationFailed, naming the Secret and the keys looked for, never a value.
 */
export const loginOf = (data: Readonly<Record<string, string>>, secret: string): Login => {
  const { "ssh-privatekey": key, passphrase, password } = data;
  if (key !== undefined && key.trim() !== "") {
    const parsed = ssh2.utils.parseKey(key, passphrase);
    // ssh2's messages tell what is wrong with the form, and hold no part of the key.
    if (parsed instanceof Error) throw refused(`Secret ${secret}: ssh-privatekey can't be used: ${parsed.message}`);
    return passphrase === undefined ? { at: "key", key } : { at: "key", key, passphrase };
  }
  if (password !== undefined && password !== "") return { at: "password", password };
  throw refused(`Secret ${secret} has neither ssh-privatekey nor password`);
};
