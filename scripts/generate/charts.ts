import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from "yaml";
import { crdFiles, crdPath, readCrd } from "./crds.ts";
import type { GeneratedFile } from "./model.ts";

const charts = ["aetherv", "aetherv-crds"] as const;
const begin = "<!-- Values: generated from values.yaml by `npm run generate`. -->";

/** Copies of the CRDs, as a chart takes no file from outside, and the table of values in each chart's README. */
export async function* chartFiles(root: string): AsyncGenerator<GeneratedFile> {
  for (const chart of charts) {
    for (const file of crdFiles)
      yield { path: `charts/${chart}/files/crds/${file}.yaml`, text: readFileSync(crdPath(root, file), "utf8") };
    const path = `charts/${chart}/README.md`;
    const [prose] = readFileSync(join(root, path), "utf8").split(begin);
    const values = readFileSync(join(root, `charts/${chart}/values.yaml`), "utf8");
    const text = await format(`${prose}${begin}\n\n${valuesTable(values)}`, { parser: "markdown", printWidth: 120 });
    yield { path, text };
  }
  yield argoSettings(root);
}

const indented = (text: string): string => text.replaceAll(/^(?=.)/gm, "    ");

/** Argo CD's settings: the same health check for each kind, as a patch of its ConfigMap. */
const argoSettings = (root: string): GeneratedFile => {
  const folder = "manifests/argocd";
  const lua = readFileSync(join(root, folder, "health/aetherv.lua"), "utf8").trimEnd();
  const kinds = crdFiles.map((file) => readCrd(root, file).spec.names.kind);
  const head = [
    "# Generated from health/aetherv.lua by `npm run generate`. Into Argo CD's settings:",
    "#   kubectl -n argocd patch configmap argocd-cm --patch-file manifests/argocd/argocd-cm.yaml",
    "apiVersion: v1",
    "kind: ConfigMap",
    "metadata:",
    "  name: argocd-cm",
    "  namespace: argocd",
    "data:",
  ];
  const checks = kinds.map((kind) => `  resource.customizations.health.aetherv.io_${kind}: |\n${indented(lua)}`);
  return { path: `${folder}/argocd-cm.yaml`, text: `${[...head, ...checks].join("\n")}\n` };
};

/** One row for every value whose comment begins with `--`, as helm-docs has it. A value without such a comment is an error. */
export const valuesTable = (yaml: string): string => {
  const document = parseDocument(yaml);
  if (!isMap(document.contents)) throw new Error("values.yaml: a map is expected");
  const rows = rowsOf(document.contents, [], document.commentBefore ?? "");
  return ["| value | default | is |", "| --- | --- | --- |", ...rows].join("\n");
};

/** The comment of a map's first key hangs on the map, or on the document. */
const rowsOf = (map: YAMLMap, path: readonly string[], first: string): readonly string[] =>
  map.items.flatMap((pair, index) => {
    const { key, value } = pair as Pair<{ value: string; commentBefore?: string }, unknown>;
    const here = [...path, key.value];
    const comment = (key.commentBefore ?? (index === 0 ? (map.commentBefore ?? first) : "")).trim();
    if (comment.startsWith("--")) return [row(here, comment, value)];
    if (isMap(value)) return rowsOf(value, here, "");
    throw new Error(`values.yaml: ${here.join(".")} has no comment that begins with "# --"`);
  });

const row = (path: readonly string[], comment: string, value: unknown): string => {
  const text = comment.replace(/^--\s*/, "").replaceAll(/\n\s*/g, " ");
  const plain = isScalar(value) ? value.value : (value as { toJSON(): unknown }).toJSON();
  return `| \`${path.join(".")}\` | \`${JSON.stringify(plain)}\` | ${text.replaceAll("|", "\\|")} |`;
};
