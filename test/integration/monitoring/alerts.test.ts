import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { allMetrics } from "../../../scripts/generate/metrics.ts";
import { ensurePromtool } from "../../../scripts/rigs/promtool.ts";

const root = join(import.meta.dirname, "../../..");
const rulesFile = join(root, "charts/aetherv/files/alerts.yaml");
const runbooks = join(root, "docs/runbooks");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const rules = (
  parse(await readFile(rulesFile, "utf8")) as { groups: readonly { rules: readonly Rule[] }[] }
).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(await readFile(join(root, "charts/aetherv/files/dashboard.json"), "utf8")) as {
  readonly panels: readonly Panel[];
};

/** Series that Prometheus has of each metric, with their labels. */
const series = new Map(
  allMetrics().flatMap(({ name, type, labels }): (readonly [string, ReadonlySet<string>])[] =>
    type === "histogram"
      ? [
          [`${name}_bucket`, new Set([...labels, "le"])],
          [`${name}_sum`, new Set(labels)],
          [`${name}_count`, new Set(labels)],
        ]
      : [[name, new Set(labels)]],
  ),
);
/** What Prometheus and its operator add. */
const added = new Set(["job", "instance", "pod", "namespace"]);

/** What of an expression names no metric, or no label of the metrics that it uses. */
const unknownIn = (expr: string): readonly string[] => {
  const text = expr.replaceAll(/"[^"]*"/g, '""');
  const names = [...text.matchAll(/\b(?:aetherv|nodejs|process)_[a-z0-9_]+/g)].map(([name]) => name);
  const labels = new Set(names.flatMap((name) => [...(series.get(name) ?? [])]));
  const used = [
    ...[...text.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)\s*""/g)].map(([, label = ""]) => label),
    ...[...text.matchAll(/\b(?:by|ignoring|on)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/\s*,\s*/)),
  ];
  return [
    ...names.filter((name) => !series.has(name)),
    ...used.filter((label) => label !== "" && !labels.has(label) && !added.has(label)),
  ];
};

describe("alerts", () => {
  it.each(rules)("$alert uses only metrics that exist, and has its runbook", async ({ alert, expr, ...rule }) => {
    expect(unknownIn(expr)).toEqual([]);
    expect(["critical", "warning"]).toContain(rule.labels["severity"]);
    expect(rule.annotations["runbook_url"]).toMatch(new RegExp(`docs/runbooks/${alert}\\.md$`));
    const text = await readFile(join(runbooks, `${alert}.md`), "utf8");
    for (const part of [`# ${alert}`, "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"])
      expect(text).toContain(`${part}\n`);
  });

  it("every runbook belongs to an alert", async () => {
    expect((await readdir(runbooks)).sort()).toEqual(rules.map(({ alert }) => `${alert}.md`).sort());
  });

  it("notices what does not exist", () => {
    expect(unknownIn('sum by (hots) (aetherv_host_reachble{kind="x"})')).toEqual([
      "aetherv_host_reachble",
      "kind",
      "hots",
    ]);
  });
});

describe("runbooks", () => {
  let commands: ReadonlySet<string>;
  beforeAll(async () => {
    const main = join(root, "src/app/main.ts");
    const help = async (...words: string[]): Promise<readonly string[]> => {
      const { stdout } = await promisify(execFile)(process.execPath, [main, ...words, "--help"]);
      return [...stdout.replace(/^[^]*\nCommands:\n/, "").matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = ""]) => name);
    };
    const host = await help("host");
    commands = new Set([...(await help()), ...host.map((name) => `host ${name}`)]);
  });

  it("name only commands of aetherv that exist", async () => {
    const texts = await Promise.all((await readdir(runbooks)).map((name) => readFile(join(runbooks, name), "utf8")));
    const all = [...texts, ...rules.map(({ annotations }) => annotations["description"] ?? "")].join("\n");
    const named = [...all.matchAll(/(?:^|`|: )(?:kubectl )?aetherv ((?:host )?[a-z-]+)/gm)].map(
      ([, name = ""]) => name,
    );
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((name) => !commands.has(name))).toEqual([]);
  });
});

describe("dashboard", () => {
  const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

  it.each(queries)("$title: $expr", ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  it("shows every metric of ours that is not a detail", () => {
    const text = queries.map(({ expr }) => expr).join("\n");
    const details = [
      "aetherv_epoch",
      "aetherv_file_problems",
      "aetherv_storage_write_errors_total",
      "aetherv_host_inventories_total",
      "aetherv_host_inventory_interval_seconds",
    ];
    const unshown = allMetrics()
      .map(({ name }) => name)
      .filter((name) => name.startsWith("aetherv_") && !text.includes(name));
    expect(unshown.sort()).toEqual(details.sort());
  });
});

describe("metrics", () => {
  it.each(allMetrics().filter(({ name }) => name.startsWith("aetherv_")))(
    "$name is named as Prometheus asks",
    (metric) => {
      expect(metric.name.endsWith("_total")).toBe(metric.type === "counter");
      if (metric.name.endsWith("_seconds")) expect(metric.help).toMatch(/[Ss]econds$|^How .*Seconds$/);
      if (metric.name.endsWith("_bytes")) expect(metric.help).toMatch(/Bytes$/);
      // A name, uid or path as a label would be a series for every object there ever was.
      const bounded = [
        "kind",
        "outcome",
        "operation",
        "code",
        "field",
        "host",
        "volume",
        "state",
        "size",
        "ready",
        "reason",
        "verb",
        "resource",
        "store",
        "version",
        "node",
      ];
      expect(bounded).toEqual(expect.arrayContaining([...metric.labels]));
    },
  );
});

const rig = await ensurePromtool();

describe("promtool", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "aetherv-rules-"));
    await copyFile(join(import.meta.dirname, "alerts.test.yaml"), join(folder, "alerts.test.yaml"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Exit code and output of the unit tests over these rules. */
  const test = async (text: string): Promise<{ readonly code: number; readonly said: string }> => {
    if (rig.kind !== "ready") throw new Error(rig.why);
    await writeFile(join(folder, "alerts.yaml"), text);
    const args = ["test", "rules", join(folder, "alerts.test.yaml")];
    return await new Promise((resolve) => {
      execFile(rig.promtool, args, (error, out, err) => resolve({ code: error ? 1 : 0, said: out + err }));
    });
  };

  it("the alerts fire when they should, and only then", async ({ skip }) => {
    if (rig.kind === "skipped") skip(rig.why);
    const { code, said } = await test(await readFile(rulesFile, "utf8"));
    expect(code, said).toBe(0);
  });

  it.for(rules)("the tests notice when $alert never fires", async ({ alert, expr }, { skip }) => {
    if (rig.kind === "skipped") skip(rig.why);
    const { groups } = parse(await readFile(rulesFile, "utf8")) as { groups: { rules: Rule[] }[] };
    const broken = groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => (rule.alert === alert ? { ...rule, expr: `(${expr}) > 1e9` } : rule)),
    }));
    const { code } = await test(JSON.stringify({ groups: broken }));
    expect(code).toBe(1);
  });
});
