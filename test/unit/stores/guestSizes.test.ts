import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readManifests } from "../../../src/app/manifests.ts";

const secret = (values: Readonly<Record<string, string>>): string => `apiVersion: v1
kind: Secret
metadata: { name: web }
stringData: ${JSON.stringify(values)}
`;

const machine = (guest: object): string => `apiVersion: aetherv.io/v1alpha1
kind: VirtualMachine
metadata: { name: web }
spec:
  osFamily: Linux
  cpu: { count: 1 }
  memory: { startup: 1Gi }
  powerState: Stopped
  guest: ${JSON.stringify(guest)}
`;

const deployment = (guest: object): string => `apiVersion: aetherv.io/v1alpha1
kind: ManagedDeployment
metadata: { name: web }
spec:
  virtualMachine:
    osFamily: Linux
    cpu: { count: 1 }
    memory: { startup: 1Gi }
    powerState: Stopped
    guest: ${JSON.stringify(guest)}
`;

const ref = (key: string) => ({ name: "web", key });
const file = (path: string, key: string) => ({ path, contentSecretRef: ref(key) });
const script = { name: "s", interpreter: "sh", inline: "y" };
const admin = { name: "op", passwordSecretRef: ref("password") };

const cases: readonly { why: string; guest: object; values: Record<string, string>; problems: readonly string[] }[] = [
  {
    why: "64 KiB in a Secret",
    guest: { files: [file("/a", "big")] },
    values: { big: "x".repeat(65_536) },
    problems: [],
  },
  {
    why: "one byte more",
    guest: { files: [file("/a", "big")] },
    values: { big: "x".repeat(65_537) },
    problems: [
      "files[0].contentSecretRef: has 65537 bytes; files and scripts hold 65537 bytes together, at most 65536 are possible",
    ],
  },
  {
    why: "bytes, not characters; with an inline script; the largest is named",
    guest: { files: [file("/a", "small"), file("/b", "big")], scripts: [script] },
    values: { small: "s", big: "ü".repeat(32_768) },
    problems: [
      "files[1].contentSecretRef: has 65536 bytes; files and scripts hold 65538 bytes together, at most 65536 are possible",
    ],
  },
  {
    why: "a script in a Secret",
    guest: { scripts: [{ name: "s", interpreter: "sh", secretRef: ref("big") }] },
    values: { big: "x".repeat(100_000) },
    problems: [
      "scripts[0].secretRef: has 100000 bytes; files and scripts hold 100000 bytes together, at most 65536 are possible",
    ],
  },
  {
    why: "a password of 256",
    guest: { localAdministrator: admin },
    values: { password: "p".repeat(256) },
    problems: [],
  },
  {
    why: "a longer password",
    guest: { localAdministrator: admin },
    values: { password: "p".repeat(257) },
    problems: ["localAdministrator.passwordSecretRef: has 257 bytes; at most 256 are possible"],
  },
  {
    why: "a Secret that is not there is no matter of size",
    guest: { files: [file("/a", "none")] },
    values: {},
    problems: [],
  },
];

describe("files with a guest section that is too large", () => {
  it.each(
    cases.flatMap((one) => [
      { ...one, kind: "VirtualMachine", text: machine(one.guest), prefix: "spec.guest" },
      { ...one, kind: "ManagedDeployment", text: deployment(one.guest), prefix: "spec.virtualMachine.guest" },
    ]),
  )("$kind: $why", async ({ text, values, problems, prefix }) => {
    const folder = await mkdtemp(join(tmpdir(), "aetherv-sizes-"));
    try {
      await writeFile(join(folder, "secret.yaml"), secret(values), { mode: 0o600 });
      await writeFile(join(folder, "web.yaml"), text);
      const read = await readManifests([folder], () => Promise.resolve(""));
      expect(read.problems.map(({ path, message }) => `${path}: ${message}`)).toEqual(
        problems.map((problem) => `${prefix}.${problem}`),
      );
      expect(read.documents).toHaveLength(problems.length > 0 ? 0 : 1);
      // At the field's own line.
      for (const problem of read.problems) expect(problem.line).toBeGreaterThan(5);
      expect(JSON.stringify(read.problems)).not.toMatch(/xxx|üüü|ppp/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
