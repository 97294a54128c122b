/** Where the rig is, or why there is none. */
export type PowerShellRig =
  | {
      readonly kind: "ready";
      readonly folder: string;
      /** Holds the launchers `powershell.exe` (5.1) and `pwsh` (7). */
      readonly bin: string;
      /** Holds the emulated Hyper-V and CimCmdlets modules, for PSModulePath. */
      readonly modules: string;
    }
  | { readonly kind: "skipped"; readonly why: string };

/** Builds the rig if the sources changed. Several processes may call it at once. */
export function ensurePowerShell(): Promise<PowerShellRig>;
