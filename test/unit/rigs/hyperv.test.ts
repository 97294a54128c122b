import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import {
  clearCalls,
  editHost,
  makeDisk,
  makeHost,
  readCalls,
  readDisk,
  readHost,
  setFaults,
} from "../../rigs/hyperv/host.ts";
import { type ReadyRig, runScript, runSnippets } from "./shell.ts";

const rig = await ensurePowerShell();
const why = rig.kind === "skipped" ? rig.why : undefined;
if (why !== undefined) it("needs PowerShell", (context) => context.skip(why));

const REFUSED = "error:InvalidState,InvalidOperation";
const WRONG = "error:InvalidParameter,InvalidArgument";
const UNKNOWN = "error:NamedParameterNotFound,InvalidArgument";
/** -VM is only the beginning of other parameters there. */
const AMBIGUOUS = "error:AmbiguousParameter,InvalidArgument";
const off = "$off = Hyper-V\\Get-VM -Name 'off'; ";
const on = "$on = Hyper-V\\Get-VM -Name 'on'; ";
const old = "$old = Hyper-V\\Get-VM -Name 'old'; ";

/** hyperv.md's table and edges, one by one, in order, on one host with the machines off, on (both generation 2) and old (1, running). */
const edges = [
  { why: "a missing machine is InvalidArgument", run: "Hyper-V\\Get-VM -Name 'nope'", is: WRONG },
  {
    why: "but ObjectNotFound for the firmware",
    run: "Hyper-V\\Set-VMFirmware -VMName 'nope' -EnableSecureBoot Off",
    is: "error:ObjectNotFound,ObjectNotFound",
  },
  { why: "New-VM takes no notes", run: "Hyper-V\\New-VM -Name 'x' -Notes 'y'", is: UNKNOWN },
  {
    why: "processors change off",
    run: `${off}Hyper-V\\Set-VMProcessor -VM $off -Count 2; $off.ProcessorCount`,
    is: "2",
  },
  { why: "processors do not change on", run: `${on}Hyper-V\\Set-VMProcessor -VM $on -Count 2`, is: REFUSED },
  {
    why: "weight changes on",
    run: `${on}Hyper-V\\Set-VMProcessor -VM $on -RelativeWeight 200; (Hyper-V\\Get-VMProcessor -VM $on).RelativeWeight`,
    is: "200",
  },
  {
    why: "nested virtualization does not change on",
    run: `${on}Hyper-V\\Set-VMProcessor -VM $on -ExposeVirtualizationExtensions $true`,
    is: REFUSED,
  },
  { why: "notes change on", run: `${on}Hyper-V\\Set-VM -VM $on -Notes '$(x) "é"'; $on.Notes`, is: '$(x) "é"' },
  {
    why: "AutomaticStopAction does not change on",
    run: `${on}Hyper-V\\Set-VM -VM $on -AutomaticStopAction ShutDown`,
    is: REFUSED,
  },
  {
    why: "a Linux guest takes more memory while it runs",
    run: `${on}Hyper-V\\Set-VMMemory -VM $on -StartupBytes 2GB; $on.MemoryStartup`,
    is: "2147483648",
  },
  {
    why: "and cannot give it back",
    run: `${on}Hyper-V\\Set-VMMemory -VM $on -StartupBytes 1GB`,
    is: "error:OperationFailed,NotSpecified",
  },
  {
    why: "dynamic memory does not change on",
    run: `${on}Hyper-V\\Set-VMMemory -VM $on -DynamicMemoryEnabled $true`,
    is: REFUSED,
  },
  {
    why: "Secure Boot does not change on",
    run: `${on}Hyper-V\\Set-VMFirmware -VM $on -EnableSecureBoot Off`,
    is: REFUSED,
  },
  { why: "generation 1 has no firmware", run: `${old}Hyper-V\\Get-VMFirmware -VM $old`, is: WRONG },
  { why: "a SCSI controller is not added on", run: `${on}Hyper-V\\Add-VMScsiController -VM $on`, is: REFUSED },
  {
    why: "a SCSI disk is added on",
    run: `${on}$null = Hyper-V\\New-VHD -Path 'D:\\d.vhdx' -SizeBytes 1GB; Hyper-V\\Add-VMHardDiskDrive -VM $on -ControllerType SCSI -ControllerNumber 0 -ControllerLocation 9 -Path 'D:\\d.vhdx'; @($on.HardDrives).Count`,
    is: "2",
  },
  {
    why: "it grows while it runs",
    run: "Hyper-V\\Resize-VHD -Path 'D:\\d.vhdx' -SizeBytes 2GB; (Hyper-V\\Get-VHD -Path 'D:\\d.vhdx').Size",
    is: "2147483648",
  },
  {
    why: "it does not shrink",
    run: "Hyper-V\\Resize-VHD -Path 'D:\\d.vhdx' -SizeBytes 1GB",
    is: "error:OperationFailed,NotSpecified",
  },
  {
    why: "an open disk keeps its identity",
    run: "Hyper-V\\Set-VHD -Path 'D:\\d.vhdx' -ResetDiskIdentifier -Force",
    is: "error:ObjectInUse,ResourceBusy",
  },
  {
    why: "two machines may hold one file while one is off",
    run: `${off}Hyper-V\\Add-VMHardDiskDrive -VM $off -ControllerType SCSI -ControllerNumber 0 -ControllerLocation 0 -Path 'd:\\D.VHDX'; 'held'`,
    is: "held",
  },
  { why: "but not both run", run: `${off}Hyper-V\\Start-VM -VM $off`, is: "error:OperationFailed,NotSpecified" },
  {
    why: "removal takes the drive, not the machine",
    run: `${off}Hyper-V\\Remove-VMHardDiskDrive -VM $off`,
    is: AMBIGUOUS,
  },
  {
    why: "IDE takes nothing on",
    run: `${old}Hyper-V\\Add-VMDvdDrive -VM $old -ControllerNumber 1 -ControllerLocation 1`,
    is: REFUSED,
  },
  {
    why: "generation 2 takes no VHD",
    run: `${off}Hyper-V\\Add-VMHardDiskDrive -VM $off -ControllerType SCSI -Path 'D:\\Images\\debian-12-gen1.vhd'`,
    is: "error:OperationFailed,NotSpecified",
  },
  {
    why: "generation 2 has no IDE",
    run: `${off}Hyper-V\\Add-VMHardDiskDrive -VM $off -ControllerType IDE -Path 'D:\\Images\\debian-12.vhdx'`,
    is: WRONG,
  },
  {
    why: "adapters are added on to generation 2",
    run: `${on}Hyper-V\\Add-VMNetworkAdapter -VM $on -Name 'two' -SwitchName 'Internal'; @(Hyper-V\\Get-VMNetworkAdapter -VM $on).Count`,
    is: "2",
  },
  { why: "but not to generation 1", run: `${old}Hyper-V\\Add-VMNetworkAdapter -VM $old -Name 'two'`, is: REFUSED },
  {
    why: "a static MAC does not change on",
    run: `${on}Hyper-V\\Set-VMNetworkAdapter -VM $on -Name 'two' -StaticMacAddress '00155D0000AA'`,
    is: REFUSED,
  },
  {
    why: "Connect takes the adapter, not the machine",
    run: `${on}Hyper-V\\Connect-VMNetworkAdapter -VM $on -SwitchName 'External'`,
    is: AMBIGUOUS,
  },
  {
    why: "a missing switch is InvalidArgument",
    run: `${on}Hyper-V\\Get-VMNetworkAdapter -VM $on -Name 'two' | Hyper-V\\Connect-VMNetworkAdapter -SwitchName 'nope'`,
    is: WRONG,
  },
  {
    why: "a weight does not go with absolute minimums",
    run: `${on}Hyper-V\\Set-VMNetworkAdapter -VM $on -Name 'two' -MinimumBandwidthWeight 5`,
    is: "error:OperationFailed,NotSpecified",
  },
  {
    why: "promiscuous takes a list",
    run: `${on}Hyper-V\\Set-VMNetworkAdapterVlan -VM $on -VMNetworkAdapterName 'two' -Promiscuous -PrimaryVlanId 10 -SecondaryVlanId 11`,
    is: WRONG,
  },
  {
    why: "a trunk is read back",
    run: `${on}Hyper-V\\Set-VMNetworkAdapterVlan -VM $on -VMNetworkAdapterName 'two' -Trunk -NativeVlanId 1 -AllowedVlanIdList '5,7-8'; (Hyper-V\\Get-VMNetworkAdapterVlan -VM $on -VMNetworkAdapterName 'two').AllowedVlanIdListString`,
    is: "5,7,8",
  },
  {
    why: "a TPM needs a key protector",
    run: `${off}Hyper-V\\Enable-VMTPM -VM $off`,
    is: "error:OperationFailed,NotSpecified",
  },
  {
    why: "a machine without one answers four bytes",
    run: `${off}(Hyper-V\\Get-VMKeyProtector -VM $off).Length`,
    is: "4",
  },
  {
    why: "removal asks, and nobody can answer",
    run: `${off}Hyper-V\\Remove-VM -VM $off`,
    is: "error:InvalidOperation,InvalidOperation",
  },
  { why: "a running machine is not removed", run: `${on}Hyper-V\\Remove-VM -VM $on -Force`, is: REFUSED },
  {
    why: "a checkpoint puts a file in front",
    run: `${on}Hyper-V\\Checkpoint-VM -VM $on -SnapshotName 's'; (@($on.HardDrives)[1].Path -like 'D:\\d_*.avhdx')`,
    is: "True",
  },
  {
    why: "then the disk does not grow",
    run: "Hyper-V\\Resize-VHD -Path 'D:\\d.vhdx' -SizeBytes 3GB",
    is: "error:OperationFailed,NotSpecified",
  },
  {
    why: "the checkpoint's rows are told apart",
    run: "@(CimCmdlets\\Get-CimInstance -Namespace root\\virtualization\\v2 -ClassName Msvm_VirtualSystemSettingData -Filter \"VirtualSystemType LIKE 'Microsoft:Hyper-V:Snapshot%'\").Count",
    is: "1",
  },
  {
    why: "its removal merges",
    run: `${on}Hyper-V\\Get-VMSnapshot -VM $on | Hyper-V\\Remove-VMSnapshot; Start-Sleep -Milliseconds 50; Hyper-V\\Set-VM -VM $on -Notes 'n'; @($on.HardDrives)[1].Path`,
    is: "D:\\d.vhdx",
  },
  {
    why: "a parent that was written to breaks its child",
    run: "$null = Hyper-V\\New-VHD -Path 'D:\\p.vhdx' -SizeBytes 1GB; $null = Hyper-V\\New-VHD -Path 'D:\\c.vhdx' -ParentPath 'D:\\p.vhdx'; Hyper-V\\Resize-VHD -Path 'D:\\p.vhdx' -SizeBytes 2GB; Hyper-V\\Test-VHD -Path 'D:\\c.vhdx'",
    is: "error:OperationFailed,NotSpecified",
  },
  {
    why: "VHD cmdlets refuse other extensions",
    run: "Hyper-V\\New-VHD -Path 'D:\\x.partial' -SizeBytes 1GB",
    is: WRONG,
  },
  {
    why: "a saved machine takes no processor settings",
    run: `${on}Hyper-V\\Save-VM -VM $on; Hyper-V\\Set-VMProcessor -VM $on -RelativeWeight 5`,
    is: REFUSED,
  },
  {
    why: "too little memory is OutOfMemory",
    run: `${off}Hyper-V\\Set-VMMemory -VM $off -StartupBytes 512GB; $off.HardDrives | Hyper-V\\Remove-VMHardDiskDrive; Hyper-V\\Start-VM -VM $off`,
    is: "error:OutOfMemory,FromStdErr",
  },
];

describe.skipIf(rig.kind === "skipped")("the emulated Hyper-V", () => {
  const ready = rig as ReadyRig;
  let root = "";
  let answers: string[] = [];

  const fresh = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), "aetherv-hyperv-"));
    await makeHost(folder);
    return folder;
  };

  beforeAll(async () => {
    root = await fresh();
    const disk = (name: string, id: string): string =>
      `Copy-Item -LiteralPath 'D:\\Images\\${name}' -Destination 'D:\\${id}'; `;
    const setup = [
      `${disk("debian-12.vhdx", "on.vhdx")}${disk("debian-12-gen1.vhd", "old.vhd")}'copied'`,
      "$null = Hyper-V\\New-VM -Name 'off' -Generation 2 -Path 'D:\\VMs' -MemoryStartupBytes 1GB",
      "$null = Hyper-V\\New-VM -Name 'on' -Generation 2 -Path 'D:\\VMs' -MemoryStartupBytes 1GB -VHDPath 'D:\\on.vhdx' -SwitchName 'External'; Hyper-V\\Set-VMFirmware -VMName 'on' -SecureBootTemplate MicrosoftUEFICertificateAuthority; Hyper-V\\Start-VM -Name 'on'",
      "$null = Hyper-V\\New-VM -Name 'old' -Generation 1 -Path 'D:\\VMs' -MemoryStartupBytes 1GB -VHDPath 'D:\\old.vhd'; Hyper-V\\Start-VM -Name 'old'",
    ];
    const all = await runSnippets(ready, { root, edition: "5.1" }, [...setup, ...edges.map((one) => one.run)]);
    expect(all.slice(0, setup.length)).toEqual(["copied", "", "", ""]);
    answers = all.slice(setup.length);
  }, 120_000);

  afterAll(() => rm(root, { recursive: true, force: true }));

  it.each(edges.map((one, index) => ({ ...one, index })))("$why", ({ index, is }) => {
    expect(answers[index]).toBe(is);
  });

  it("counts calls, and lets faults happen", async () => {
    const at = await fresh();
    await setFaults(at, [
      { on: "Get-VMHost", do: "throw", id: "OperationFailed", category: "NotSpecified", skip: 1, times: 1 },
      { on: "CIM:Msvm_Computer*", do: "empty" },
    ]);
    const host = "(Hyper-V\\Get-VMHost).LogicalProcessorCount";
    const rows =
      "@(CimCmdlets\\Get-CimInstance -Namespace root\\virtualization\\v2 -ClassName Msvm_ComputerSystem).Count";
    expect(await runSnippets(ready, { root: at, edition: "7" }, [host, host, host, rows])).toEqual([
      "32",
      "error:OperationFailed,NotSpecified",
      "32",
      "0",
    ]);
    expect(await readCalls(at)).toEqual(["Get-VMHost", "Get-VMHost", "Get-VMHost", "CIM:Msvm_ComputerSystem"]);
    await clearCalls(at);
    expect(await readCalls(at)).toEqual([]);
    await rm(at, { recursive: true, force: true });
  }, 60_000);

  it("dies after a call where the fault says so, the change done", async () => {
    const at = await fresh();
    await setFaults(at, [{ on: "New-VM", do: "kill", when: "after" }]);
    const ran = await runScript(
      ready,
      { root: at, edition: "5.1" },
      "$null = Hyper-V\\New-VM -Name 'cut' -Path 'D:\\VMs'; 'lived'",
    );
    expect({ died: ran.code !== 0, out: ran.out, names: (await readHost(at)).vms?.map((vm) => vm["name"]) }).toEqual({
      died: true,
      out: "",
      names: ["cut"],
    });
    await rm(at, { recursive: true, force: true });
  }, 60_000);

  it("shares state and disks with TypeScript", async () => {
    const at = await fresh();
    await makeDisk(at, "D:\\Mine\\a.vhdx", { size: 2 ** 30, content: "mine" });
    await editHost(at, (host) => {
      host.vms = [{ name: "by-hand", path: "D:\\VMs", drives: [{ path: "D:\\Mine\\a.vhdx" }], scsi: [{}] }];
    });
    const run =
      "(Hyper-V\\Get-VM -Name 'by-hand' | Hyper-V\\Get-VMHardDiskDrive).Path; Hyper-V\\Convert-VHD -Path 'D:\\Mine\\a.vhdx' -DestinationPath 'D:\\Mine\\b.vhdx'";
    expect(await runSnippets(ready, { root: at, edition: "5.1" }, [run])).toEqual(["D:\\Mine\\a.vhdx"]);
    expect(await readDisk(at, "D:\\Mine\\b.vhdx")).toMatchObject({ content: "mine", size: 2 ** 30 });
    await rm(at, { recursive: true, force: true });
  }, 60_000);
});
