using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

internal static class Memory
{
    private const long MiB = 1L << 20;

    internal sealed record Wish(bool? Dynamic, long? Startup, long? Minimum, long? Maximum, int? Buffer, int? Priority);

    internal static long Checked(long bytes, string name)
    {
        if (bytes < 32 * MiB || bytes > 240L << 40 || bytes % (2 * MiB) != 0) throw VirtualizationException.InvalidParameter($"{name}: {bytes} is not a multiple of 2 MB from 32 MB to 240 TB.");
        return bytes;
    }

    internal static void Set(HostData data, VmData vm, Wish wish)
    {
        if (wish is { Dynamic: null, Startup: null, Minimum: null, Maximum: null, Buffer: null, Priority: null }) return;
        if (vm.State is VMState.Saved or VMState.Paused) throw VirtualizationException.InvalidState("Memory cannot be changed in this state.");
        var memory = vm.Memory;
        if (wish.Dynamic is { } dynamic && dynamic != memory.DynamicMemoryEnabled)
        {
            Off(vm, "Dynamic memory cannot be turned on or off");
            memory.DynamicMemoryEnabled = dynamic;
        }

        if (wish.Startup is { } startup && startup != memory.Startup) SetStartup(data, vm, Checked(startup, "StartupBytes"));
        if (wish.Minimum is { } minimum && minimum != memory.Minimum)
        {
            if (minimum > memory.Minimum) Off(vm, "The minimum cannot go up");
            memory.Minimum = Checked(minimum, "MinimumBytes");
        }

        if (wish.Maximum is { } maximum && maximum != memory.Maximum)
        {
            if (maximum < memory.Maximum) Off(vm, "The maximum cannot go down");
            memory.Maximum = Checked(maximum, "MaximumBytes");
        }

        memory.Buffer = wish.Buffer ?? memory.Buffer;
        memory.Priority = wish.Priority ?? memory.Priority;
        if (!memory.DynamicMemoryEnabled) return;
        if (memory.Minimum > memory.Startup || memory.Startup > memory.Maximum) throw VirtualizationException.InvalidParameter("The startup memory must be within the minimum and the maximum.");
    }

    private static void SetStartup(HostData data, VmData vm, long bytes)
    {
        if (vm.State != VMState.Off)
        {
            if (vm.Memory.DynamicMemoryEnabled) Off(vm, "The startup memory of a dynamic machine cannot be changed");
            var refused = !vm.Guest.HotMemory || vm.Guest.Os == "None" || (vm.Guest.Os == "Linux" && bytes < vm.Memory.Startup);
            if (refused) throw VirtualizationException.Failed("The operating system in the virtual machine does not support this change of memory", unchecked((int)0x80070032));
            if (bytes - vm.Memory.Startup > Free(data)) throw VirtualizationException.OutOfMemory("Not enough memory in the system.");
        }

        vm.Memory.Startup = bytes;
    }

    internal static long Free(HostData data) => data.Host.MemoryBytes - data.Host.ReservedBytes - data.Vms.Where(Live.IsOn).Sum(vm => vm.Memory.Startup);

    private static void Off(VmData vm, string what)
    {
        if (vm.State != VMState.Off) throw VirtualizationException.InvalidState($"{what} while the virtual machine is running.");
    }
}

[Cmdlet(VerbsCommon.Get, "VMMemory", DefaultParameterSetName = "VMName")]
public sealed class GetVMMemory : MachineCommand
{
    protected override void OnMachine(Guid id) => WriteObject(new VMMemory(id));
}

[Cmdlet(VerbsCommon.Set, "VMMemory", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMMemory : MachineCommand
{
    [Parameter]
    public int? Buffer { get; set; }

    [Parameter(Position = 1)]
    public bool? DynamicMemoryEnabled { get; set; }

    [Parameter]
    public long? MaximumBytes { get; set; }

    [Parameter]
    public long? MinimumBytes { get; set; }

    [Parameter]
    public long? StartupBytes { get; set; }

    [Parameter]
    public int? Priority { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("memory")) return;
        if (Buffer is { } buffer) Within(buffer, 5, 2000, "Buffer");
        if (Priority is { } priority) Within(priority, 0, 100, "Priority");
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            Memory.Set(data, vm, new Memory.Wish(DynamicMemoryEnabled, StartupBytes, MinimumBytes, MaximumBytes, Buffer, Priority));
        });
        if (Passthru) WriteObject(new VMMemory(id));
    }
}
