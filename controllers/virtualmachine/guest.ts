import { annotations } from "../../src/api/annotations.ts";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { condition, findCondition } from "../../src/engine/conditions.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import type {
  GuestConfigs,
  GuestHeard,
  GuestReport,
  GuestSources,
  MetadataChange,
  PublishedConfig,
  Step,
} from "../../src/engine/ports.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { annotationOf, compact, ownerOf } from "../shared/objects.ts";
import type { DiskDevice } from "./devices.ts";
import { silentMessage } from "./medium.ts";
import type { Scene, Sight } from "./verdict.ts";

export type GuestStatus = NonNullable<NonNullable<VirtualMachine["status"]>["guest"]>;

/** What guest configuration comes to at one look. */
export interface GuestVerdict {
  readonly condition?: ConditionDraft;
  /** How it shows in Ready while all else is as declared; absent: it holds nothing up. */
  readonly trio?: readonly ConditionDraft[];
  readonly step?: Step;
  readonly metadata?: MetadataChange;
  /** Replaces status.guest, but for os and hostname. */
  readonly status?: GuestStatus;
  /** Something is under way in the guest: the host is looked at before its next inventory. */
  readonly look?: boolean;
  /** The system runs, and no agent speaks. */
  readonly silent?: true;
}

/** The guest and its heartbeat may be silent so long after a boot before it counts, milliseconds. */
const patienceMs = 300_000;

/** Everything that is known when the configuration's content is. */
interface Known {
  readonly scene: Scene;
  readonly sight: Sight;
  readonly state: VmState;
  readonly guests: GuestConfigs;
  readonly sources: GuestSources;
  readonly digest: string;
  /** Of the present content. */
  readonly generation: number;
  readonly published: readonly PublishedConfig[];
}

/** What the guest's configuration needs now. Pure: what is not known yet is asked for and wakes the machine's key. */
export const guestVerdict = (scene: Scene, sight: Sight): GuestVerdict => {
  const { vm, world } = scene;
  const { state } = sight;
  const { guests } = world;
  if (!guests) return vm.spec.guest ? pending("No configuration can be sealed here.") : {};
  const published = guests.published(state.kvp?.host ?? {});
  if (!vm.spec.guest) return leftOver(vm, state, published);
  const sources = sourcesOf(vm, sight);
  const content = guests.content(vm, sources);
  if (content.at === "soon") return waits(vm, "GuestConfigurationPending", "The configuration is being put together.");
  if (content.at !== "known") return blocked(content);
  const generation = counterOf(vm);
  const heard = guests.heard(state.kvp?.guest ?? {});
  const raised = raisedGeneration({ vm, state, digest: content.digest, generation, heard });
  const known = { scene, sight, state, guests, sources, digest: content.digest, generation, published };
  if (raised !== undefined) return { ...unspoken(known, heard), metadata: raised };
  if (state.state !== "Running") return atRest(known);
  return heard.at === "heard" ? spoken(known, heard.report) : unspoken(known, heard);
};

const pending = (message: string): GuestVerdict => ({
  condition: condition("GuestConfigured", "False", "GuestConfigurationPending", message),
});

const waits = (vm: VirtualMachine, reason: string, message: string): GuestVerdict => {
  const last = findCondition(vm.status?.conditions, "GuestConfigured");
  // While the content is read again after a restart of this process, what was known stays.
  if (last && reason === "GuestConfigurationPending" && last.status === "True")
    return { condition: condition("GuestConfigured", last.status, last.reason, last.message) };
  return {
    condition: condition("GuestConfigured", "False", reason, message),
    trio: conditions.waiting(reason, `Guest: ${message}`),
  };
};

const blocked = ({
  at,
  reason,
  message,
}: {
  at: "waiting" | "stalled";
  reason: string;
  message: string;
}): GuestVerdict => ({
  condition: condition("GuestConfigured", "False", reason, message),
  trio: at === "waiting" ? conditions.waiting(reason, message) : conditions.stalled(reason, message),
});

/** Not declared any more: what lies ready is taken away, the guest stays as it was configured last, and its key stays pinned. */
const leftOver = (vm: VirtualMachine, state: VmState, published: readonly PublishedConfig[]): GuestVerdict => {
  const step = clearStep(vm, state, published);
  const { os, hostname, keyFingerprint, vmId } = vm.status?.guest ?? {};
  return { ...(step && { step }), status: compact({ os, hostname, keyFingerprint, vmId }) as GuestStatus };
};

const sourcesOf = (vm: VirtualMachine, { devices }: Sight): GuestSources => {
  const boot = vm.spec.boot?.order.find(({ type }) => type === "Disk")?.name;
  const disk = devices.disks.find(({ object }) => object.metadata.name === boot);
  return {
    adapters: devices.adapters
      .filter(({ object }) => object.metadata.deletionTimestamp === undefined)
      .map(({ object, attached }) => ({ object, macAddress: macOf(attached?.macAddress) })),
    ...(boot !== undefined && { rootDiskBytes: sizeOf(disk) }),
  };
};

const macOf = (address: string | undefined): string | undefined => (address === "000000000000" ? undefined : address);

const sizeOf = (disk: DiskDevice | undefined): number | "unknown" => disk?.object.status?.size ?? "unknown";

/** The counter goes up when the content changed, and above what the guest has seen already (a restored control plane). */
const raisedGeneration = ({
  vm,
  state,
  digest,
  generation,
  heard,
}: {
  readonly vm: VirtualMachine;
  readonly state: VmState;
  readonly digest: string;
  readonly generation: number;
  readonly heard: GuestHeard;
}): MetadataChange | undefined => {
  const pinned = heard.at === "heard" && isPinned(vm, state, heard.report) ? heard.report : undefined;
  // A refused one is what somebody put there, not what the guest came to.
  const seen = pinned && pinned.step !== "open" ? pinned.generation : 0;
  const changed = annotationOf(vm, annotations.guestDigest) !== digest;
  if (!changed && generation > 0 && seen <= generation) return undefined;
  const next = Math.max(seen, generation) + 1;
  return { annotations: { [annotations.guestGeneration]: String(next), [annotations.guestDigest]: digest } };
};

/** The counter in its annotation; what is no such number counts as none, and is written anew. */
const counterOf = (vm: VirtualMachine): number =>
  Number(/^(?:[1-9]\d{0,8}|1\d{9})$/.exec(annotationOf(vm, annotations.guestGeneration) ?? "")?.[0] ?? 0);

const isPinned = (vm: VirtualMachine, state: VmState, { key }: GuestReport): boolean =>
  vm.status?.guest?.keyFingerprint === key.fingerprint && vm.status.guest.vmId === state.id;

/** Not running: what was applied stays applied; a machine that is declared so is not held up. */
const atRest = ({ scene: { vm }, generation }: Known): GuestVerdict => {
  if (vm.status?.guest?.appliedGeneration === generation) return { condition: applied(generation) };
  return { condition: condition("GuestConfigured", "False", "Waiting", "The machine does not run.") };
};

const applied = (generation: number): ConditionDraft =>
  condition("GuestConfigured", "True", "Applied", `Generation ${generation} is applied.`);

/** The guest agent has said nothing that can be used. */
const unspoken = ({ scene, sight, state, generation }: Known, heard: GuestHeard): GuestVerdict => {
  const { vm, world } = scene;
  const booted = Date.parse(state.startedAt ?? "");
  const early = !Number.isFinite(booted) || world.now.getTime() - booted < patienceMs;
  // Silence does not undo what was applied.
  if (vm.status?.guest?.appliedGeneration === generation && heard.at !== "heard")
    return { condition: applied(generation) };
  if (heard.at === "torn")
    return { ...waits(vm, "Waiting", `The guest's answer is not readable yet: ${heard.why}.`), look: true };
  if (heard.at === "heard") return { ...waits(vm, "Waiting", "The configuration changed."), look: true };
  if (early || state.heartbeat !== "OK")
    return { ...waits(vm, "Waiting", "The guest agent has not answered yet."), look: early };
  return { ...waits(vm, "KvpSilent", silentMessage(scene, sight)), silent: true };
};

/** The guest agent speaks. */
const spoken = (known: Known, report: GuestReport): GuestVerdict => {
  const { scene, state } = known;
  const before = scene.vm.status?.guest ?? {};
  const sameVm = before.vmId === state.id;
  const changed = sameVm && before.keyFingerprint !== undefined && before.keyFingerprint !== report.key.fingerprint;
  if (changed && annotationOf(scene.vm, annotations.approveGuestKey) !== report.key.fingerprint)
    return keyChanged(report);
  // What was published for another key, or to another machine, is not for this one.
  const kept = sameVm && !changed ? before : {};
  const status = compact({
    version: report.version,
    generation: kept.generation,
    appliedGeneration: kept.appliedGeneration,
    keyFingerprint: report.key.fingerprint,
    vmId: state.id,
    hash: kept.hash,
    facts: Object.keys(report.facts).length > 0 ? { ...report.facts } : undefined,
  }) as GuestStatus;
  return isApplied(known, report, status)
    ? done(known, report, status)
    : { ...toBeApplied(known, report, status), look: report.state !== "Failed" };
};

const keyChanged = ({ key: { fingerprint } }: GuestReport): GuestVerdict => {
  const how = `If the guest was reinstalled on purpose, annotate the VM: ${annotations.approveGuestKey}=${fingerprint}`;
  const message = `The guest shows another key than before. ${how}`;
  return {
    condition: condition("GuestConfigured", "False", "KeyChanged", message),
    trio: conditions.stalled("GuestKeyChanged", message),
  };
};

const isApplied = ({ generation }: Known, report: GuestReport, status: GuestStatus): boolean =>
  report.state === "Applied" &&
  report.generation === generation &&
  status.generation === generation &&
  report.hash === status.hash;

const done = (
  { scene: { vm }, state, generation, published }: Known,
  _report: GuestReport,
  status: GuestStatus,
): GuestVerdict => {
  const step = clearStep(vm, state, published);
  return {
    condition: applied(generation),
    status: { ...status, appliedGeneration: generation },
    ...(step && { step, look: true }),
  };
};

const toBeApplied = (known: Known, report: GuestReport, status: GuestStatus): GuestVerdict => {
  const { scene, state, generation, published, guests, sources, digest } = known;
  const { vm } = scene;
  const ready = published.find((one) => one.generation === generation && one.hash === status.hash);
  if (ready && status.generation === generation) {
    const others = clearStep(
      vm,
      state,
      published.filter((one) => one !== ready),
    );
    return { ...progress(vm, report, ready), status, ...(others && { step: others }) };
  }
  const order = { digest, vmId: state.id, generation, guestKey: report.key };
  const sealed = guests.sealed(vm, sources, order);
  if (sealed.at === "soon") return { ...waits(vm, "Waiting", "The configuration is being sealed."), status };
  const step: Step<"guest.publish"> = {
    operation: "guest.publish",
    spec: {
      owner: ownerOf(vm),
      vmId: state.id,
      items: Object.fromEntries(sealed.items.map(({ key, value }) => [key, value])),
      order: sealed.items.map(({ key }) => key),
    },
    effect: "Hot",
    changes: [{ path: "spec.guest", to: `generation ${generation}` }],
  };
  const next = { ...status, generation, hash: sealed.hash };
  return { ...waits(vm, "Waiting", `Generation ${generation} is published.`), status: next, step };
};

/** It lies ready for the guest: how far the guest is with it. */
const progress = (vm: VirtualMachine, report: GuestReport, { generation, hash }: PublishedConfig): GuestVerdict => {
  if (report.hash !== hash || report.generation !== generation) {
    const refused =
      report.state === "Failed" && report.step === "open" ? ` It refused another one: ${report.error}` : "";
    return waits(vm, "Waiting", `The guest has not taken up generation ${generation} yet.${refused}`);
  }
  switch (report.state) {
    case "Applying":
      return waits(vm, "Applying", `Generation ${generation}: ${report.step}.`);
    case "Rebooting":
      return waits(vm, "Rebooting", `Generation ${generation}: the guest restarts at ${report.step}.`);
    case "Failed": {
      const message = `Generation ${generation} failed at ${report.step}: ${report.error}`;
      return {
        condition: condition("GuestConfigured", "False", "Failed", message),
        trio: conditions.stalled("Failed", `Guest: ${message}`),
      };
    }
    case "Waiting":
    case "Applied":
      return waits(vm, "Waiting", `The guest is ${report.state} with generation ${generation}.`);
    default:
      return report.state satisfies never;
  }
};

const clearStep = (vm: VirtualMachine, state: VmState, configs: readonly PublishedConfig[]): Step | undefined =>
  configs.length === 0
    ? undefined
    : {
        operation: "guest.clear",
        spec: { owner: ownerOf(vm), vmId: state.id, keys: configs.flatMap(({ keys }) => [...keys]) },
        effect: "Hot",
        changes: [],
      };
