import type { VirtualMachine } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { World } from "../../src/engine/ports.ts";
import { accessTo } from "../shared/access.ts";
import { isPaused, placementOf } from "../shared/objects.ts";
import { create } from "./absent.ts";
import { identify } from "./identity.ts";
import type { Identity } from "./identity.ts";
import { present, sightOf } from "./present.ts";
import { keptTrio } from "./verdict.ts";
import type { Scene, Verdict } from "./verdict.ts";

/** A verdict, and the host that the object is placed on. */
export interface Managed {
  readonly verdict: Verdict;
  readonly host?: string;
}

/** A machine that is wanted: placed, looked at, and brought to what its spec says. */
export const manage = (vm: VirtualMachine, world: World): Managed => {
  const identity = identify(vm, world);
  const host = placementOf(vm, world) ?? (identity.at === "found" ? identity.host : undefined);
  if (host === undefined) {
    return { verdict: { trio: conditions.waiting("WaitingForHost", "No host yet.") } };
  }
  const verdict = onHost(vm, world, host, identity);
  return { host, verdict: isPaused(vm) ? { ...verdict, trio: keptTrio(vm, "Paused.") } : verdict };
};

const onHost = (vm: VirtualMachine, world: World, hostName: string, identity: Identity): Verdict => {
  const access = accessTo(world, hostName);
  switch (access.at) {
    case "missing":
      return { trio: conditions.waiting("WaitingForReference", access.message) };
    case "soon":
      return { trio: keptTrio(vm, access.message) };
    case "down":
      return { trio: conditions.unknownHost(access.message) };
    case "up": {
      const { host, view, snapshot } = access;
      return known({ vm, world, hostName, host, view, snapshot }, identity);
    }
    default:
      return access satisfies never;
  }
};

const known = (scene: Scene, identity: Identity): Verdict => {
  const { vm, view, hostName, snapshot } = scene;
  const doubt = view.uncertain(vm.metadata.uid);
  if (doubt) {
    const trio = conditions.waiting("Retrying", `Looked at again: ${doubt.message}`);
    return { trio, act: { do: "look", host: hostName } };
  }
  if (identity.at === "found") {
    if (identity.host !== hostName) {
      const message = `The machine is on host ${identity.host}, not on ${hostName}.`;
      return { trio: conditions.stalled("HostMismatch", message), sight: sightOf(scene, identity.state) };
    }
    if (snapshot.unknownIds.has(identity.state.id)) {
      return { trio: keptTrio(vm, "The machine could not be read."), act: { do: "look", host: hostName } };
    }
    return present(scene, identity.state);
  }
  const job = view.job(vm.metadata.uid);
  if (job) return { trio: conditions.progressing(`${job.operation} runs.`) };
  if (!snapshot.complete) return { trio: keptTrio(vm, `Host ${hostName} could not be read completely.`) };
  return create(scene);
};
