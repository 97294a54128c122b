import { stringify, type Scalar } from "yaml";

/** How a file lays out what it nests. */
export interface Layout {
  /** Columns of one level. */
  readonly step: number;
  /** Whether items stand further right than the key that they belong to. */
  readonly indentSeq: boolean;
}

const plainLayout: Layout = { step: 2, indentSeq: true };

/** A value as a YAML document of its own, which kubectl and this program read back as the same value. */
export const toText = (value: unknown, { step, indentSeq }: Layout = plainLayout): string =>
  stringify(value, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false, indent: step, indentSeq });

/** All lines but the first moved right. */
export const moved = (text: string, columns: number): string =>
  text.replace(/\n(?=[^\n])/g, `\n${" ".repeat(columns)}`);

const lines = (value: unknown, column: number, layout: Layout): string =>
  moved(toText(value, layout).replace(/\n$/, ""), column);

/** A new member of a block map whose keys stand at the column; without the indentation of its first line. */
export const pairText = (key: string, value: unknown, column: number, layout: Layout): string =>
  lines({ [key]: value }, column, layout);

/** A new item of a block sequence whose dashes stand at the column. */
export const itemText = (value: unknown, column: number, layout: Layout): string => lines([value], column, layout);

/** A scalar on one line in the way in which the one before was written; undefined when it takes several. */
export const scalarText = (value: unknown, before: Scalar | undefined): string | undefined => {
  if (typeof value !== "string") return toText(value).trimEnd();
  if (/[\n\r]/.test(value)) return undefined;
  switch (before?.type) {
    case "QUOTE_DOUBLE":
      return JSON.stringify(value);
    case "QUOTE_SINGLE":
      return `'${value.replaceAll("'", "''")}'`;
    default:
      return toText(value).trimEnd();
  }
};

/** A value within brackets. */
export const flowText = (value: unknown): string => {
  const plain = typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(value) ? toText(value).trimEnd() : "";
  return plain === value ? plain : JSON.stringify(value);
};
