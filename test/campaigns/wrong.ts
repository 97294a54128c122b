import type { Schema } from "../../src/api/schema.ts";
import type { Field } from "./fields.ts";

/** A value that the field must refuse, or its absence, and why. */
export interface Wrong {
  readonly why: string;
  /** undefined: the field is taken out. */
  readonly value: unknown;
}

const wrong = (why: string, value: unknown): Wrong => ({ why, value });

const otherTypes = (schema: Schema): readonly unknown[] => {
  if (schema["x-kubernetes-int-or-string"]) return [true, {}, [], 1.5];
  switch (schema.type) {
    case "object":
      return ["text", 1, true, []];
    case "array":
      return ["text", 1, {}];
    case "string":
      return [1, true, {}, []];
    case "integer":
      return ["1", true, 1.5, {}, []];
    case "boolean":
      return ["true", 0, {}];
    default:
      throw new Error(`a type that no field had so far: ${schema.type}`);
  }
};

/** Values beyond each bound that the schema names. `value` is one that the field may have. */
export const wrongFor = ({ schema, required }: Field, value: unknown): readonly Wrong[] => [
  ...otherTypes(schema).map((one) => wrong(`of another type: ${JSON.stringify(one)}`, one)),
  ...(required ? [wrong("missing", undefined)] : []),
  ...(schema.enum ? [wrong("none of the enum", schema.type === "integer" ? 77 : "Nope")] : []),
  ...(schema.minimum === undefined ? [] : [wrong("below the minimum", schema.minimum - 1)]),
  ...(schema.maximum === undefined ? [] : [wrong("above the maximum", schema.maximum + 1)]),
  ...wrongTexts(schema),
  ...wrongLists(schema, value),
  ...wrongObjects(schema, value),
];

const wrongTexts = ({ type, enum: allowed, maxLength, minLength, pattern }: Schema): readonly Wrong[] => {
  if (type !== "string" || allowed) return [];
  const misfit = ["\u0001", " ", "/", "?", ""].find(
    (text) => pattern !== undefined && !new RegExp(pattern, "u").test(text),
  );
  return [
    ...(maxLength === undefined ? [] : [wrong("longer than allowed", "a".repeat(maxLength + 1))]),
    ...(minLength === undefined || minLength === 0 ? [] : [wrong("shorter than allowed", "a".repeat(minLength - 1))]),
    ...(misfit === undefined ? [] : [wrong(`not of its pattern: ${JSON.stringify(misfit)}`, misfit)]),
  ];
};

const wrongLists = (schema: Schema, value: unknown): readonly Wrong[] => {
  if (!Array.isArray(value)) return [];
  const { maxItems, minItems } = schema;
  const unique = ["map", "set"].includes(schema["x-kubernetes-list-type"] ?? "");
  return [
    ...(unique && value.length > 0 ? [wrong("an item twice", [...(value as unknown[]), value[0]])] : []),
    ...(maxItems === undefined
      ? []
      : [
          wrong(
            "too many items",
            Array.from({ length: maxItems + 1 }, () => value[0] as unknown),
          ),
        ]),
    ...(minItems === undefined || minItems === 0 ? [] : [wrong("too few items", value.slice(0, minItems - 1))]),
    wrong("an item that is null", [...(value as unknown[]), null]),
  ];
};

const wrongObjects = (schema: Schema, value: unknown): readonly Wrong[] => {
  if (schema.type !== "object" || typeof value !== "object" || value === null) return [];
  if (schema.properties) return [wrong("a member that is no field", { ...value, noSuchField: 1 })];
  const { maxProperties } = schema;
  if (maxProperties === undefined) return [];
  const many = Array.from({ length: maxProperties + 1 }, (_, index) => [`key-${index}`, "x"]);
  return [wrong("too many members", Object.fromEntries(many))];
};
