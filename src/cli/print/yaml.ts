import { stringify } from "yaml";

/** YAML that kubectl and this program read back as the same value (YAML 1.1 words are quoted). */
export const toYaml = (value: unknown): string =>
  stringify(value, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false });

export const documentsToYaml = (values: readonly unknown[]): string => values.map(toYaml).join("---\n");

export const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
