import type { Fault, FaultRule } from "../../../agents/simulator/model/faults.ts";
import { readBehaviour, writeBehaviour } from "../../../agents/simulator/process/host.ts";
import { ERRORS, isErrorCode } from "../../protocol/errors.ts";
import { OPERATION_EFFECTS, type Operation } from "../../protocol/generated/types.ts";
import { choice, existingHost, invalid, numberArgument, type AdminAction } from "./act.ts";

const TYPES = [
  "slow",
  "hang",
  "cut",
  "garbage",
  "duplicate",
  "lost",
  "partial",
  "crash",
  "error",
  "incomplete",
] as const;
const PARTS = ["vms", "disks", "trash", "host", "images", "switches", "guest"] as const;

/** TYPE or TYPE=DETAIL: slow=MS, crash=POINT, error=CODE, incomplete=PART. */
const parseFault = (text: string): Fault => {
  const [name = "", detail = ""] = text.split(/=(.*)/s);
  const type = choice("FAULT", name, TYPES);
  switch (type) {
    case "slow":
      return { type, ms: numberArgument("slow", detail || "5000", 0, 3_600_000) };
    case "crash":
      return detail === ""
        ? invalid("crash: expected crash=POINT, as crash=stamped or crash=before:renamed")
        : { type, point: detail };
    case "error":
      return isErrorCode(detail)
        ? { type, code: detail }
        : invalid(`error: expected error=CODE, one of ${Object.keys(ERRORS).join(", ")}`);
    case "incomplete":
      return { type, part: choice("incomplete", detail, PARTS) };
    default:
      return { type };
  }
};

const OPTIONS: Readonly<Record<string, (text: string) => Partial<FaultRule>>> = {
  operation: (text) => ({ operation: choice("operation", text, Object.keys(OPERATION_EFFECTS) as Operation[]) }),
  target: (text) => ({ target: text }),
  count: (text) => ({ count: numberArgument("count", text, 1, 1_000_000) }),
  probability: (text) => {
    const value = Number(text);
    return value > 0 && value <= 1
      ? { probability: value }
      : invalid(`probability: expected a number from 0 to 1, got "${text}"`);
  },
};

const parseOption = (text: string): Partial<FaultRule> => {
  const [name = "", value = ""] = text.split(/=(.*)/s);
  const parse = OPTIONS[name] ?? invalid(`"${text}": expected ${Object.keys(OPTIONS).join("=, ")}=`);
  return parse(value);
};

/** FAULT [operation=OP] [target=TEXT] [count=N] [probability=P] */
export const addFault: AdminAction = async (stateDir, [fault = "", ...options]) => {
  existingHost(stateDir);
  const behaviour = readBehaviour(stateDir);
  // Uses are counted by id in the host's state, so an id is not given twice.
  const id = `f${Date.now().toString(36)}`;
  const rule = options
    .map(parseOption)
    .reduce<FaultRule>((all, one) => ({ ...all, ...one }), { id, fault: parseFault(fault) });
  writeBehaviour(stateDir, { ...behaviour, faults: [...(behaviour.faults ?? []), rule] });
  const chance = rule.probability === undefined ? "every time" : `with probability ${rule.probability}`;
  const times = rule.count === undefined ? chance : `${rule.count} time${rule.count === 1 ? "" : "s"}`;
  return `Fault ${id}: ${fault} strikes ${rule.operation ?? "every operation"}${rule.target ? ` that names "${rule.target}"` : ""}, ${times}.`;
};

export const clearFaults: AdminAction = async (stateDir, ids) => {
  existingHost(stateDir);
  const { faults = [], ...behaviour } = readBehaviour(stateDir);
  const left = ids.length === 0 ? [] : faults.filter((rule) => !ids.includes(rule.id));
  writeBehaviour(stateDir, { ...behaviour, faults: left });
  return `${faults.length - left.length} faults removed, ${left.length} left.`;
};

/** Multiplies every duration by a factor: 0 = no waiting, 1 = as by default. */
export const setLatency: AdminAction = async (stateDir, [text = ""]) => {
  existingHost(stateDir);
  const factor = Number(text);
  if (text === "" || !(factor >= 0)) invalid(`FACTOR: expected a number from 0 up, got "${text}"`);
  const behaviour = readBehaviour(stateDir);
  writeBehaviour(stateDir, { ...behaviour, latency: { ...behaviour.latency, factor } });
  return `Everything on the host now takes ${factor} times as long as by default.`;
};
