import fc from "../../../support/fc.ts";
import { expect, it } from "vitest";
import { MacIndex } from "../../../../controllers/networkadapter/macIndex.ts";

const macOf = (value: number): string => value.toString(16).toUpperCase().padStart(12, "0");

/** Few enough to meet, some in the same bucket, some far away. */
const mac = fc
  .tuple(fc.constantFrom(0x00155d010000, 0x00155d0200f0, 0xfe0000000000), fc.integer({ min: 0, max: 600 }))
  .map(([base, offset]) => macOf(base + offset));

it("gives the addresses of a range, each once, for as long as somebody has it", () => {
  const change = fc.tuple(fc.constantFrom("add", "remove"), mac);
  const bounds = fc.tuple(fc.oneof(mac, fc.constant("0")), fc.oneof(mac, fc.constant("G")));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), bounds, (changes, [minimum, maximum]) => {
      const index = new MacIndex();
      const all: string[] = [];
      for (const [what, one] of changes) {
        if (what === "add") all.push(one);
        else if (all.includes(one)) all.splice(all.indexOf(one), 1);
        else continue;
        index[what as "add" | "remove"](one);
      }
      const within = [...index.within(minimum, maximum)];
      expect(within.toSorted()).toEqual([...new Set(all)].filter((one) => one >= minimum && one <= maximum).toSorted());
      for (const one of all) expect(index.count(one)).toBe(all.filter((other) => other === one).length);
    }),
  );
});
