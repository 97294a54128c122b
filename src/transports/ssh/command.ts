/** Folder of AetherV on every host; holds stub.ps1, agents\<sha256>\ and state\. */
export const HOST_ROOT = "C:\\ProgramData\\AetherV";

/**
 * The command line that runs a script given on STDIN (UTF-8): for the setup of a host, before there is a stub. The text
 * within is fixed, so the line holds no character that a shell would act upon.
 */
export const scriptCommand = (): string => {
  const text =
    "$r = New-Object IO.StreamReader([Console]::OpenStandardInput(), [Text.Encoding]::UTF8); & ([scriptblock]::Create($r.ReadToEnd()))";
  // A multiple of three characters needs no "=" at the end, at which cmd.exe would cut.
  const encoded = Buffer.from(text.padEnd(Math.ceil(text.length / 3) * 3), "utf16le").toString("base64");
  return `powershell.exe -NoProfile -NonInteractive -OutputFormat Text -ExecutionPolicy Bypass -EncodedCommand ${encoded}`;
};

/** What the stub understands; the same words in agents/hyperv/stub.ps1. */
export type StubWords =
  | readonly ["hello"]
  | readonly ["session" | "oneshot" | "upload" | "prune", string]
  | readonly ["kill", string]
  | readonly ["fence", string, string];

/**
 * The command line that runs the stub. Only characters that cmd.exe and PowerShell read alike, whichever is the
 * server's default shell; under a forced command the stub reads the same words from SSH_ORIGINAL_COMMAND.
 */
export const stubCommand = (words: StubWords, root = HOST_ROOT): string => {
  const program = "powershell.exe -NoProfile -NonInteractive -OutputFormat Text -ExecutionPolicy Bypass -File";
  const line = `${program} ${root}\\stub.ps1 ${words.join(" ")}`;
  if (!/^[A-Za-z0-9:\\._ -]+$/.test(line)) throw new Error(`the command line is not plain: ${line}`);
  return line;
};
