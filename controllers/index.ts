import type { Kind, Resource } from "../src/engine/ports.ts";
import { virtualMachine } from "./virtualmachine/index.ts";

/** Every kind that is reconciled. */
export const kinds: readonly Kind<Resource>[] = [virtualMachine as unknown as Kind<Resource>];
