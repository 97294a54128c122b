namespace Microsoft.HyperV.PowerShell;

public enum VMState
{
    Other = 1, Running = 2, Off = 3, Stopping = 4, Saved = 6, Paused = 9, Starting = 10, Reset = 11, Saving = 32773, Pausing = 32776, Resuming = 32777, FastSaved = 32779, FastSaving = 32780,
    ForceShutdown = 32781, ForceReboot = 32782, Hibernated = 32783, RunningCritical = 32784, OffCritical = 32785, StoppingCritical = 32786, SavedCritical = 32787, PausedCritical = 32788, StartingCritical = 32789,
}

public enum OnOffState { Off = 0, On = 1 }

public enum StartAction { Nothing = 2, StartIfRunning = 3, Start = 4 }

public enum StopAction { TurnOff = 2, Save = 3, ShutDown = 4 }

public enum CriticalErrorAction { None = 0, Pause = 1 }

public enum CheckpointType { Disabled = 2, Production = 3, ProductionOnly = 4, Standard = 5 }

public enum ControllerType { IDE = 0, SCSI = 1, PMEM = 2 }

public enum SnapshotType { Standard = 0, Recovery = 1, Planned = 2, Missing = 3, Replica = 4, AppConsistentReplica = 5, SyncedReplica = 6, Production = 7 }

public enum VMNetworkAdapterVlanMode { Untagged = 0, Access = 1, Trunk = 2, Private = 3 }

public enum VMNetworkAdapterPrivateVlanMode { Unknown = 0, Isolated = 1, Community = 2, Promiscuous = 3 }

public enum BootDevice { Floppy, CD, IDE, LegacyNetworkAdapter, NetworkAdapter, VHD }

public enum IPProtocolPreference { IPv4 = 4096, IPv6 = 4097 }

public enum ConsoleModeType { Default = 0, COM1 = 1, COM2 = 2, None = 3 }

public enum VMNetworkAdapterPortMirroringMode { None = 0, Destination = 1, Source = 2 }

public enum VMSwitchType { Private = 0, Internal = 1, External = 2 }

public enum VMSwitchBandwidthMode { Default = 0, Weight = 1, Absolute = 2, None = 3 }
