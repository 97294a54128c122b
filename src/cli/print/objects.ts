import { annotations as names } from "../../api/annotations.ts";
import { kindInfo, type Kind } from "../../api/kinds.ts";
import type { PrinterColumn } from "../../api/schema.ts";
import type { Condition, Resource } from "../../api/resource.ts";
import { bytesText } from "../../api/quantity.ts";
import { age } from "./age.ts";
import type { Colours } from "./colour.ts";
import { valueAt } from "./jsonpath.ts";

export interface RowOptions {
  readonly wide: boolean;
  /** A NAMESPACE column before the name. */
  readonly namespaces: boolean;
  /** Names as `virtualmachine.aetherv.io/web`. */
  readonly qualified: boolean;
  readonly now: Date;
  readonly colours: Colours;
}

const columnsOf = (kind: string, wide: boolean): readonly PrinterColumn[] =>
  kindInfo(kind as Kind).printerColumns.filter((column) => wide || (column.priority ?? 0) === 0);

export const headersOf = (kind: string, options: RowOptions): readonly string[] => [
  ...(options.namespaces ? ["NAMESPACE"] : []),
  "NAME",
  ...columnsOf(kind, options.wide).map((column) => column.name.toUpperCase()),
];

/** One object as a row under `headersOf` its kind, by the CRD's printer columns. */
export const rowOf = (object: Resource, options: RowOptions): readonly string[] => {
  const { name, namespace } = object.metadata;
  return [
    ...(options.namespaces ? [namespace ?? ""] : []),
    options.qualified ? `${kindInfo(object.kind as Kind).singular}.aetherv.io/${name}` : name,
    ...columnsOf(object.kind, options.wide).map((column) => cell(object, column, options)),
  ];
};

const cell = (object: Resource, column: PrinterColumn, { now, colours }: RowOptions): string => {
  const value = valueAt(object, column.jsonPath);
  if (column.type === "date") return typeof value === "string" ? age(value, now) : "<unknown>";
  // A disk made of an image has no size in its spec: the size it got says more than nothing.
  if (value === undefined && column.jsonPath === ".spec.size") return sizeCell(object);
  const text = value === undefined || value === null ? "" : Array.isArray(value) ? value.join(",") : scalar(value);
  if (column.name === "Reason" && isPaused(object) && text !== "Paused") return `${text} (paused)`.trimStart();
  return column.name === "Ready" ? readyColour(object, text, colours) : text;
};

const isPaused = ({ metadata }: Resource): boolean => metadata.annotations?.[names.paused] === "true";

const scalar = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const sizeCell = (object: Resource): string => {
  const size = valueAt(object, ".status.size");
  return typeof size === "number" ? bytesText(size).replace(/ ([KMGT])iB$/, "$1i") : "";
};

const readyColour = (object: Resource, text: string, colours: Colours): string => {
  if (text === "True") return colours.green(text);
  return conditionOf(object, "Stalled")?.status === "True" ? colours.red(text) : colours.yellow(text);
};

export const conditionsOf = (object: Resource): readonly Condition[] => {
  const status = object.status as { conditions?: readonly Condition[] } | undefined;
  return status?.conditions ?? [];
};

export const conditionOf = (object: Resource, type: string): Condition | undefined =>
  conditionsOf(object).find((condition) => condition.type === type);

/** Ready for the generation that is declared now. */
export const isReady = (object: Resource): boolean => {
  const ready = conditionOf(object, "Ready");
  const seen = (object.status as { observedGeneration?: number } | undefined)?.observedGeneration;
  return (
    ready?.status === "True" &&
    (seen ?? object.metadata.generation) >= object.metadata.generation &&
    object.metadata.deletionTimestamp === undefined
  );
};
