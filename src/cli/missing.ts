import type { MissingReplica } from "../api/missingReplicas.ts";
import type { TellMissing } from "../server/control.ts";
import type { Tools } from "./context.ts";

/** Says which replicas' part a list lacks; the exit code tells scripts that it is not whole. */
export const tellMissing =
  (tools: Tools, what: "jobs" | "events"): TellMissing =>
  (replica) => {
    tools.context.terminal.err(`${missingText(replica, what)}\n`);
    tools.exit(1);
  };

const missingText = ({ name, why, hosts, hostCount }: MissingReplica, what: "jobs" | "events"): string => {
  const more = hostCount - hosts.length;
  const named = `${hosts.join(", ")}${more > 0 && hosts.length > 0 ? ` and ${more} more` : ""}`;
  const on = hosts.length > 0 ? ` on ${named}` : "";
  return `incomplete: the ${what} of replica ${name}${on} are missing: ${why}`;
};
