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

/** Why a command ended that never reached the stub. */
export const noGreeting = (exitCode: number | undefined, said: readonly string[]): Fault => {
  if (exitCode === undefined) return fault("HostUnreachable", "the connection was lost before the agent answered");
  const words = said.filter((line) => line.trim() !== "" && !line.startsWith("#< CLIXML")).join(" | ");
  return fault(
    "HostNotPrepared",
    `PowerShell or AetherV's stub did not start (exit code ${exitCode})${words ? `: ${words.slice(0, 500)}` : ""}`,
  );
};
