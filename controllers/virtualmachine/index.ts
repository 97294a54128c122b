import { annotations, finalizer } from "../../src/api/annotations.ts";
import type { Key } from "../../src/api/resource.ts";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { Decision, Kind, MetadataChange } from "../../src/engine/ports.ts";
import { annotationOf, hostKey, isDeleting, isPaused, siblingKey } from "../shared/objects.ts";
import { deletion } from "./deletion.ts";
import { manage } from "./manage.ts";
import { statusOf } from "./status.ts";
import type { Verdict } from "./verdict.ts";

const refs = (vm: VirtualMachine): readonly Key[] => {
  const host = annotationOf(vm, annotations.host) ?? vm.spec.host;
  const order = vm.spec.boot?.order ?? [];
  const names = (type: string) => order.filter((entry) => entry.type === type).map(({ name }) => name);
  const disks = new Set([...(vm.spec.waitFor?.disks ?? []), ...names("Disk")]);
  const adapters = new Set([...(vm.spec.waitFor?.networkAdapters ?? []), ...names("NetworkAdapter")]);
  return [
    ...(host === undefined ? [] : [hostKey(host)]),
    ...[...disks].map((name) => siblingKey(vm, "VirtualDisk", name)),
    ...[...adapters].map((name) => siblingKey(vm, "NetworkAdapter", name)),
  ];
};

/** Finalizer and placement in one write, before anything is done on a host. */
const claim = (vm: VirtualMachine, host: string | undefined): MetadataChange | undefined => {
  if (host === undefined || isDeleting(vm)) return undefined;
  const finalizers = vm.metadata.finalizers ?? [];
  const held = finalizers.includes(finalizer);
  if (held && annotationOf(vm, annotations.host) === host) return undefined;
  return { finalizers: held ? finalizers : [...finalizers, finalizer], annotations: { [annotations.host]: host } };
};

const joined = (a: MetadataChange | undefined, b: MetadataChange | undefined): MetadataChange | undefined =>
  a && b ? { ...b, ...a, annotations: { ...b.annotations, ...a.annotations } } : (a ?? b);

const decide: Kind<VirtualMachine>["decide"] = (vm, world) => {
  const { verdict, host } = isDeleting(vm) ? { verdict: deletion(vm, world), host: undefined } : manage(vm, world);
  const metadata = joined(claim(vm, host), isPaused(vm) ? undefined : verdict.metadata);
  const held = metadata !== undefined || (isPaused(vm) && verdict.act?.do === "job");
  return decision(vm, verdict, {
    ...(metadata && { metadata }),
    act: held ? { do: "nothing" } : (verdict.act ?? { do: "nothing" }),
    status: statusOf(vm, world, verdict, host ?? vm.status?.host),
  });
};

const decision = (
  _vm: VirtualMachine,
  verdict: Verdict,
  rest: Pick<Decision, "metadata" | "act" | "status">,
): Decision => ({
  ...rest,
  plan: verdict.plan ?? [],
  ...(verdict.wakeAfterMs !== undefined && { wakeAfterMs: verdict.wakeAfterMs }),
  ...(verdict.events && { events: verdict.events }),
});

/** A Hyper-V virtual machine: its settings, DVD drives and power. Disks and adapters are kinds of their own. */
export const virtualMachine: Kind<VirtualMachine> = { kind: "VirtualMachine", refs, decide };
