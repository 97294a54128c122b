using System.ComponentModel;
using System.Diagnostics;
using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

[Cmdlet(VerbsCommon.Get, "Process", DefaultParameterSetName = "Name")]
public sealed class GetProcessCommand : PSCmdlet
{
    [Parameter(Position = 0, ParameterSetName = "Name"), Alias("ProcessName")]
    public string[]? Name { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "Id"), Alias("PID")]
    public int[] Id { get; set; } = [];

    protected override void EndProcessing()
    {
        foreach (var id in Id)
        {
            try
            {
                WriteObject(Process.GetProcessById(id));
            }
            catch (ArgumentException error)
            {
                WriteError(new ErrorRecord(error, "NoProcessFoundForGivenId", ErrorCategory.ObjectNotFound, id));
            }
        }

        if (ParameterSetName != "Name") return;
        foreach (var process in Process.GetProcesses())
        {
            if (Name is null || Name.Any(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase).IsMatch(process.ProcessName))) WriteObject(process);
        }
    }
}

[Cmdlet(VerbsLifecycle.Stop, "Process", SupportsShouldProcess = true)]
public sealed class StopProcessCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true)]
    public int[] Id { get; set; } = [];

    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override void EndProcessing()
    {
        foreach (var id in Id)
        {
            if (!ShouldProcess($"{id}")) continue;
            try
            {
                using var process = Process.GetProcessById(id);
                process.Kill();
            }
            catch (ArgumentException error)
            {
                WriteError(new ErrorRecord(error, "NoProcessFoundForGivenId", ErrorCategory.ObjectNotFound, id));
            }
            catch (Win32Exception error)
            {
                WriteError(new ErrorRecord(error, "CouldNotStopProcess", ErrorCategory.CloseError, id));
            }
        }
    }
}
