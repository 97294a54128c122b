import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { open } from "../../../agents/simulator/guest/open.ts";
import type { OpenCase } from "../../../scripts/guest/cases.ts";
import type { Keys } from "../../../scripts/guest/keys.ts";
import { reportOf } from "../../../src/guest/report.ts";

const folder = join(import.meta.dirname, "../../fixtures/guest");
const read = <T>(name: string): T => JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
const keys = read<Keys>("keys.json");
const cases = readdirSync(join(folder, "open")).map((name) => read<OpenCase>(`open/${name}`));

describe("vectors of the guest protocol, opened by the simulated guest", () => {
  test("every file holds a case", () => expect(cases.length).toBeGreaterThanOrEqual(60));

  test.each(cases.map((one) => [one.name, one.why, one] as const))("%s: %s", (_name, _why, one) => {
    const guest = keys.guests[one.guestKey];
    const items = Object.fromEntries(one.items.map(({ key, value }) => [key, value]));
    const opened = open(
      { vmId: one.vmId, privateKey: createPrivateKey(guest.privateKey), fingerprint: guest.fingerprint, ...one.state },
      items,
    );
    const { signerFingerprint, values, ...expected } = one.expected;
    expect(opened).toMatchObject(expected);
    if (opened.verdict !== "Accepted") return;
    expect(Object.fromEntries(opened.values)).toEqual(values);
    expect(opened.signer.fingerprint).toBe(signerFingerprint);
  });

  test.each(cases.filter(({ name }) => name.startsWith("accepted-")).map((one) => [one.name, one] as const))(
    "%s: every item fits Hyper-V's exchange",
    (_name, one) => {
      for (const { key, value } of one.items) {
        expect(value).toMatch(/^[\x20-\x7e]{1,1000}$/);
        expect(key).toMatch(/^[\x21-\x7e]{1,254}$/);
      }
    },
  );
});

interface ReportCase {
  readonly why: string;
  readonly believed: boolean;
  readonly items: Record<string, string>;
}

describe("what a guest says of itself", () => {
  test.each(read<ReportCase[]>("report.json").map((one) => [one.why, one] as const))("%s", (_why, one) => {
    expect(reportOf(one.items).at).toBe(one.believed ? "heard" : "torn");
  });
});
