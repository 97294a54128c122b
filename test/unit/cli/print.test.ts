import { describe, expect, it } from "vitest";
import { age, duration, exactDuration } from "../../../src/cli/print/age.ts";
import { coloursFor } from "../../../src/cli/print/colour.ts";
import { valueAt } from "../../../src/cli/print/jsonpath.ts";
import { planText } from "../../../src/cli/print/plan.ts";
import { indent, table } from "../../../src/cli/print/table.ts";
import { toYaml } from "../../../src/cli/print/yaml.ts";
import { parseDuration } from "../../../src/cli/options.ts";
import type { PlannedObject, PlanReport } from "../../../src/server/control.ts";

const plain = coloursFor(false);

describe("ages as kubectl prints them", () => {
  const cases = [
    { ms: 0, text: "0s" },
    { ms: 119_000, text: "119s" },
    { ms: 120_000, text: "2m" },
    { ms: 192_000, text: "3m12s" },
    { ms: 11 * 60_000, text: "11m" },
    { ms: 5 * 3_600_000 + 4 * 60_000, text: "5h4m" },
    { ms: 47 * 3_600_000, text: "47h" },
    { ms: 3 * 86_400_000 + 4 * 3_600_000, text: "3d4h" },
    { ms: 40 * 86_400_000, text: "40d" },
    { ms: 740 * 86_400_000, text: "2y10d" },
    { ms: -5000, text: "0s" },
    { ms: Number.NaN, text: "<unknown>" },
  ];
  it.each(cases)("$ms ms is $text", ({ ms, text }) => expect(duration(ms)).toBe(text));

  it("counts from a time", () => expect(age("2026-01-01T00:00:00Z", new Date("2026-01-01T00:00:45Z"))).toBe("45s"));

  it.each([
    { ms: 12.4, text: "12ms" },
    { ms: 2440, text: "2.4s" },
    { ms: 192_000, text: "3m12s" },
  ])("exactly: $text", ({ ms, text }) => expect(exactDuration(ms)).toBe(text));
});

describe("durations that people type", () => {
  it.each([
    { text: "30s", ms: 30_000 },
    { text: "1h30m", ms: 5_400_000 },
    { text: "250ms", ms: 250 },
    { text: "1m250ms", ms: 60_250 },
    { text: "1d12h", ms: 129_600_000 },
  ])("$text", ({ text, ms }) => expect(parseDuration(text)).toBe(ms));
  it.each(["", "30", "s", "1w", "-5s", "5 s"])("refuses %j", (text) =>
    expect(() => parseDuration(text)).toThrow("expected a time"),
  );
});

describe("JSONPath of printer columns", () => {
  const root = { a: { b: [10, 20] }, conditions: [{ type: "Ready", status: "True" }] };
  it.each([
    { path: ".a.b[1]", value: 20 },
    { path: '.conditions[?(@.type=="Ready")].status', value: "True" },
    { path: '.conditions[?(@.type=="Other")].status', value: undefined },
    { path: ".a.c.d", value: undefined },
    { path: ".constructor", value: undefined },
  ])("$path", ({ path, value }) => expect(valueAt(root, path)).toEqual(value));
});

describe("tables", () => {
  it("align columns and end lines without spaces", () =>
    expect(
      table(
        ["NAME", "X"],
        [
          ["a", ""],
          ["longer", "1"],
        ],
      ),
    ).toBe("NAME     X\na\nlonger   1\n"));
  it("ignore colours when they measure", () =>
    expect(
      table(
        [],
        [
          [coloursFor(true).red("ab"), "c"],
          ["abcd", "e"],
        ],
      ).split("\n")[1],
    ).toBe("abcd   e"));
  it("indent all but empty lines", () => expect(indent("a\n\nb\n", 2)).toBe("  a\n\n  b\n"));
});

describe("YAML", () => {
  it("quotes what YAML 1.1 would read as something else", () =>
    expect(toYaml({ a: "yes", b: "012", c: "1:30", d: "n" })).toMatch(/a: "yes"\nb: "012"\nc: "?1:30"?\nd: "n"/));
});

const planned = (over: Partial<PlannedObject>): PlannedObject => ({
  key: { kind: "VirtualMachine", namespace: "default", name: "web" },
  action: "update",
  approval: "Manual",
  changes: [],
  ...over,
});

const report = (...objects: readonly PlannedObject[]): PlanReport => ({
  objects,
  summary: {
    create: objects.filter(({ action }) => action === "create").length,
    adopt: objects.filter(({ action }) => action === "adopt").length,
    update: objects.filter(({ action }) => action === "update").length,
    delete: objects.filter(({ action }) => action === "delete").length,
  },
  hosts: [{ name: "hv1", ageSeconds: 3, complete: true }],
  problems: [],
});

describe("the plan's text", () => {
  const restart = { path: "spec.cpu.count", from: 2, to: 4, effect: "Restart", operation: "vm.update" } as const;

  it("shows changes with their effects, what to do, and how old the view is", () => {
    const text = planText(report(planned({ changes: [restart], planHash: "abc", host: "hv1" })), plain);
    expect(text).toBe(
      [
        "~ update VirtualMachine default/web  (on hv1)",
        "    ~ spec.cpu.count   2 -> 4   # restart, needs approval",
        "    approve with: aetherv approve virtualmachine/web (plan abc)",
        "",
        "Plan: 0 to create, 1 to update, 0 to delete. 1 change needs approval.",
        "Hosts as seen: hv1 3s ago.",
        "",
      ].join("\n"),
    );
  });

  it("says that an automatic restart needs nobody", () => {
    const text = planText(report(planned({ changes: [restart], approval: "Automatic" })), plain);
    expect(text).toContain("# restart, by itself");
    expect(text).not.toContain("approval");
  });

  it("tells why a change is impossible", () => {
    const change = { ...restart, effect: "Forbidden", reason: "the host has 2 processors" } as const;
    const text = planText(report(planned({ changes: [change] })), plain);
    expect(text).toContain("# impossible: the host has 2 processors");
    expect(text).toContain("1 cannot be made.");
  });

  it("shows a guest's settings among the changes, each with what the guest does", () => {
    const guest = {
      at: "Change",
      when: "Now",
      meaning: "in the running guest",
      settings: [
        { name: "hostname", effect: "Restart", meaning: "restarts the guest" },
        { name: "file /etc/motd", effect: "Leave", meaning: "stays in the guest as it is" },
      ],
    } as const;
    expect(
      planText(report(planned({ changes: [restart], guest })), plain)
        .split("\n")
        .slice(0, 4),
    ).toEqual([
      "~ update VirtualMachine default/web",
      "    ~ spec.cpu.count          2 -> 4   # restart, needs approval",
      "    ~ guest: hostname                  # restarts the guest",
      "    - guest: file /etc/motd            # stays in the guest as it is",
    ]);
  });

  it.each([
    {
      at: "First",
      meaning: "configured at its first start",
      line: "    + guest: configured at its first start: hostname",
    },
    { at: "Dropped", meaning: "no longer configured", line: "    - guest: no longer configured" },
  ] as const)("shows a guest's configuration in one line: $at", ({ at, meaning, line }) => {
    const settings = at === "First" ? [{ name: "hostname", effect: "Apply", meaning: "" } as const] : [];
    const text = planText(report(planned({ guest: { at, when: "NextStart", meaning, settings } })), plain);
    expect(text.split("\n")[1]).toBe(line);
  });

  it("says which given Secrets it could not tell about", () => {
    const key = { kind: "VirtualMachine", namespace: "default", name: "web" };
    const untold = [{ key, secrets: ["web-admin"], settings: ["user operator (password)"] }];
    expect(planText({ ...report(), untold }, plain).split("\n")[1]).toBe(
      "Not told: Secret web-admin for virtualmachine/web (user operator (password)); a plan compares no values of Secrets.",
    );
  });

  it("tells a change by its place alone where the plan holds no values", () => {
    const change = { path: "spec.guest", effect: "Hot", operation: "none", reason: "stays the same" } as const;
    const text = planText(report(planned({ changes: [change] })), plain);
    expect(text.split("\n")[1]).toMatch(/^ {4}~ spec\.guest +# stays the same$/);
  });

  it("says the guard's message once for all that it holds", () => {
    const blocked = { reason: "MassDeleteGuard", message: "too many" };
    const held = [planned({ action: "delete", blocked }), planned({ action: "delete", blocked })];
    const text = planText(report(...held), plain);
    expect(text.split("too many")).toHaveLength(2);
  });

  it("says so when there is nothing", () =>
    expect(planText(report(), plain)).toBe("No changes. The hosts are as declared.\nHosts as seen: hv1 3s ago.\n"));
});
