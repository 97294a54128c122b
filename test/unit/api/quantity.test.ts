import fc from "../../support/fc.ts";
import { expect, test } from "vitest";
import { bytesOf, bytesText, parseQuantity, sizeOf } from "../../../src/api/quantity.ts";

const one = 10n ** 9n;

test.each([
  { text: "1", value: one },
  { text: "1Ki", value: 1024n * one },
  { text: "2Gi", value: 2n * 1024n ** 3n * one },
  { text: "1.5Gi", value: (3n * 1024n ** 3n * one) / 2n },
  { text: ".5", value: one / 2n },
  { text: "5.", value: 5n * one },
  { text: "1k", value: 1000n * one },
  { text: "100m", value: one / 10n },
  { text: "1n", value: 1n },
  { text: "0.1n", value: 1n },
  { text: "1e3", value: 1000n * one },
  { text: "1E-3", value: one / 1000n },
  { text: "1E", value: 10n ** 18n * one },
  { text: "1Ei", value: (1n << 60n) * one },
  { text: "-1.5", value: (-3n * one) / 2n },
  { text: "+1", value: one },
])("$text is a quantity", ({ text, value }) => {
  expect(parseQuantity(text)).toBe(value);
});

test.each(["", "Gi", "1 Gi", "1gi", "1GB", "0x10", "1e", "--1", ".", "1.2.3", "NaN", "١"])("%j is none", (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});

test.each(["4G", "4", "0Gi", "4Ki", "-4Gi", "9999999Ti", ""])("%j is no size of the model", (text) => {
  expect(() => bytesOf(text)).toThrow(RangeError);
});

test("bytes and sizes agree", () => {
  const mebibytes = fc.integer({ min: 1, max: 2 ** 33 - 1 });
  fc.assert(fc.property(mebibytes, (n) => bytesOf(sizeOf(n * 2 ** 20) ?? "") === n * 2 ** 20));
});

test.each([
  { bytes: 2 ** 40, size: "1Ti" },
  { bytes: 3 * 2 ** 30, size: "3Gi" },
  { bytes: 1536 * 2 ** 20, size: "1536Mi" },
  { bytes: 2 ** 20 + 1, size: undefined },
  { bytes: 0, size: undefined },
  { bytes: 1.5, size: undefined },
])("$bytes bytes are $size", ({ bytes, size }) => {
  expect(sizeOf(bytes)).toBe(size);
});

test.each([
  { bytes: 0, text: "0 B" },
  { bytes: 1536, text: "1.5 KiB" },
  { bytes: 2 ** 40, text: "1 TiB" },
])("$bytes bytes read $text", ({ bytes, text }) => {
  expect(bytesText(bytes)).toBe(text);
});
