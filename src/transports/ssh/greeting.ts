import { fault, isErrorCode, type Fault } from "../../protocol/errors.ts";

/** The first thing the stub says, on STDERR, so that STDOUT belongs to the agent alone. */
export type Greeting =
  { readonly at: "ready"; readonly pid: number } | { readonly at: "refused"; readonly fault: Fault };

const READY = /^AETHERV-STUB ready (\d{1,10})$/;
const REFUSED = /^AETHERV-STUB refused (\w+) (.*)$/;

/** Undefined for any other line. */
export const greeting = (line: string): Greeting | undefined => {
  const ready = READY.exec(line);
  if (ready) return { at: "ready", pid: Number(ready[1]) };
  const refused = REFUSED.exec(line);
  if (!refused) return undefined;
  const [, code, text] = refused;
  return { at: "refused", fault: fault(isErrorCode(code) ? code : "InternalError", text) };
};

/** How far a host got that never reached the stub. */
export interface Obstacle {
  readonly text: string;
  /** In what PowerShell said or how it ended; its messages are of the host's language, these parts are not. */
  readonly sign: (exitCode: number, words: string) => boolean;
}

/** What keeps a host's PowerShell from running the stub, by the first sign that fits. */
export const OBSTACLES = {
  language: {
    text: "a policy (AppLocker, WDAC) holds PowerShell in ConstrainedLanguage mode",
    sign: (exitCode) => exitCode === 78,
  },
  policy: {
    text: "an execution policy (AllSigned or Restricted, by group policy) forbids the stub",
    sign: (_, words) => /about_Execution_Policies|PSSecurityException|UnauthorizedAccess/.test(words),
  },
  stub: {
    text: "AetherV's stub is not on the host",
    // powershell.exe's -196608 as sshd passes it on, or pwsh's 64.
    sign: (exitCode, words) => [4_294_770_688, -196_608, 64].includes(exitCode) && words.includes("-File"),
  },
  powershell: { text: "PowerShell or AetherV's stub did not start", sign: () => true },
} as const satisfies Readonly<Record<string, Obstacle>>;

/** Why a command ended that never reached the stub. */
export const noGreeting = (exitCode: number | undefined, said: readonly string[]): Fault => {
  if (exitCode === undefined) return fault("HostUnreachable", "the connection was lost before the agent answered");
  const lines = said.filter((line) => line.trim() !== "" && !line.startsWith("#< CLIXML"));
  // Lines are wrapped at the width of a console that is not there, within words too.
  const whole = lines.map((line) => line.trim()).join("");
  const { text } = Object.values(OBSTACLES).find(({ sign }) => sign(exitCode, whole)) ?? OBSTACLES.powershell;
  const words = lines.length === 0 ? "" : `: ${lines.join(" | ").slice(0, 500)}`;
  return fault("HostNotPrepared", `${text} (exit code ${exitCode})${words}`);
};
