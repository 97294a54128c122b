import { completeGroup } from "../../src/api/defaults.ts";
import { bytesOf } from "../../src/api/quantity.ts";
import type { VirtualMachine, VirtualMachineSpec, VMHost } from "../../src/api/generated/types.ts";
import type { VmConfig, VmCreateSpec } from "../../src/protocol/generated/types.ts";
import { layoutOf } from "../shared/layout.ts";
import { compact, ownerOf } from "../shared/objects.ts";

/** The spec with the name in Hyper-V filled in; an adopted machine keeps its name unless the spec gives one. */
export const desiredSpec = (vm: VirtualMachine): VirtualMachineSpec =>
  vm.spec.vmName === undefined && !vm.spec.adopt ? { ...vm.spec, vmName: vm.metadata.name } : vm.spec;

/** The name that the machine has, or will have, in Hyper-V. */
export const vmNameOf = (vm: VirtualMachine): string => vm.spec.vmName ?? vm.metadata.name;

/** The declared power state; an adopted machine without one keeps what it has. */
export const wantedPower = (vm: VirtualMachine): VirtualMachineSpec["powerState"] =>
  vm.spec.powerState ?? (vm.spec.adopt ? undefined : "Running");

export const shutdownOf = (vm: VirtualMachine) => completeGroup("VirtualMachine", "shutdown", vm.spec.shutdown);

/** Computed defaults are decided here once, at creation; later an absent field is left as found. */
const creationConfig = (vm: VirtualMachine): VmConfig => {
  const { spec } = vm;
  const uefi = (spec.generation ?? 2) === 2;
  return compact({
    name: vmNameOf(vm),
    notes: spec.notes,
    cpu: { count: 1, ...spec.cpu },
    memory: memoryConfig(spec),
    firmware: uefi ? firmwareConfig(spec) : undefined,
    tpm: uefi && spec.security?.tpm ? true : undefined,
    integrationServices: spec.integrationServices,
    automaticStartAction: spec.automaticStartAction ?? "StartIfRunning",
    automaticStopAction: spec.automaticStopAction ?? "ShutDown",
    automaticStartDelaySeconds: spec.automaticStartDelaySeconds,
    checkpointType: spec.checkpointType ?? "Production",
    automaticCheckpoints: spec.automaticCheckpoints ?? false,
  });
};

const memoryConfig = ({ memory }: VirtualMachineSpec): VmConfig["memory"] =>
  memory &&
  compact({
    startupBytes: bytesOf(memory.startup),
    dynamicEnabled: memory.dynamic !== undefined,
    minimumBytes: memory.dynamic && bytesOf(memory.dynamic.minimum),
    maximumBytes: memory.dynamic && bytesOf(memory.dynamic.maximum),
    bufferPercent: memory.dynamic?.bufferPercent,
    weight: memory.weight,
  });

const firmwareConfig = ({ firmware, osFamily }: VirtualMachineSpec): NonNullable<VmConfig["firmware"]> => ({
  secureBoot: firmware?.secureBoot ?? true,
  secureBootTemplate:
    firmware?.secureBootTemplate ?? (osFamily === "Linux" ? "MicrosoftUEFICertificateAuthority" : "MicrosoftWindows"),
});

/** What makes the machine. With `recoverId`, the machine of that id is registered again if its configuration still lies there. */
export const creation = (vm: VirtualMachine, host: VMHost, recoverId?: string): VmCreateSpec =>
  compact({
    owner: ownerOf(vm),
    layout: layoutOf(host),
    storageClass: vm.spec.storageClass,
    generation: vm.spec.generation ?? 2,
    osFamily: vm.spec.osFamily,
    config: creationConfig(vm),
    recoverId,
  }) as VmCreateSpec;
