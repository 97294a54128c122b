import type { VMHost } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import type { HostView } from "../../src/engine/ports.ts";
import { ERRORS, type ErrorCode } from "../../src/protocol/errors.ts";
import { isPaused } from "../shared/objects.ts";

type Status = NonNullable<VMHost["status"]>;
const { condition } = conditions;

/** All conditions of a host that is not under deletion. */
export const hostConditions = (host: VMHost, view: HostView | undefined, next: Status): readonly ConditionDraft[] => [
  ...(isPaused(host) ? conditions.paused(host.status?.conditions) : trioOf(host, view)),
  reachable(host, view),
  agentReady(view),
  ...capacity(next),
];

const kept = (host: VMHost, message: string): readonly ConditionDraft[] => {
  const last = (host.status?.conditions ?? []).filter(({ type }) => ["Ready", "Reconciling", "Stalled"].includes(type));
  return last.length > 0
    ? last.map((one) => condition(one.type, one.status, one.reason, one.message))
    : conditions.firstSight(message);
};

const trioOf = (host: VMHost, view: HostView | undefined): readonly ConditionDraft[] => {
  if (!view || view.reach.at === "connecting") return kept(host, "Being connected.");
  if (view.reach.at === "down") {
    const { fault, missed } = view.reach;
    if (ERRORS[fault.code].class === "user") return conditions.stalled(fault.code, fault.message);
    return missed >= 2 ? conditions.unknownHost(fault.message) : kept(host, fault.message);
  }
  const [problem] = view.problems ?? [];
  if (problem) {
    const all = (view.problems ?? []).map(({ field, message }) => `spec.${field}: ${message}`).join(" ");
    return conditions.stalled(problem.code, all);
  }
  if (!view.agent || !view.problems || !view.snapshot || view.snapshot.inventories === 0) {
    return conditions.progressing("The host is looked at.");
  }
  if (!view.snapshot.complete) {
    const parts = [...view.snapshot.unknownParts].sort().join(", ");
    return conditions.waiting("Retrying", `The last look was not complete${parts ? `; not read: ${parts}` : ""}.`);
  }
  return host.spec.managementPolicy === "Observe" ? conditions.observed() : conditions.ready();
};

const reachable = (host: VMHost, view: HostView | undefined): ConditionDraft => {
  if (view?.reach.at === "up") return condition("Reachable", "True", "Reachable", "The host answers.");
  const last = conditions.findCondition(host.status?.conditions, "Reachable");
  if (view?.reach.at === "down" && withoutAgent.has(view.reach.fault.code))
    return condition("Reachable", "True", "Reachable", "The host answers, without an agent.");
  if (view?.reach.at === "down" && view.reach.missed >= 2) {
    return condition("Reachable", "False", view.reach.fault.code, view.reach.fault.message);
  }
  return last
    ? condition("Reachable", last.status, last.reason, last.message)
    : condition("Reachable", "Unknown", "Progressing", "Being connected.");
};

/** The host answers, and no agent can be had on it: it could not be put there, or does not start. */
const withoutAgent: ReadonlySet<ErrorCode> = new Set([
  "VersionMismatch",
  "HostNotPrepared",
  "PermissionDenied",
  "InsufficientStorage",
]);

const agentReady = (view: HostView | undefined): ConditionDraft => {
  if (view?.reach.at === "down" && withoutAgent.has(view.reach.fault.code))
    return condition("AgentReady", "False", view.reach.fault.code, view.reach.fault.message);
  if (view?.agent) return condition("AgentReady", "True", "AgentReady", `Agent ${view.agent.version}.`);
  return view?.reach.at === "down"
    ? condition("AgentReady", "False", view.reach.fault.code, view.reach.fault.message)
    : condition("AgentReady", "Unknown", "Deploying", "The agent has not answered yet.");
};

const GiB = 2 ** 30;

const capacity = ({ capacity: has, allocated }: Status): readonly ConditionDraft[] => {
  if (!has?.memory) return [condition("CapacityAvailable", "Unknown", "Progressing", "Not known yet.")];
  const full = [
    ...((allocated?.memory ?? 0) >= has.memory ? ["memory"] : []),
    ...(has.storage ?? []).filter(({ free = 0 }) => free < GiB).map(({ name }) => `storage class ${name}`),
  ];
  return full.length === 0
    ? [condition("CapacityAvailable", "True", "Available", "There is room for more.")]
    : [condition("CapacityAvailable", "False", "Exhausted", `No room: ${full.join(", ")}.`)];
};
