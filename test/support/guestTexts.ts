import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { apiVersion } from "../../src/api/kinds.ts";
import { derive } from "../../src/guest/derive.ts";
import type { Line } from "../../src/guest/payload.ts";

/** Texts that have to come into a guest's files as they are: the lengths around which chunks end, and what is hard to write. */
export const guestTexts: readonly { readonly why: string; readonly text: string }[] = [
  { why: "1 character", text: "x" },
  { why: "100 characters", text: "h".repeat(100) },
  { why: "1,000 characters", text: "1000".repeat(250) },
  { why: "1,001 characters", text: `${"1001".repeat(250)}!` },
  { why: "60,000 characters", text: "0123456789".repeat(6000) },
  { why: "nothing", text: "" },
  { why: "only line ends", text: "\n\r\n\n" },
  { why: "no line end at its end, blanks around", text: "  \t a line \t " },
  { why: "quotes, backslashes and what shells read", text: "'\"`$(id) $HOME \\n \\ %s !! ; & | <> * ? [a] {b} ~ #" },
  { why: "scripts of the world", text: "ÄÖÜß żółć Ελλάδα Кириллица עברית العربية हिन्दी 漢字 かな 한국어 ไทย" },
  { why: "marks that combine, and directions", text: "e\u0301 \u202eabc\u202c \u200b\u200d\ufeffx" },
  { why: "a byte order mark first", text: "\ufefftext" },
  { why: "beyond the basic plane", text: "🦊👩‍👩‍👧‍👦𝔘𐍈\u{10ffff}\u{1f3f3}\ufe0f" },
  { why: "control characters", text: "\u0001\u0007\u001b[0m\u007f\u0085\u2028\u2029" },
];

const specOf = (osFamily: "Linux" | "Windows", path: (at: number) => string, texts: readonly string[]) => ({
  osFamily,
  guest: {
    growFilesystems: false,
    files: texts.map((content, at) => ({ path: path(at), content, mode: "0600" })),
  },
});

/** Lines that the control plane derives for a machine with these texts as files, but for the first (os). */
export const fileLinesOf = (
  osFamily: "Linux" | "Windows",
  path: (at: number) => string,
  texts: readonly string[],
): readonly Line[] => {
  const metadata = { name: "web", namespace: "default", uid: "u" };
  const vm = { apiVersion, kind: "VirtualMachine", metadata, spec: specOf(osFamily, path, texts) };
  const derived = derive(vm as unknown as VirtualMachine, { adapters: [] });
  if (derived?.at !== "derived") throw new Error(`not derived: ${JSON.stringify(derived)}`);
  return derived.lines.flatMap(([key, value]) => (key === "os" || typeof value !== "string" ? [] : [[key, value]]));
};
