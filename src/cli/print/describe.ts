import type { Resource } from "../../api/resource.ts";
import type { EventReport } from "../../server/control.ts";
import { age } from "./age.ts";
import type { Colours } from "./colour.ts";
import { conditionsOf } from "./objects.ts";
import { indent, table } from "./table.ts";
import { toYaml } from "./yaml.ts";

interface Pending {
  readonly path: string;
  readonly from?: string;
  readonly to?: string;
  readonly effect: string;
  readonly reason?: string;
}

export interface DescribeInput {
  readonly object: Resource;
  readonly events: readonly EventReport[];
  readonly now: Date;
  readonly colours: Colours;
}

/** Everything of one object for a person: metadata, spec, status, conditions, pending changes and events. */
export const describeText = ({ object, events, now, colours }: DescribeInput): string => {
  const {
    conditions: _shownBelow,
    pendingChanges = [],
    ...rest
  } = (object.status ?? {}) as {
    conditions?: unknown;
    pendingChanges?: readonly Pending[];
  };
  return [
    metadataText(object, now),
    section("Spec", toYaml(object.spec), colours),
    Object.keys(rest).length > 0 ? section("Status", toYaml(rest), colours) : "",
    section("Conditions", conditionsText(object, now), colours),
    pendingChanges.length > 0 ? section("Pending changes", pendingText(pendingChanges), colours) : "",
    section("Events", eventsText(events, now), colours),
  ].join("");
};

const section = (title: string, body: string, colours: Colours): string =>
  `${colours.bold(`${title}:`)}\n${indent(body, 2)}`;

const metadataText = ({ kind, metadata }: Resource, now: Date): string => {
  const pairs = (values: Readonly<Record<string, string>> | undefined): string =>
    Object.entries(values ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join(", ") || "<none>";
  const rows = [
    ["Name:", metadata.name],
    ...(metadata.namespace === undefined || metadata.namespace === "" ? [] : [["Namespace:", metadata.namespace]]),
    ["Kind:", kind],
    ...(metadata.ownerReferences ?? []).map((owner) => ["Owner:", `${owner.kind}/${owner.name}`]),
    ["Labels:", pairs(metadata.labels)],
    ["Annotations:", pairs(metadata.annotations)],
    ["UID:", metadata.uid],
    ["Generation:", String(metadata.generation)],
    ["Created:", `${metadata.creationTimestamp} (${age(metadata.creationTimestamp, now)} ago)`],
    ...(metadata.deletionTimestamp === undefined ? [] : [["Deleting since:", metadata.deletionTimestamp]]),
  ];
  return table([], rows);
};

const conditionsText = (object: Resource, now: Date): string => {
  const rows = conditionsOf(object).map(({ type, status, reason, message, lastTransitionTime }) => [
    type,
    status,
    age(lastTransitionTime, now),
    reason,
    message,
  ]);
  return rows.length > 0 ? table(["TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"], rows) : "<none>\n";
};

const pendingText = (changes: readonly Pending[]): string =>
  table(
    ["PATH", "FROM", "TO", "EFFECT", "REASON"],
    changes.map(({ path, from = "", to = "", effect, reason = "" }) => [path, from, to, effect, reason]),
  );

const eventsText = (events: readonly EventReport[], now: Date): string => {
  const rows = events.map(({ type, reason, message, count, lastSeen }) => [
    age(lastSeen, now),
    count > 1 ? `x${count}` : "",
    type,
    reason,
    message,
  ]);
  return rows.length > 0 ? table(["LAST SEEN", "COUNT", "TYPE", "REASON", "MESSAGE"], rows) : "<none>\n";
};
