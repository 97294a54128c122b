import { durationMs, layoutOf } from "../../controllers/shared/layout.ts";
import type { VMHost } from "../api/generated/types.ts";
import type { HostSettings } from "../engine/ports.ts";

/** A host as its VMHost object wants it reached and used. */
export const hostSettings = (host: VMHost): HostSettings => ({
  name: host.metadata.name,
  uid: host.metadata.uid,
  layout: layoutOf(host),
  networks: (host.spec.networks ?? []).map(({ name, switchName }) => ({ name, switchName })),
  concurrency: host.spec.concurrency,
  longConcurrency: host.spec.longConcurrency,
  inventoryIntervalMs: durationMs(host.spec.inventoryInterval),
  connectionHash: JSON.stringify([host.spec.driver, host.spec.connection]),
});
