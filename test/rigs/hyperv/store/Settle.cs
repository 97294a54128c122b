namespace Microsoft.HyperV.PowerShell.Rig;

/// <summary>What happens by itself: guests come up and go down, checkpoints merge.</summary>
internal static class Settle
{
    internal static bool Pending(HostData data) => data.Due.Count > 0 || data.Vms.Any(vm => vm.Due.Count > 0);

    /// <summary>Applies what is due. `files`: also to the disk files, which only a writer of the state may do.</summary>
    internal static void Apply(HostData data, DateTime now, bool files)
    {
        foreach (var vm in data.Vms)
        {
            foreach (var due in vm.Due.Where(due => due.At <= now).OrderBy(due => due.At).ToList())
            {
                if (due.What == "Merged" && !files) continue;
                vm.Due.Remove(due);
                Happen(vm, due);
            }
        }

        if (!files) return;
        foreach (var due in data.Due.Where(due => due.At <= now).ToList())
        {
            data.Due.Remove(due);
            foreach (var merge in due.Merges) Merge(null, merge);
        }
    }

    private static void Happen(VmData vm, DueData due)
    {
        switch (due.What)
        {
            case "Off":
                Enter(vm, VMState.Off, due.At);
                vm.StartedAt = null;
                vm.Guest.GuestItems.Clear();
                vm.Guest.IntrinsicItems.Clear();
                vm.Guest.Hung = false;
                break;
            case "Running": Enter(vm, VMState.Running, due.At); break;
            case "Saved": Enter(vm, VMState.Saved, due.At); break;
            case "Merged":
                foreach (var merge in due.Merges) Merge(vm, merge);
                break;
            default: throw new InvalidDataException($"state.json: unknown due change '{due.What}' of {vm.Name}");
        }
    }

    private static void Enter(VmData vm, VMState state, DateTime at)
    {
        vm.State = state;
        vm.StateSince = at;
    }

    private static void Merge(VmData? vm, MergeData merge)
    {
        var kept = vm?.Checkpoints.SelectMany(checkpoint => checkpoint.Drives) ?? [];
        foreach (var drive in (vm?.Drives ?? []).Concat(kept).Where(drive => WindowsPath.Same(drive.Path, merge.From))) drive.Path = merge.Into;
        var written = Guid.NewGuid();
        if (File.Exists(WindowsPath.Real(merge.Into)) && File.Exists(WindowsPath.Real(merge.From)))
        {
            var target = VhdFile.Read(merge.Into);
            (target.DataWriteId, target.Content) = (written, VhdFile.Read(merge.From).Content);
            target.Update(merge.Into);
        }

        var folder = Path.GetDirectoryName(WindowsPath.Real(merge.From))!;
        if (!Directory.Exists(folder)) return;
        foreach (var name in Directory.EnumerateFiles(folder, "*.avhd*").Select(file => WindowsPath.Full(file)))
        {
            if (!IsChild(name, merge.From, out var child)) continue;
            child.ParentPath = merge.Into;
            child.ParentDataWriteId = written;
            child.Update(name);
        }

        File.Delete(WindowsPath.Real(merge.From));
    }

    private static bool IsChild(string path, string parent, out VhdFile file)
    {
        file = new VhdFile();
        try
        {
            file = VhdFile.Read(path);
            return WindowsPath.Same(file.ParentPath, parent);
        }
        catch (VirtualizationException)
        {
            return false;
        }
    }
}
