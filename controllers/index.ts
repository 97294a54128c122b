import type { Kind, Resource } from "../src/engine/ports.ts";
import { managedDeployment } from "./manageddeployment/index.ts";
import { networkAdapter } from "./networkadapter/index.ts";
import { virtualDisk } from "./virtualdisk/index.ts";
import { virtualMachine } from "./virtualmachine/index.ts";
import { vmHost } from "./vmhost/index.ts";

/** Every kind that is reconciled. The engine hands each only resources of its own kind. */
export const kinds: readonly Kind<Resource>[] = [
  vmHost,
  managedDeployment,
  virtualMachine,
  virtualDisk,
  networkAdapter,
] as readonly unknown[] as readonly Kind<Resource>[];
