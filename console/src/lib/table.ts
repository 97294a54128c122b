/** The part of a table that is arithmetic: filters, order, which rows and columns are shown. Pure. */

/** What of a column is not its look. */
export interface ColumnText<T> {
  readonly id: string;
  readonly title: string;
  /** What is sorted and searched by; "" where there is nothing. */
  readonly text: (row: T) => string | number;
  /** Offered as a choice above the table. */
  readonly facet?: boolean;
  /** Smallest width in pixels; 120 unless told. */
  readonly width?: number;
  /** Share of the width that is left; 0 unless told. */
  readonly grow?: number;
  /** Columns of a higher number go first when there is no room; 1 (the default) stays. */
  readonly priority?: number;
}

export interface TableQuery {
  /** Words that a row must all have somewhere. */
  readonly words: string;
  /** Column id, with "-" before it for downwards; "" keeps the order given. */
  readonly sort: string;
  /** Column id -> its text. */
  readonly facets: Readonly<Record<string, string>>;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

const compare = (a: string | number, b: string | number): number => {
  // What has no value comes last, whichever the direction would be upwards.
  if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
  return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
};

const sorted = <T>(rows: readonly T[], columns: readonly ColumnText<T>[], sort: string): readonly T[] => {
  const down = sort.startsWith("-");
  const column = columns.find(({ id }) => id === (down ? sort.slice(1) : sort));
  if (!column) return rows;
  const keyed = rows.map((row, at) => ({ row, at, key: column.text(row) }));
  keyed.sort((a, b) => (down ? -compare(a.key, b.key) : compare(a.key, b.key)) || a.at - b.at);
  return keyed.map(({ row }) => row);
};

const matches = <T>(row: T, columns: readonly ColumnText<T>[], words: readonly string[]): boolean => {
  const text = columns
    .map((column) => String(column.text(row)))
    .join("\u0000")
    .toLowerCase();
  return words.every((word) => text.includes(word));
};

export const wordsIn = (text: string): readonly string[] => text.toLowerCase().split(/\s+/).filter(Boolean);

/** The rows that the query leaves, in its order. */
export const select = <T>(rows: readonly T[], columns: readonly ColumnText<T>[], query: TableQuery): readonly T[] => {
  const words = wordsIn(query.words);
  const facets = Object.entries(query.facets).flatMap(([id, value]) => {
    const column = columns.find((each) => each.id === id);
    return column && value !== "" ? [{ column, value }] : [];
  });
  const isWanted = (row: T): boolean =>
    facets.every(({ column, value }) => String(column.text(row)) === value) &&
    (words.length === 0 || matches(row, columns, words));
  const left = facets.length === 0 && words.length === 0 ? rows : rows.filter(isWanted);
  return query.sort === "" ? left : sorted(left, columns, query.sort);
};

/** The values of a column and how many rows have each; in order. */
export const choices = <T>(rows: readonly T[], column: ColumnText<T>): readonly (readonly [string, number])[] => {
  const counts = new Map<string, number>();
  for (const row of rows) {
    const text = String(column.text(row));
    if (text !== "") counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => collator.compare(a, b));
};

/** Columns that fit, with their widths in pixels. */
export const fit = <C extends ColumnText<never>>(
  columns: readonly C[],
  room: number,
): readonly { column: C; width: number }[] => {
  const least = (column: C): number => column.width ?? 120;
  let left = [...columns];
  const needed = (): number => left.reduce((sum, column) => sum + least(column), 0);
  while (needed() > room) {
    const worst = Math.max(...left.map(({ priority = 1 }) => priority));
    if (worst <= 1) break;
    const at = left.findLastIndex(({ priority = 1 }) => priority === worst);
    left = left.filter((_, index) => index !== at);
  }
  const spare = Math.max(0, room - needed());
  const shares = left.reduce((sum, { grow = 0 }) => sum + grow, 0);
  return left.map((column) => ({
    column,
    width: Math.floor(least(column) + (shares > 0 ? (spare * (column.grow ?? 0)) / shares : spare / left.length)),
  }));
};

export interface View {
  readonly rows: number;
  readonly rowHeight: number;
  readonly scrolled: number;
  readonly height: number;
  /** Rows beyond each edge, so that scrolling and the tab key find them. */
  readonly beyond: number;
}

/** First row shown, and the one after the last. */
export const shown = ({ rows, rowHeight, scrolled, height, beyond }: View): { from: number; to: number } => {
  const first = Math.min(Math.floor(scrolled / rowHeight), Math.max(0, rows - 1));
  const from = Math.max(0, first - beyond);
  return { from, to: Math.min(rows, first + Math.ceil(height / rowHeight) + beyond) };
};

/** The order after a press on a column's head: upwards, downwards, as given. */
export const nextSort = (sort: string, column: string): string =>
  sort === column ? `-${column}` : sort === `-${column}` ? "" : column;
