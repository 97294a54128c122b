import { stringify } from "yaml";

/** A value as a YAML document of its own, which kubectl and this program read back as the same value. */
export const toText = (value: unknown): string =>
  stringify(value, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false });
