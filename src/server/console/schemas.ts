import type { JsonSchema } from "./route.ts";

export const refTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
export const listOf = (name: string): JsonSchema => ({ type: "array", items: refTo(name) });
