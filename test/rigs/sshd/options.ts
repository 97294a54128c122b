export const USER = "aetherv";
export const PASSWORD = "correct horse battery staple";

export interface SshdOptions {
  /** What the server hands command lines to. */
  readonly shell: "cmd.exe" | "powershell.exe";
  /** The remote program: the simulator behind the stub's words, or PowerShell with the real stub. */
  readonly agent: "simulator" | "powershell";
  /** Keys log in to this command only, as the account of `aetherv host prepare` does. */
  readonly forced?: boolean;
  /** sshd's own default is 10. */
  readonly maxSessions?: number;
}
