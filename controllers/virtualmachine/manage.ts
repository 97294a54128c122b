import type { VirtualMachine, VMHost } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import { placeVirtualMachine } from "../../src/engine/placementRequest.ts";
import type { Blocked, Step, World } from "../../src/engine/ports.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { accessTo } from "../shared/access.ts";
import { hostObject, isPaused, recordedPlacement } from "../shared/objects.ts";
import { create, creationPlan } from "./absent.ts";
import { adoptable, adoption, wasAdopted } from "./adopt.ts";
import { identify, unknownHosts } from "./identity.ts";
import type { Identity } from "./identity.ts";
import { changedIdentity, lostStamp } from "./ownership.ts";
import { present, sightOf } from "./present.ts";
import { vanished } from "./recover.ts";
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
  const place = hostFor(vm, world, identity);
  if (typeof place !== "string") return { verdict: { trio: blockedTrio(place) } };
  const verdict = onHost(vm, world, place, identity);
  return { host: place, verdict: isPaused(vm) ? { ...verdict, trio: keptTrio(vm, "Paused.") } : verdict };
};

const blockedTrio = ({ at, reason, message }: Blocked) =>
  at === "waiting" ? conditions.waiting(reason, message) : conditions.stalled(reason, message);

/** Where the machine is placed: as recorded; where it was found; where the one to adopt is; else the scheduler's choice. */
const hostFor = (vm: VirtualMachine, world: World, identity: Identity): string | Blocked => {
  // A cluster moves its machines as it likes: the object follows.
  if (identity.at === "found" && identity.state.clustered) return identity.host;
  const placed = recordedPlacement(vm, world);
  if (placed !== undefined) return placed;
  if (identity.at === "found" || identity.at === "lost" || identity.at === "changed") return identity.host;
  if (vm.spec.host !== undefined && (vm.spec.adopt || vm.spec.managementPolicy === "Observe")) return vm.spec.host;
  if (vm.spec.adopt) return hostToAdoptFrom(vm, world);
  if (vm.spec.managementPolicy === "Observe") {
    return { at: "waiting", reason: "NotCreated", message: "Only observed, and no host has the machine." };
  }
  const chosen = placeVirtualMachine(vm, world);
  return chosen.at === "placed" ? chosen.host : chosen;
};

const hostToAdoptFrom = (vm: VirtualMachine, world: World): string | Blocked => {
  const [first, ...more] = [...new Set(adoptable(vm, world, undefined).map(({ host }) => host))];
  if (more.length > 0) {
    const message = `Several hosts have such a machine: ${[first, ...more].join(", ")}. Set spec.host.`;
    return { at: "stalled", reason: "OwnershipAmbiguous", message };
  }
  if (first !== undefined) return first;
  const unknown = unknownHosts(world);
  return unknown.length > 0
    ? { at: "waiting", reason: "HostUnreachable", message: `Not found yet; not looked at: ${unknown.join(", ")}.` }
    : { at: "stalled", reason: "NotFound", message: "No host has the machine to adopt." };
};

const onHost = (vm: VirtualMachine, world: World, hostName: string, identity: Identity): Verdict => {
  const access = accessTo(world, hostName);
  switch (access.at) {
    case "missing":
      return { trio: conditions.waiting("WaitingForReference", access.message) };
    case "soon":
      return { plan: unseenPlan(vm, world, hostName), trio: keptTrio(vm, access.message) };
    case "down":
      return { plan: unseenPlan(vm, world, hostName), trio: conditions.unknownHost(access.message) };
    case "up": {
      const { host, view, snapshot } = access;
      return looked({ vm, world, hostName, host, view, snapshot }, identity);
    }
    default:
      return access satisfies never;
  }
};

/** The plan on a host that can't be seen: all of a machine that never was; of one that was, nothing is known. */
const unseenPlan = (vm: VirtualMachine, world: World, hostName: string): readonly Step[] => {
  const host = hostObject(world, hostName);
  return host && vm.status?.id === undefined && !vm.spec.adopt ? creationPlan({ vm, host }) : [];
};

/** The host answers: what is to be done, by what is known of the machine. */
const looked = (scene: Scene, identity: Identity): Verdict => {
  const { vm, view, hostName } = scene;
  const doubt = view.uncertain(vm.metadata.uid);
  if (doubt) {
    const trio = conditions.waiting("Retrying", `Looked at again: ${doubt.message}`);
    return { trio, act: { do: "look", host: hostName } };
  }
  switch (identity.at) {
    case "ambiguous": {
      const all = identity.places.map(({ host, state }) => `${state.name} (${state.id}) on ${host}`).join(", ");
      const message = `Several machines carry this object's mark: ${all}. Remove it from the copy.`;
      return { trio: conditions.stalled("OwnershipAmbiguous", message) };
    }
    case "found":
      return identity.host === hostName ? found(scene, identity.state) : elsewhere(hostName, identity);
    case "lost":
      if (vm.spec.adopt && !wasAdopted(vm)) return absent(scene);
      return identity.host === hostName
        ? unbusy(scene, () => lostStamp(scene, identity.state))
        : elsewhere(hostName, identity);
    case "changed":
      return identity.host === hostName
        ? unbusy(scene, () => changedIdentity(scene, identity.state, identity.uid))
        : elsewhere(hostName, identity);
    case "nowhere":
      return absent(scene);
    default:
      return identity satisfies never;
  }
};

const elsewhere = (hostName: string, { host, state }: { readonly host: string; readonly state: VmState }): Verdict => {
  const message = `The machine ${state.name} (${state.id}) is on host ${host}, not on ${hostName}. Move it back.`;
  return { trio: conditions.stalled("HostMismatch", message) };
};

/** Nothing is decided beside a job that runs. */
const unbusy = ({ vm, view }: Scene, decide: () => Verdict): Verdict => {
  const job = view.job(vm.metadata.uid);
  return job ? { trio: conditions.progressing(`${job.operation} runs.`) } : decide();
};

const found = (scene: Scene, state: VmState): Verdict => {
  const { vm, host, snapshot, hostName } = scene;
  const sight = sightOf(scene, state);
  if (snapshot.unknownIds.has(state.id) || snapshot.unknownParts.has("vms")) {
    const trio = keptTrio(vm, "The machine could not be read.");
    return { sight, trio, act: { do: "look", host: hostName } };
  }
  const reason = observedBecause(vm, host, state);
  if (reason !== undefined) return { sight, pending: [], approval: {}, trio: conditions.observed(reason) };
  return isHalfMade(scene, state) ? { ...unbusy(scene, () => create(scene)), sight } : present(scene, state);
};

/**
 * Stamped, but a vm.create was cut off before it named the machine, its last effect: the same job is sent again, since only it gives
 * the settings that no spec declares their defaults.
 */
const isHalfMade = ({ vm }: Scene, { name, state }: VmState): boolean =>
  state === "Off" && name.toLowerCase() === `aetherv-${vm.metadata.uid}`;

const observedBecause = (vm: VirtualMachine, host: VMHost, state: VmState): string | undefined => {
  if (vm.spec.managementPolicy === "Observe") return "managementPolicy is Observe.";
  if (host.spec.managementPolicy === "Observe") return "The managementPolicy of its host is Observe.";
  return state.clustered ? "The machine belongs to a failover cluster and is only observed." : undefined;
};

/** No machine of ours is known. Unknown is not absent. */
const absent = (scene: Scene): Verdict => {
  const { vm, world, host, snapshot, hostName } = scene;
  const fresh = vm.spec.adopt && !wasAdopted(vm);
  if (fresh) return unbusy(scene, () => adoption(scene, adoptable(vm, world, hostName)));
  if (vm.spec.managementPolicy === "Observe") {
    return { trio: conditions.waiting("NotCreated", `Only observed, and host ${hostName} does not have the machine.`) };
  }
  const plan = creationPlan(scene);
  if (!snapshot.complete) return { plan, trio: keptTrio(vm, `Host ${hostName} could not be read completely.`) };
  const id = vm.status?.id;
  return unbusy(scene, () => {
    if (host.spec.managementPolicy === "Observe") {
      return {
        plan,
        trio: conditions.stalled("NotAllowed", `VMHost ${hostName} is only observed (managementPolicy).`),
      };
    }
    return id === undefined ? create(scene) : vanished(scene, id);
  });
};
