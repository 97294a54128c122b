import { bytesOf, sizeOf } from "../../src/api/quantity.ts";
import type { VirtualMachineSpec } from "../../src/api/generated/types.ts";
import { deepEqual } from "../../src/engine/equal.ts";
import type { Change, Effect } from "../../src/engine/ports.ts";
import type { HostState, VmConfig, VmState } from "../../src/protocol/generated/types.ts";

/**
 * What a field's change is to a running machine: an effect, or Try: sent while it runs, and the host's refusal
 * (RequiresPowerOff) turns it into Restart.
 */
export type RunningEffect = Effect | "Try";

export interface FieldChange {
  readonly change: Change;
  readonly running: RunningEffect;
  /** Possible while the machine is Saved or Paused. */
  readonly frozen?: boolean;
  /** Why it is impossible; set with Forbidden and Recreate. */
  readonly reason?: string;
  /** What vm.update gets. */
  readonly set: VmConfig;
}

/** What is asked of a host that the spec alone does not tell. */
export interface FieldContext {
  readonly spec: VirtualMachineSpec;
  readonly state: VmState;
  readonly host: HostState | undefined;
}

type Row = (context: FieldContext) => readonly FieldChange[];

/** A field as people write it, in spec and in state, and as vm.update takes it. */
interface Plain<T> {
  readonly path: string;
  readonly want: (spec: VirtualMachineSpec) => T | undefined;
  readonly have: (state: VmState) => T | undefined;
  readonly set: (value: T) => VmConfig;
  readonly running: RunningEffect | ((context: FieldContext, want: T) => RunningEffect);
  readonly frozen?: boolean;
  /** Why the host can't have this value, if so. */
  readonly forbidden?: (context: FieldContext, want: T) => string | undefined;
}

const row =
  <T>({ path, want, have, set, running, frozen, forbidden }: Plain<T>): Row =>
  (context) => {
    const [to, from] = [want(context.spec), have(context.state)];
    if (to === undefined || deepEqual(from, to)) return [];
    const reason = forbidden?.(context, to);
    const effect = typeof running === "function" ? running(context, to) : running;
    const change: Change = { path, ...(from !== undefined && { from }), to };
    return reason === undefined
      ? [{ change, running: effect, set: set(to), ...(frozen && { frozen }) }]
      : [{ change, running: "Forbidden", reason, set: {} }];
  };

/** A size: compared in bytes, shown as the user writes it. */
const sizeRow =
  (plain: Plain<string>): Row =>
  (context) => {
    const [want, have] = [plain.want(context.spec), plain.have(context.state)];
    return want !== undefined && have !== undefined && bytesText(have) === bytesText(want) ? [] : row(plain)(context);
  };

const bytesText = (size: string): string => (/[a-zA-Z]$/.test(size) ? String(bytesOf(size)) : size);

/** A size in the spec's own notation; plain bytes where it is no whole number of MiB. */
export const sizeText = (bytes: number): string => sizeOf(bytes) ?? String(bytes);

const uefiOnly = ({ state }: FieldContext): string | undefined =>
  state.generation === 2 ? undefined : "Generation 1 has no UEFI firmware.";

const tooManyProcessors = ({ host }: FieldContext, want: number): string | undefined =>
  host && want > host.capabilities.maximumVmProcessors
    ? `The host gives a machine at most ${host.capabilities.maximumVmProcessors} virtual processors.`
    : undefined;

const cpu: readonly Row[] = [
  row({
    path: "spec.cpu.count",
    want: (spec) => spec.cpu?.count,
    have: (state) => state.cpu.count,
    set: (count) => ({ cpu: { count } }),
    running: "Restart",
    forbidden: tooManyProcessors,
  }),
  row({
    path: "spec.cpu.reservePercent",
    want: (spec) => spec.cpu?.reservePercent,
    have: (state) => state.cpu.reservePercent,
    set: (reservePercent) => ({ cpu: { reservePercent } }),
    running: "Hot",
  }),
  row({
    path: "spec.cpu.limitPercent",
    want: (spec) => spec.cpu?.limitPercent,
    have: (state) => state.cpu.limitPercent,
    set: (limitPercent) => ({ cpu: { limitPercent } }),
    running: "Hot",
  }),
  row({
    path: "spec.cpu.relativeWeight",
    want: (spec) => spec.cpu?.relativeWeight,
    have: (state) => state.cpu.relativeWeight,
    set: (relativeWeight) => ({ cpu: { relativeWeight } }),
    running: "Hot",
  }),
  row({
    path: "spec.cpu.exposeVirtualizationExtensions",
    want: (spec) => spec.cpu?.exposeVirtualizationExtensions,
    have: (state) => state.cpu.exposeVirtualizationExtensions,
    set: (exposeVirtualizationExtensions) => ({ cpu: { exposeVirtualizationExtensions } }),
    running: "Restart",
  }),
  row({
    path: "spec.cpu.compatibilityMode",
    want: (spec) => spec.cpu?.compatibilityMode,
    have: (state) => state.cpu.compatibilityMode,
    set: (compatibilityMode) => ({ cpu: { compatibilityMode } }),
    running: "Restart",
  }),
];

const tooMuchMemory = ({ host }: FieldContext, want: string): string | undefined =>
  host && bytesOf(want) > host.capabilities.maximumVmMemoryBytes
    ? `The host gives a machine at most ${sizeText(host.capabilities.maximumVmMemoryBytes)} of memory.`
    : undefined;

/** Startup memory of a static machine may be changed while it runs if the host and its guest can. */
const startupEffect = ({ spec, state, host }: FieldContext): RunningEffect =>
  spec.memory?.dynamic || state.memory.dynamic || host?.capabilities.hotAddMemory === false ? "Restart" : "Try";

/** Dynamic memory switched on or off; both ends together, since a half-way state is none. */
const dynamicSwitch: Row = ({ spec, state }) => {
  const [want, have] = [spec.memory?.dynamic, state.memory.dynamic];
  if (!spec.memory || (want !== undefined) === (have !== undefined)) return [];
  const from = have && { minimum: sizeText(have.minimumBytes), maximum: sizeText(have.maximumBytes) };
  const set = want
    ? {
        dynamicEnabled: true,
        minimumBytes: bytesOf(want.minimum),
        maximumBytes: bytesOf(want.maximum),
        ...(want.bufferPercent !== undefined && { bufferPercent: want.bufferPercent }),
      }
    : { dynamicEnabled: false };
  const change = { path: "spec.memory.dynamic", ...(from && { from }), ...(want && { to: want }) };
  return [{ change, running: "Restart", set: { memory: set } }];
};

/** Only a machine that has dynamic memory, and keeps it, has these. */
const whileDynamic =
  (inner: Row): Row =>
  (context) =>
    context.spec.memory?.dynamic && context.state.memory.dynamic ? inner(context) : [];

const memory: readonly Row[] = [
  sizeRow({
    path: "spec.memory.startup",
    want: (spec) => spec.memory?.startup,
    have: (state) => sizeText(state.memory.startupBytes),
    set: (size) => ({ memory: { startupBytes: bytesOf(size) } }),
    running: startupEffect,
    forbidden: tooMuchMemory,
  }),
  dynamicSwitch,
  whileDynamic(
    sizeRow({
      path: "spec.memory.dynamic.minimum",
      want: (spec) => spec.memory?.dynamic?.minimum,
      have: (state) => state.memory.dynamic && sizeText(state.memory.dynamic.minimumBytes),
      set: (size) => ({ memory: { minimumBytes: bytesOf(size) } }),
      running: ({ state }, want) => (bytesOf(want) < (state.memory.dynamic?.minimumBytes ?? 0) ? "Hot" : "Restart"),
    }),
  ),
  whileDynamic(
    sizeRow({
      path: "spec.memory.dynamic.maximum",
      want: (spec) => spec.memory?.dynamic?.maximum,
      have: (state) => state.memory.dynamic && sizeText(state.memory.dynamic.maximumBytes),
      set: (size) => ({ memory: { maximumBytes: bytesOf(size) } }),
      running: ({ state }, want) => (bytesOf(want) > (state.memory.dynamic?.maximumBytes ?? 0) ? "Hot" : "Restart"),
    }),
  ),
  whileDynamic(
    row({
      path: "spec.memory.dynamic.bufferPercent",
      want: (spec) => spec.memory?.dynamic?.bufferPercent,
      have: (state) => state.memory.dynamic?.bufferPercent,
      set: (bufferPercent) => ({ memory: { bufferPercent } }),
      running: "Hot",
    }),
  ),
  row({
    path: "spec.memory.weight",
    want: (spec) => spec.memory?.weight,
    have: (state) => state.memory.weight,
    set: (weight) => ({ memory: { weight } }),
    running: "Hot",
  }),
];

const services = [
  "guestServiceInterface",
  "heartbeat",
  "keyValuePairExchange",
  "shutdown",
  "timeSynchronization",
  "vss",
] as const;

const firmware: readonly Row[] = [
  row({
    path: "spec.firmware.secureBoot",
    want: (spec) => spec.firmware?.secureBoot,
    have: (state) => state.firmware?.secureBoot,
    set: (secureBoot) => ({ firmware: { secureBoot } }),
    running: "Restart",
    forbidden: uefiOnly,
  }),
  row({
    path: "spec.firmware.secureBootTemplate",
    want: (spec) => spec.firmware?.secureBootTemplate,
    have: (state) => state.firmware?.secureBootTemplate,
    set: (secureBootTemplate) => ({ firmware: { secureBootTemplate } }),
    running: "Restart",
    forbidden: uefiOnly,
  }),
  row({
    path: "spec.security.tpm",
    want: (spec) => spec.security?.tpm,
    have: (state) => state.tpm,
    set: (tpm) => ({ tpm }),
    running: "Restart",
    forbidden: (context, want) =>
      want && context.host?.capabilities.tpm === false
        ? "The host can't make virtual TPMs."
        : context.state.generation === 1
          ? "Generation 1 has no TPM."
          : undefined,
  }),
];

const others: readonly Row[] = [
  row({
    path: "spec.vmName",
    want: (spec) => spec.vmName,
    have: (state) => state.name,
    set: (name) => ({ name }),
    running: "Hot",
  }),
  row({
    path: "spec.notes",
    want: (spec) => spec.notes,
    have: (state) => state.notes,
    set: (notes) => ({ notes }),
    running: "Hot",
    frozen: true,
  }),
  ...services.map((name) =>
    row({
      path: `spec.integrationServices.${name}`,
      want: (spec) => spec.integrationServices?.[name],
      have: (state) => state.integrationServices[name],
      set: (on) => ({ integrationServices: { [name]: on } }),
      running: "Hot",
    }),
  ),
  row({
    path: "spec.automaticStartAction",
    want: (spec) => spec.automaticStartAction,
    have: (state) => state.automaticStartAction,
    set: (automaticStartAction) => ({ automaticStartAction }),
    running: "Try",
  }),
  row({
    path: "spec.automaticStopAction",
    want: (spec) => spec.automaticStopAction,
    have: (state) => state.automaticStopAction,
    set: (automaticStopAction) => ({ automaticStopAction }),
    running: "Restart",
  }),
  row({
    path: "spec.automaticStartDelaySeconds",
    want: (spec) => spec.automaticStartDelaySeconds,
    have: (state) => state.automaticStartDelaySeconds,
    set: (automaticStartDelaySeconds) => ({ automaticStartDelaySeconds }),
    running: "Hot",
  }),
  row({
    path: "spec.checkpointType",
    want: (spec) => spec.checkpointType,
    have: (state) => state.checkpointType,
    set: (checkpointType) => ({ checkpointType }),
    running: "Hot",
  }),
  row({
    path: "spec.automaticCheckpoints",
    want: (spec) => spec.automaticCheckpoints,
    have: (state) => state.automaticCheckpoints,
    set: (automaticCheckpoints) => ({ automaticCheckpoints }),
    running: "Hot",
  }),
];

/** Every setting of a machine, in the order in which a plan shows them. Devices and power have files of their own. */
const rows: readonly Row[] = [...others.slice(0, 2), ...cpu, ...memory, ...firmware, ...others.slice(2)];

/** What differs from the spec. A field that the spec leaves out is left as found. */
export const fieldChanges = (context: FieldContext): readonly FieldChange[] => rows.flatMap((one) => one(context));

/** Two settings in one; members of the later win, groups are joined. */
export const joinConfig = (a: VmConfig, b: VmConfig): VmConfig => ({
  ...a,
  ...b,
  ...((a.cpu ?? b.cpu) && { cpu: { ...a.cpu, ...b.cpu } }),
  ...((a.memory ?? b.memory) && { memory: { ...a.memory, ...b.memory } }),
  ...((a.firmware ?? b.firmware) && { firmware: { ...a.firmware, ...b.firmware } }),
  ...((a.integrationServices ?? b.integrationServices) && {
    integrationServices: { ...a.integrationServices, ...b.integrationServices },
  }),
});
