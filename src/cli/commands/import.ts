import { Command } from "commander";
import { nearest } from "../../api/nearest.ts";
import type { VMHostSpec } from "../../api/generated/types.ts";
import type { VmState } from "../../protocol/generated/types.ts";
import { ControlError } from "../../server/control.ts";
import { withControl, type Tools } from "../context.ts";
import { existing } from "../names.ts";
import { importDocuments } from "../import.ts";
import { documentsToYaml } from "../print/yaml.ts";

const notes = `
Prints documents for the machine, its disks and its adapters. Save them in the manifests folder: the machine is observed
first, and taken over once you approve (\`aetherv approve vm/NAME\`). The host's VMHost must allow it:

  spec:
    adoption:
      namespaces: [default]
      paths: ['D:\\VMs']        where the disks' files lie

Examples:
  aetherv import hv1/OldServer > manifests/oldserver.yaml
  aetherv import hv1/4f7c1d1e-0e0c-4a5e-9d0c-0d6d6f3a9a11`;

/** `aetherv import`: YAML that adopts an existing machine. */
export const importCommand = (tools: Tools): Command =>
  new Command("import")
    .description("Print YAML that adopts an existing virtual machine with its disks and adapters")
    .argument("<host/vm>", "VMHost, and the machine's Hyper-V name or id")
    .addHelpText("after", notes)
    .action((what: string) =>
      withControl(tools.context.connectForPlan(tools.where()), async (control) => {
        const cut = what.indexOf("/");
        if (cut < 1 || cut === what.length - 1)
          throw new ControlError("Invalid", `"${what}" does not name a machine`, "use HOST/VM, as hv1/OldServer");
        const hostName = what.slice(0, cut);
        const host = await existing(control, { kind: "VMHost", namespace: "", name: hostName });
        const inventory = await control.inventory(hostName);
        if (!inventory) throw new ControlError("Unavailable", `host ${hostName} has not been seen yet`);
        const vm = findVm(inventory.vms, what.slice(cut + 1), hostName);
        if (vm.stamp)
          throw new ControlError(
            "Conflict",
            `${vm.name} is managed already, as VirtualMachine ${vm.stamp.namespace}/${vm.stamp.name}`,
          );
        const { networks = [] } = host.spec as VMHostSpec;
        const documents = importDocuments({ vm, host: hostName, namespace: tools.namespace(), networks });
        tools.context.terminal.out(documentsToYaml(documents));
      }),
    );

const findVm = (vms: readonly VmState[], typed: string, host: string): VmState => {
  const named = vms.filter((vm) => vm.id.toLowerCase() === typed.toLowerCase() || vm.name === typed);
  const [only] = named;
  if (only && named.length === 1) return only;
  if (named.length > 1)
    throw new ControlError(
      "Conflict",
      `${named.length} machines on ${host} are named "${typed}"`,
      `use an id: ${named.map((vm) => vm.id).join(", ")}`,
    );
  const unmanaged = vms.filter((vm) => !vm.stamp).map((vm) => vm.name);
  const near = nearest(typed, unmanaged);
  throw new ControlError(
    "NotFound",
    `host ${host} has no machine "${typed}"`,
    near === undefined ? `machines that nobody manages: ${unmanaged.join(", ") || "none"}` : `did you mean "${near}"?`,
  );
};
