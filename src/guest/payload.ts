import { base64url } from "jose";

/** One line of a configuration: a key and its plain value. */
export type Line = readonly [key: string, value: string];

/** The plaintext of a configuration: lines `key b64url(value)`; docs/guest-protocol.md, section 5. */
export const payloadText = (lines: readonly Line[]): string =>
  lines.map(([key, value]) => `${key} ${base64url.encode(value)}\n`).join("");
