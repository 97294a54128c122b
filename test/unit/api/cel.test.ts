import { isIP } from "node:net";
import fc from "../../support/fc.ts";
import { expect, test } from "vitest";
import { environment } from "../../../src/api/validation/cel.ts";
import { parseIp } from "../../../src/api/validation/ip.ts";

const evaluate = (rule: string, self: unknown = {}): unknown => environment.parse(rule)({ self, oldSelf: undefined });

test.each([
  { rule: "quantity('1Gi').compareTo(quantity('1024Mi'))", gives: 0n },
  { rule: "quantity('1G').isLessThan(quantity('1Gi'))", gives: true },
  { rule: "quantity('2Ti').isGreaterThan(quantity('2047Gi'))", gives: true },
  { rule: "quantity('1Gi').asInteger()", gives: 1073741824n },
  { rule: "quantity('500m').isInteger()", gives: false },
  { rule: "quantity('1').sub(quantity('2')).sign()", gives: -1n },
  { rule: "quantity('1Ki').add(quantity('1')).asInteger()", gives: 1025n },
  { rule: "isQuantity('4G')", gives: true },
  { rule: "isQuantity('4 G')", gives: false },
  { rule: "isIP('192.0.2.1') && isIP('2001:db8::1')", gives: true },
  { rule: "isIP('192.0.2.01') || isIP('::ffff:1.2.3.4') || isIP('fe80::1%eth0')", gives: false },
  { rule: "isIP('192.0.2.256') || isIP('192.0.2') || isIP('1:2:3:4:5:6:7') || isIP('1::2::3')", gives: false },
  { rule: "isIP('255.255.255.255') && isIP('::') && isIP('64:ff9b::192.0.2.33')", gives: true },
  { rule: "ip('2001:db8::1').family()", gives: 6n },
  { rule: "ip('10.0.0.1').isGlobalUnicast()", gives: true },
  { rule: "ip('255.255.255.255').isGlobalUnicast()", gives: false },
  { rule: "ip('::').isUnspecified()", gives: true },
  { rule: "ip('127.0.0.2').isLoopback()", gives: true },
  { rule: "ip('224.0.0.1').isMulticast()", gives: true },
  { rule: "ip('fe80::1').isLinkLocalUnicast()", gives: true },
  { rule: "isCIDR('192.0.2.10/33')", gives: false },
  { rule: "cidr('192.0.2.10/24').containsIP('192.0.2.200')", gives: true },
  { rule: "cidr('192.0.2.10/24').containsIP(ip('192.0.3.1'))", gives: false },
  { rule: "cidr('0.0.0.0/0').containsIP('2001:db8::1')", gives: false },
  { rule: "cidr('2001:db8::/32').prefixLength()", gives: 32n },
])("$rule", ({ rule, gives }) => {
  expect(evaluate(rule)).toBe(gives);
});

test.each(["quantity('x').isInteger()", "quantity('1m').asInteger()", "ip('x').family() == 4", "self.absent == 1"])(
  "%s is an error",
  (rule) => {
    expect(() => evaluate(rule)).toThrow();
  },
);

test("addresses are those that the system knows, but for mapped ones and zones", () => {
  const mapped = (text: string): boolean =>
    parseIp(text) === undefined && isIP(text) === 6 && /^[0:]*:ffff:/i.test(text);
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => mapped(text) || parseIp(text)?.family === isIP(text)),
  );
  const near = fc.string({ unit: fc.constantFrom(..."0123456789abcf:."), maxLength: 20 });
  fc.assert(fc.property(near, (text) => mapped(text) || (parseIp(text)?.family ?? 0) === isIP(text)));
});
