/** A replica that was not heard: what it did is not in an answer. */
export interface MissingReplica {
  /** Its pod or machine, and something random. */
  readonly name: string;
  readonly why: string;
  /** The hosts that it has, some of them where they are many. */
  readonly hosts: readonly string[];
  readonly hostCount: number;
}

/** Header of a list: which replicas' part is not in it, as JSON with the characters of a URI. A list's body stays a list. */
export const missingHeader = "aetherv-missing-replicas";

export const missingValue = (replicas: readonly MissingReplica[]): string =>
  encodeURIComponent(JSON.stringify(replicas));

/** Those that a header names. */
export const missingIn = (header: string | readonly string[] | undefined | null): readonly MissingReplica[] => {
  if (typeof header !== "string") return [];
  try {
    return JSON.parse(decodeURIComponent(header)) as readonly MissingReplica[];
  } catch {
    return [{ name: "unknown", why: "the note of who was not heard cannot be read", hosts: [], hostCount: 0 }];
  }
};
