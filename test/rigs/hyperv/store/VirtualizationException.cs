using System.Management.Automation;

namespace Microsoft.HyperV.PowerShell;

/// <summary>A failure of the emulated Hyper-V with the real identifiers; messages are free text that agents must not read.</summary>
public sealed class VirtualizationException(string message, string identifier, ErrorCategory category) : Exception(message)
{
    public string ErrorIdentifier { get; } = identifier;
    public ErrorCategory ErrorCategory { get; } = category;

    public static VirtualizationException InvalidParameter(string message) => new(message, "InvalidParameter", ErrorCategory.InvalidArgument);

    public static VirtualizationException InvalidState(string message) => new(message, "InvalidState", ErrorCategory.InvalidOperation);

    public static VirtualizationException ObjectNotFound(string message) => new(message, "ObjectNotFound", ErrorCategory.ObjectNotFound);

    public static VirtualizationException InUse(string message) => new(message, "ObjectInUse", ErrorCategory.ResourceBusy);

    public static VirtualizationException OutOfMemory(string message) => new(message, "OutOfMemory", ErrorCategory.FromStdErr) { HResult = unchecked((int)0x8007000E) };

    public static VirtualizationException NotSupported(string message) => new(message, "NotSupported", ErrorCategory.InvalidOperation);

    public static VirtualizationException AccessDenied() =>
        new("You do not have the required permission to complete this task.", "AccessDenied", ErrorCategory.PermissionDenied) { HResult = unchecked((int)0x80070005) };

    /// <summary>What the host's service answers when an operation fails; the HRESULT tells why.</summary>
    public static VirtualizationException Failed(string message, int hresult = unchecked((int)0x80004005)) =>
        new($"{message} (0x{hresult:X8}).", "OperationFailed", ErrorCategory.NotSpecified) { HResult = hresult };
}
