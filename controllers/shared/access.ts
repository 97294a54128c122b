import type { VMHost } from "../../src/api/generated/types.ts";
import type { HostView, SnapshotView, World } from "../../src/engine/ports.ts";
import { hostObject } from "./objects.ts";

/** Whether a host can be looked at and worked on now. */
export type Access =
  | { readonly at: "up"; readonly host: VMHost; readonly view: HostView; readonly snapshot: SnapshotView }
  /** No VMHost of that name. */
  | { readonly at: "missing"; readonly message: string }
  /** Not connected yet, or missing for less than two intervals: what was said last stands. */
  | { readonly at: "soon"; readonly message: string }
  /** Did not answer for two intervals. */
  | { readonly at: "down"; readonly message: string };

/** What a host is good for right now; the one place that reads reach. */
export const accessTo = (world: World, name: string): Access => {
  const host = hostObject(world, name);
  if (!host) return { at: "missing", message: `There is no VMHost ${name}.` };
  const view = world.host(name);
  if (!view || view.reach.at === "connecting") return { at: "soon", message: `Host ${name} is being connected.` };
  if (view.reach.at === "down") {
    const message = `Host ${name} does not answer: ${view.reach.fault.message}`;
    return view.reach.missed >= 2 ? { at: "down", message } : { at: "soon", message };
  }
  const { snapshot } = view;
  if (!snapshot || (snapshot.inventories === 0 && !snapshot.complete && snapshot.vms.size === 0)) {
    return { at: "soon", message: `Host ${name} has not told yet what it holds.` };
  }
  return { at: "up", host, view, snapshot };
};
