import { describe, expect, test } from "vitest";
import { fileLinesOf, guestTexts } from "../../support/guestTexts.ts";
import { heard, parameters, sealedItems } from "./control.ts";
import { lookOnce, makeRoot, poolFile, shells } from "./rig.ts";

const timeout = 300_000;
// All but the longest go in one configuration; the longest nearly fills one.
const sets = [
  guestTexts.filter(({ text }) => text.length < 2000),
  guestTexts.filter(({ text }) => text.length >= 2000),
];

describe.each(shells)("texts on their way into files, to $name", ({ there, ...shell }) => {
  test.each(sets.map((set) => ({ set, why: set.map(({ why }) => why).join("; ") })))(
    "derived, sealed, in chunks, opened, written: $why",
    { timeout },
    async ({ set }) => {
      if (!there) return;
      const root = makeRoot();
      try {
        root.write("var/lib/hyperv/.kvp_pool_3", parameters());
        lookOnce(shell, root);
        const spki = heard(root.bytes("var/lib/hyperv/.kvp_pool_1"))?.key.spki ?? "";
        const texts = set.map(({ text }) => text);
        const lines = fileLinesOf("Linux", (at) => `/etc/texts/${at}`, texts);
        const { items, hash } = await sealedItems(spki, 1, lines);
        expect(items.every(({ value }) => value.length <= 1000)).toBe(true);
        root.write("var/lib/hyperv/.kvp_pool_0", poolFile(items));
        lookOnce(shell, root);
        expect(heard(root.bytes("var/lib/hyperv/.kvp_pool_1"))).toMatchObject({ state: "Applied", hash, error: "" });
        for (const [at, { why, text }] of set.entries())
          expect(root.bytes(`etc/texts/${at}`).equals(Buffer.from(text)), why).toBe(true);
      } finally {
        root.remove();
      }
    },
  );
});
