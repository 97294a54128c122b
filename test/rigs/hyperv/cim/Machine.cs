using System.Diagnostics;
using System.Management.Automation;
using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Rig;
using Microsoft.Vhd.PowerShell;
using static AetherV.Rig.Cim.Rows;

namespace AetherV.Rig.Cim;

/// <summary>The Win32 classes of root\cimv2 that agents read.</summary>
internal static class Machine
{
    internal const string Space = @"root\cimv2";

    internal static readonly Dictionary<string, Func<HostData, IEnumerable<PSObject>>> Classes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Win32_OperatingSystem"] = data => [Row(Space, "Win32_OperatingSystem", ("Caption", data.Host.Os), ("Version", data.Host.OsVersion), ("BuildNumber", data.Host.OsVersion.Split('.')[^1]), ("CSName", data.Host.Name), ("ProductType", 3u), ("OSArchitecture", "64-bit"), ("LastBootUpTime", data.Host.BootTime.ToLocalTime()), ("LocalDateTime", DateTime.Now), ("TotalVisibleMemorySize", (ulong)data.Host.MemoryBytes >> 10), ("FreePhysicalMemory", (ulong)Free(data) >> 10))],
        ["Win32_ComputerSystem"] = data => [Row(Space, "Win32_ComputerSystem", ("Name", data.Host.Name), ("Domain", "WORKGROUP"), ("PartOfDomain", false), ("Manufacturer", "AetherV"), ("Model", "Emulated host"), ("TotalPhysicalMemory", (ulong)data.Host.MemoryBytes), ("NumberOfProcessors", 1u), ("NumberOfLogicalProcessors", (uint)data.Host.LogicalProcessors), ("HypervisorPresent", true))],
        ["Win32_Processor"] = data => [Row(Space, "Win32_Processor", ("DeviceID", "CPU0"), ("Name", "Emulated CPU"), ("NumberOfCores", (uint)Math.Max(1, data.Host.LogicalProcessors / 2)), ("NumberOfLogicalProcessors", (uint)data.Host.LogicalProcessors), ("LoadPercentage", (ushort)3))],
        ["Win32_Volume"] = data => data.Volumes.Select(volume => Row(Space, "Win32_Volume", ("Name", volume.Root), ("Caption", volume.Root), ("DeviceID", $@"\\?\Volume{{{volume.Id}}}\"), ("DriveLetter", volume.Root.Length == 3 ? volume.Root[..2] : null), ("DriveType", 3u), ("FileSystem", "NTFS"), ("Capacity", (ulong)volume.Capacity), ("FreeSpace", (ulong)Math.Max(0, Disks.Free(data, volume))), ("BlockSize", 4096UL))),
        ["Win32_LogicalDisk"] = data => data.Volumes.Where(volume => volume.Root.Length == 3).Select(volume => Row(Space, "Win32_LogicalDisk", ("DeviceID", volume.Root[..2]), ("DriveType", 3u), ("FileSystem", "NTFS"), ("Size", (ulong)volume.Capacity), ("FreeSpace", (ulong)Math.Max(0, Disks.Free(data, volume))))),
        ["Win32_Process"] = data => Process.GetProcesses().Select(process => Row(Space, "Win32_Process", ("ProcessId", (uint)process.Id), ("Handle", $"{process.Id}"), ("Name", process.ProcessName), ("CommandLine", CommandLine(process.Id)))),
        ["Win32_Service"] = data => [Row(Space, "Win32_Service", ("Name", "vmms"), ("State", "Running"), ("StartMode", "Auto")), Row(Space, "Win32_Service", ("Name", "sshd"), ("State", "Running"), ("StartMode", "Auto"))],
        ["Win32_ComputerSystemProduct"] = data => [Row(Space, "Win32_ComputerSystemProduct", ("UUID", "4C4C4544-0000-2010-8020-80C04F202020"), ("Name", "Emulated host"))],
    };

    /// <summary>Classes that exist only on members of a failover cluster.</summary>
    internal static IEnumerable<PSObject> Cluster(HostData data, string type) => type.ToLowerInvariant() switch
    {
        "mscluster_cluster" => [Row(@"root\MSCluster", "MSCluster_Cluster", ("Name", data.Host.Cluster))],
        "mscluster_resourcegroup" => data.Vms.Where(vm => vm.Clustered).Select(vm => Row(@"root\MSCluster", "MSCluster_ResourceGroup", ("Name", vm.Name), ("OwnerNode", data.Host.Name), ("GroupType", 111u))),
        "mscluster_resource" => data.Vms.Where(vm => vm.Clustered).Select(vm => Row(@"root\MSCluster", "MSCluster_Resource", ("Name", $"Virtual Machine {vm.Name}"), ("OwnerGroup", vm.Name), ("OwnerNode", data.Host.Name), ("Type", "Virtual Machine"), ("Id", vm.Id.ToString()), ("PrivateProperties", Private(vm)))),
        _ => [],
    };

    private static PSObject Private(VmData vm)
    {
        var properties = new PSObject();
        properties.Properties.Add(new PSNoteProperty("VmID", vm.Id.ToString()));
        return properties;
    }

    private static long Free(HostData data) => data.Host.MemoryBytes - data.Host.ReservedBytes - data.Vms.Where(Live.IsOn).Sum(vm => vm.Memory.Startup);

    private static string? CommandLine(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline").Replace('\0', ' ').TrimEnd();
        }
        catch (IOException)
        {
            return null;
        }
    }
}
