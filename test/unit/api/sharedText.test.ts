import fc from "../../support/fc.ts";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { withSharedTexts } from "../../../src/api/sharedText.ts";

it("any JSON value is as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(JSON.stringify(withSharedTexts(JSON.parse(text)))).toBe(text);
    }),
  );
});

it("a name that objects of JavaScript have by themselves stays a member", () => {
  const text = '{"__proto__":{"constructor":"a"},"toString":"b"}';
  expect(JSON.stringify(withSharedTexts(JSON.parse(text)))).toBe(text);
});

it("texts that many objects have alike take memory once; more of them than are remembered change nothing", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const grown = (make: () => unknown): number => {
    collect();
    const before = process.memoryUsage().heapUsed;
    const kept = make();
    collect();
    const after = process.memoryUsage().heapUsed;
    expect(kept).toBeDefined();
    return after - before;
  };
  const line = JSON.stringify(
    Array.from({ length: 20 }, (_, n) => `VirtualMachine number ${n} is Running, as it was declared to be at first`),
  );
  const parsed = () => Array.from({ length: 5_000 }, () => JSON.parse(line) as unknown);
  const apart = grown(parsed);
  const shared = grown(() => parsed().map(withSharedTexts));
  expect(shared).toBeLessThan(apart / 2);

  const many = Array.from({ length: 100_000 }, (_, n) => `text number ${n}`);
  expect(withSharedTexts([...many])).toEqual(many);
});
