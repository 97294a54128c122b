import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { fileURLToPath } from "node:url";
import { modelValidation } from "../../../src/app/validation.ts";
import { readContent } from "../../../src/stores/files/content.ts";
import { decodeText } from "../../../src/stores/files/text.ts";
import { parseYaml } from "../../../src/stores/files/yaml.ts";
import { crdCheck } from "../crdCheck.ts";
import type { Target } from "../fuzzer.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

const filesOf = (folder: string): readonly Buffer[] =>
  readdirSync(join(root, folder))
    .filter((name) => /\.(yaml|json)$/.test(name))
    .map((name) => readFileSync(join(root, folder, name)))
    .filter(({ length }) => length < 16_384);

/** Stands in a Secret of the seeds: no message may show it. */
const MARK = "hunter2-is-no-password";

const secret = `apiVersion: v1\nkind: Secret\nmetadata: { name: login }\nstringData:\n  password: ${MARK}\n`;

const json = JSON.stringify({
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualDisk",
  metadata: { name: "a", labels: { "app.kubernetes.io/name": "x" } },
  spec: { source: { type: "Blank" }, size: "10Gi", diskType: "Dynamic" },
});

const stat = { mode: 0o600 } as Parameters<typeof readContent>[2];

const check = (bytes: Buffer): void => {
  const content = readContent("f.yaml", bytes, stat, modelValidation);
  const decoded = decodeText(bytes);
  const lines = (decoded.ok ? decoded.text : decoded.shown).split("\n");
  for (const { line, column, message } of content.problems) {
    if (message === "") throw new Error("a problem without a message");
    const width = lines[line - 1]?.length;
    if (width === undefined || column < 1 || column > width + 1) throw new Error(`no such place: ${line}:${column}`);
  }
  for (const { manifest } of content.objects) {
    if (!manifest) continue;
    const fault = crdCheck(manifest.key.kind, manifest.spec);
    if (fault !== undefined) throw new Error(`accepted, and the CRD refuses it: ${fault}`);
  }
  if (!decoded.ok) return;
  sameAsJson(decoded.text);
  if (isIntactSecret(decoded.text) && JSON.stringify(content.problems).includes(MARK))
    throw new Error("a message shows what a Secret holds");
};

/** Every JSON text is YAML: what is read of it is what JSON says. */
const sameAsJson = (text: string): void => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  const { documents, problems } = parseYaml(text);
  if (problems.length > 0) return;
  if (documents.length !== 1 || !isDeepStrictEqual(documents[0]?.value, value))
    throw new Error(
      `as JSON it is ${JSON.stringify(value)}, as YAML ${JSON.stringify(documents.map((one) => one.value))}`,
    );
};

/** A file whose kind or place of the mark was changed holds the mark as anything, and may tell it. */
const isIntactSecret = (text: string): boolean => text.includes(secret);

export const yaml: Target = {
  name: "yaml",
  shape: "bytes",
  coverage: "guides",
  seeds: [
    ...filesOf("manifests/samples"),
    ...filesOf("test/fixtures/bad-input"),
    Buffer.from(json),
    Buffer.from(secret),
    Buffer.from(`${secret}---\n${json}\n`),
  ],
  check: (inputs) => inputs.forEach(check),
};
