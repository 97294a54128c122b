import { describe, expect, it } from "vitest";
import { kinds } from "../../../src/api/kinds.ts";
import { argoHealth } from "../../support/argoHealth.ts";

const object = (status: unknown, metadata: object = {}): { kind: string; metadata: object; status: unknown } => ({
  kind: "VirtualMachine",
  metadata: { name: "web", generation: 2, ...metadata },
  status,
});

const seen = (...conditions: readonly (readonly [string, string, string])[]): object => ({
  observedGeneration: 2,
  conditions: conditions.map(([type, status, reason]) => ({ type, status, reason, message: `of ${reason}` })),
});

const cases: readonly { why: string; is: string; of: Parameters<typeof argoHealth>[0] }[] = [
  { why: "nobody has looked yet", is: "Progressing", of: object(undefined) },
  { why: "an empty status says nothing", is: "Progressing", of: object({}) },
  { why: "first sight is no verdict", is: "Progressing", of: object(seen(["Ready", "Unknown", "FirstSight"], ["Reconciling", "True", "FirstSight"])) },
  { why: "as declared", is: "Healthy", of: object(seen(["Ready", "True", "Converged"])) },
  { why: "changes that wait for a restart do not make a machine sick", is: "Healthy", of: object(seen(["Ready", "True", "ChangesPending"], ["RestartRequired", "True", "AwaitingApproval"])) },
  { why: "Ready of the generation before", is: "Progressing", of: object({ ...seen(["Ready", "True", "Converged"]), observedGeneration: 1 }) },
  { why: "jobs run", is: "Progressing", of: object(seen(["Ready", "False", "Progressing"], ["Reconciling", "True", "Progressing"])) },
  { why: "the host does not answer: unknown is not broken", is: "Progressing", of: object(seen(["Ready", "Unknown", "HostUnreachable"], ["Reconciling", "True", "HostUnreachable"])) },
  { why: "somebody has to act", is: "Degraded", of: object(seen(["Ready", "False", "NameConflict"], ["Stalled", "True", "NameConflict"])) },
  { why: "somebody has to say yes", is: "Suspended", of: object(seen(["Ready", "False", "AwaitingApproval"], ["Stalled", "True", "AwaitingApproval"])) },
  { why: "held back by people", is: "Suspended", of: object(seen(["Ready", "True", "Converged"], ["Paused", "True", "Paused"])) },
  { why: "going away", is: "Progressing", of: object(seen(["Ready", "True", "Converged"]), { deletionTimestamp: "2026-01-01T00:00:00Z" }) },
  { why: "its deletion is stuck", is: "Degraded", of: object(seen(["Ready", "False", "MassDeleteGuard"], ["Stalled", "True", "MassDeleteGuard"]), { deletionTimestamp: "2026-01-01T00:00:00Z" }) },
];

describe("health in Argo CD", () => {
  it.each(cases)("$is: $why", async ({ of, is }) => {
    expect((await argoHealth(of)).status).toBe(is);
  });

  it("says why, in the condition's words", async () => {
    const { message } = await argoHealth(object(seen(["Ready", "False", "NameConflict"], ["Stalled", "True", "NameConflict"])));
    expect(message).toBe("NameConflict: of NameConflict");
  });

  it.each(kinds.map(({ kind }) => kind))("is there for %s", async (kind) => {
    expect(await argoHealth({ ...object(seen(["Ready", "True", "Converged"])), kind })).toMatchObject({ status: "Healthy" });
  });
});
