using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

/// <summary>Which PowerShell's semantics hold: Windows PowerShell 5.1 unless AETHERV_RIG_EDITION is "7".</summary>
internal static class Edition
{
    internal static bool IsDesktop { get; } = Environment.GetEnvironmentVariable("AETHERV_RIG_EDITION") is null or "5.1";

    /// <summary>The error of a parameter that the edition does not have, as the binder words it.</summary>
    internal static void RefuseInDesktop(this PSCmdlet cmdlet, string parameter)
    {
        if (!IsDesktop || !cmdlet.MyInvocation.BoundParameters.ContainsKey(parameter)) return;
        cmdlet.Refuse($"A parameter cannot be found that matches parameter name '{parameter}'.", "NamedParameterNotFound");
    }

    /// <summary>Ends the command with an error of category InvalidArgument.</summary>
    internal static void Refuse(this PSCmdlet cmdlet, string message, string id) =>
        cmdlet.ThrowTerminatingError(new ErrorRecord(new ParameterBindingException(message), id, ErrorCategory.InvalidArgument, null));
}
