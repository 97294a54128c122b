import { annotations } from "../../src/api/annotations.ts";
import type { Step } from "../../src/engine/ports.ts";
import { go } from "../shared/gate.ts";
import { layoutOf } from "../shared/layout.ts";
import { annotationOf, ownerOf } from "../shared/objects.ts";
import type { Found } from "./find.ts";
import type { DiskPlan } from "./plan.ts";
import { deadlines } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** A file of this name whose uid no object has: taken back when the owner says so by that uid, else left alone. */
export const reclaiming = (scene: Scene, { path, uid }: Found & { at: "lost" }): DiskPlan => {
  const { disk, host } = scene;
  if (annotationOf(disk, annotations.reclaim) !== uid) {
    const message = `The file ${path} is this disk by name, but carries uid ${uid}, which no object has. Take it back with the annotation ${annotations.reclaim}: ${uid}.`;
    return { steps: [], blocked: { at: "stalled", reason: "IdentityChanged", message } };
  }
  // Blank without a size: what can't be taken back is refused, and nothing is ever made in its place.
  const step: Step<"disk.create"> = {
    operation: "disk.create",
    spec: { owner: ownerOf(disk), layout: layoutOf(host), type: "Blank", claim: { previousUid: uid } },
    effect: "Hot",
    changes: [{ path: "metadata.uid", from: uid, to: disk.metadata.uid }],
  };
  return { steps: [{ step, gate: go, locks: [disk.metadata.uid], deadlineSeconds: deadlines.short }] };
};
