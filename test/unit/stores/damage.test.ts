import fc from "../../support/fc.ts";
import { expect, it } from "vitest";
import { modelValidation } from "../../../src/app/validation.ts";
import { readContent } from "../../../src/stores/files/content.ts";

const text = `# A web server
apiVersion: aetherv.io/v1alpha1
kind: VirtualMachine
metadata:
  name: web
  labels: {app: "web", tier: 'front'}
spec:
  cpu:
    count: 16
  memory: &m
    startup: 16Gi
  notes: |
    two
    lines
  boot: {order: [{type: Disk, name: web-os}]}
---
apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata: {name: web-os}
spec: {source: {type: Image, image: debian-12}, size: 40Gi}
`;

const stat = { type: "file", size: 0, modified: 0, inode: 0 } as const;

const read = (damaged: string): ReturnType<typeof readContent> =>
  readContent("f.yaml", new TextEncoder().encode(damaged), stat, modelValidation);

const edit = fc.record({
  at: fc.nat({ max: text.length }),
  cut: fc.nat({ max: 12 }),
  put: fc.oneof(
    fc.constant(""),
    fc.string({ maxLength: 6 }),
    fc.constantFrom(..."[]{}:,-?&*!|>'\"%@`#\n\t \0\u001b".split("")),
  ),
});

it("whatever is done to a file, it is read or refused at a place within it, and nothing is thrown", () => {
  const property = fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
    const damaged = edits.reduce((so, { at, cut, put }) => so.slice(0, at) + put + so.slice(at + cut), text);
    const lines = damaged.split("\n");
    for (const { line, column, message } of read(damaged).problems) {
      expect(message).not.toBe("");
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(column).toBeGreaterThanOrEqual(1);
      expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
    }
  });
  fc.assert(property, { numRuns: 2000 });
});

it("a file cut at any line gives what its whole documents say, or a problem", () => {
  const whole = read(text).objects.map(({ manifest }) => JSON.stringify(manifest));
  const ends = [...text.matchAll(/\n/g)].map(({ index }) => index + 1);
  const wrong = ends.filter((end) => {
    const { objects, problems } = read(text.slice(0, end));
    return problems.length === 0 && objects.some(({ manifest }, i) => JSON.stringify(manifest) !== whole[i]);
  });
  expect(wrong.map((end) => text.slice(0, end).split("\n").length)).toEqual([]);
});
