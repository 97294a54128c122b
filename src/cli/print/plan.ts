import type { Effect } from "../../engine/ports.ts";
import type { PlanAction, PlanReport, PlannedChange, PlannedObject } from "../../server/control.ts";
import { keyShort } from "../names.ts";
import { duration } from "./age.ts";
import type { Colours } from "./colour.ts";
import { columnWidths, line } from "./table.ts";

const effectWords = ({ effect, operation }: PlannedChange, { action, approval, machine }: PlannedObject): string => {
  const whose = machine === undefined ? "" : ` of ${keyShort(machine)}`;
  const who = approval === "Manual" ? `needs approval${whose}` : "by itself";
  switch (effect) {
    case "Hot":
      // Of what is made anew every field is.
      return action === "update" && operation !== "none" ? "hot: as it runs" : "";
    case "Disruptive":
      return `disruptive, ${who}`;
    case "Restart":
      return `restart, ${who}`;
    case "Recreate":
      return "only by making it anew: not done";
    case "Forbidden":
      return "impossible";
    default:
      return effect satisfies never;
  }
};

const signs: Readonly<Record<PlanAction, string>> = { create: "+", adopt: "=", update: "~", delete: "-" };

/** The whole plan as people know it from `terraform plan`. */
export const planText = (report: PlanReport, colours: Colours): string => {
  const objects = report.objects.map((object) => `${objectText(object, colours)}\n`);
  return [
    ...objects,
    guardText(report),
    summaryText(report, colours),
    untoldText(report, colours),
    viewText(report, colours),
  ]
    .filter(Boolean)
    .join("");
};

const guard = "MassDeleteGuard";

const guardText = ({ objects }: PlanReport): string => {
  const held = objects.flatMap(({ blocked }) => (blocked?.reason === guard ? [blocked.message] : []));
  return [...new Set(held)].map((message) => `${guard}: ${message}\n`).join("");
};

const paint = (action: PlanAction, colours: Colours): ((text: string) => string) =>
  ({ create: colours.green, adopt: colours.green, update: colours.yellow, delete: colours.red })[action];

const objectText = (object: PlannedObject, colours: Colours): string => {
  const { key, action, host, place, note, blocked, planHash, machine } = object;
  const title = `${key.kind} ${key.namespace === "" ? "" : `${key.namespace}/`}${key.name}`;
  const where = [host === undefined ? "" : `on ${host}`, place ? placeText(place) : ""].filter(Boolean).join(", ");
  const head = `${signs[action]} ${action} ${title}`;
  const lines = [paint(action, colours)(head) + (where ? colours.dim(`  (${where})`) : "")];
  lines.push(...changeLines(object, colours), ...guestLines(object, colours));
  if (note !== undefined) lines.push(`    ${note}`);
  // One guard holds many: its message stands once, below.
  if (blocked?.reason === guard) lines.push(`    ${colours.red("!")} ${guard}`);
  else if (blocked) lines.push(`    ${colours.red("!")} ${blocked.reason}: ${blocked.message}`);
  if (machine !== undefined) lines.push(colours.dim(`    approve with: aetherv approve ${keyShort(machine)}`));
  if (planHash !== undefined)
    lines.push(colours.dim(`    approve with: aetherv approve ${keyShort(key)} (plan ${planHash})`));
  return `${lines.join("\n")}\n`;
};

const placeText = (place: { file: string; line?: number }): string =>
  place.line === undefined ? place.file : `${place.file}:${place.line}`;

const changeLines = (object: PlannedObject, colours: Colours): readonly string[] => {
  const rows = [...object.changes.map((change) => changeRow(object, change, colours)), ...settingRows(object, colours)];
  const widths = columnWidths(rows).map((width) => Math.min(width, widestColumn));
  return rows.map((row) => `    ${line(row, widths)}`);
};

/** One long value does not push the effects of all others out of sight. */
const widestColumn = 60;

/** Of a change whose values are not told neither is there. */
const signOf = ({ from, to }: PlannedChange): "+" | "-" | "~" => {
  if ((from === undefined) === (to === undefined)) return "~";
  return from === undefined ? "+" : "-";
};

const changeRow = (object: PlannedObject, change: PlannedChange, colours: Colours): readonly string[] => {
  const sign = signOf(change);
  const kind: PlanAction = sign === "+" ? "create" : sign === "-" ? "delete" : "update";
  const why = change.reason === undefined ? "" : `: ${change.reason}`;
  const words = effectWords(change, object);
  const effect = words || why ? colours.magenta(`# ${words}${why}`.replace("# : ", "# ")) : "";
  return [`${paint(kind, colours)(sign)} ${change.path}`, valuesText(change), effect];
};

/** A row for each setting of a guest that changes. */
const settingRows = ({ guest }: PlannedObject, colours: Colours): readonly (readonly string[])[] =>
  guest?.at === "Change"
    ? guest.settings.map(({ name, effect, meaning }) => {
        const sign = effect === "Leave" ? colours.red("-") : colours.yellow("~");
        return [`${sign} guest: ${name}`, "", colours.magenta(`# ${meaning}`)];
      })
    : [];

/** A first configuration, or the end of it, in one line. */
const guestLines = ({ guest }: PlannedObject, colours: Colours): readonly string[] => {
  if (guest?.at === "Dropped") return [`    ${colours.red("-")} guest: ${guest.meaning}`];
  if (guest?.at !== "First") return [];
  return [`    ${colours.green("+")} guest: ${guest.meaning}: ${guest.settings.map(({ name }) => name).join(", ")}`];
};

const valuesText = ({ from, to }: PlannedChange): string => {
  if (from === undefined) return value(to);
  return `${value(from)} -> ${to === undefined ? "(not set)" : value(to)}`;
};

const value = (of: unknown): string => {
  if (of === undefined) return "";
  const text = JSON.stringify(of);
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
};

const summaryText = ({ summary, objects, problems }: PlanReport, colours: Colours): string => {
  const approvals = objects
    .filter((object) => object.approval === "Manual")
    .flatMap((object) => object.changes)
    .filter((change) => needsApproval(change.effect)).length;
  const impossible = objects.flatMap((object) => object.changes).filter((change) => isRefused(change.effect)).length;
  if (objects.length === 0)
    return problems.length > 0 ? "" : `${colours.bold("No changes.")} The hosts are as declared.\n`;
  const adopted = summary.adopt > 0 ? [`${summary.adopt} to adopt`] : [];
  const parts = [
    `${summary.create} to create`,
    ...adopted,
    `${summary.update} to update`,
    `${summary.delete} to delete`,
  ];
  const extra = [
    approvals > 0 ? `${approvals} change${approvals === 1 ? "" : "s"} need${approvals === 1 ? "s" : ""} approval` : "",
    impossible > 0 ? `${impossible} cannot be made` : "",
  ].filter(Boolean);
  return `${colours.bold("Plan:")} ${parts.join(", ")}.${extra.length > 0 ? ` ${extra.join(", ")}.` : ""}\n`;
};

const needsApproval = (effect: Effect): boolean => effect === "Disruptive" || effect === "Restart";
const isRefused = (effect: Effect): boolean => effect === "Recreate" || effect === "Forbidden";

const untoldText = ({ untold = [] }: PlanReport, colours: Colours): string =>
  untold
    .map(({ key, secrets, settings }) => {
      const whose = `Secret${secrets.length === 1 ? "" : "s"} ${secrets.join(", ")}`;
      const what = `Not told: ${whose} for ${keyShort(key)} (${settings.join(", ")}); a plan compares no values of Secrets.`;
      return `${colours.dim(what)}\n`;
    })
    .join("");

const viewText = ({ hosts }: PlanReport, colours: Colours): string => {
  if (hosts.length === 0) return "";
  const views = hosts.map(({ name, ageSeconds, complete, fault }) => {
    if (ageSeconds === undefined) return `${name}: not seen${fault === undefined ? "" : ` (${fault})`}`;
    const doubt = complete ? "" : ", incomplete";
    return `${name} ${duration(ageSeconds * 1000)} ago${doubt}${fault === undefined ? "" : ` (${fault})`}`;
  });
  return colours.dim(`Hosts as seen: ${views.join("; ")}.\n`);
};
