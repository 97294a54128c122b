import type { Resource } from "../api/resource.ts";
import { bornOfManifest, manifestWritten } from "./rows.ts";
import type { Manifest, Row } from "./rows.ts";
import type { FieldProblem, Validation } from "./validation.ts";

export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errors: readonly FieldProblem[] };

const draftOf = (manifest: Manifest): Resource => bornOfManifest(manifest, { uid: "", now: new Date(0) }).object;

/** The manifest with its spec's defaults, or what is wrong with it. */
export const checkedManifest = (validation: Validation | undefined, manifest: Manifest): Checked<Manifest> => {
  const verdict = validation?.validate(draftOf(manifest));
  if (!verdict) return { ok: true, value: manifest };
  return verdict.ok ? { ok: true, value: { ...manifest, spec: verdict.object.spec } } : verdict;
};

/** The row with the manifest's content (the same row if nothing differs), or why it may not change so. */
export const checkedUpdate = (validation: Validation | undefined, row: Row, manifest: Manifest): Checked<Row> => {
  const next = manifestWritten(row, manifest);
  if (next === row) return { ok: true, value: row };
  const verdict = validation?.validateUpdate(row.object, next.object);
  return verdict && !verdict.ok ? verdict : { ok: true, value: next };
};
