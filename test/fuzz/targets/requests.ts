import { caseFiles, fixtures } from "../../contract/agent/cases.ts";

/** Values by {"$": name} put in; what names an earlier result stays as it stands. */
const filled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(filled);
  if (typeof value !== "object" || value === null) return value;
  const name = (value as { $?: unknown }).$;
  if (typeof name === "string") return filled(fixtures.values[name]);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filled(member)]));
};

const envelope = (operation: string, spec: unknown, dryRun: boolean): object => ({
  operation,
  resource_spec: filled(spec),
  correlation_id: "1".padStart(26, "0"),
  metadata: {
    timestamp: "2026-01-01T00:00:00Z",
    host: "host-1",
    control_plane: "plane-1",
    epoch: 5,
    deadline_seconds: 30,
    debug: false,
    dry_run: dryRun,
    locks: [],
  },
});

/** A request of each job that the conformance cases send; a dry run costs no copies and changes nothing. */
export const requestSeeds = ({ dryRun }: { readonly dryRun: boolean }): readonly Buffer[] => {
  const sent = caseFiles().flatMap(({ cases }) =>
    cases.flatMap(({ steps }) => steps.flatMap((step) => ("send" in step ? [step] : []))),
  );
  const texts = new Set(sent.map(({ send, spec }) => JSON.stringify(envelope(send, spec, dryRun))));
  return [...texts].map((text) => Buffer.from(text));
};
