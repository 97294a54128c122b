import { isMap, isSeq, parseAllDocuments, type Document } from "yaml";
import { toText } from "./text.ts";

/** The text with another value in the place of one document's. */
export const splicedText = (text: string, index: number, value: unknown): string => {
  const all = parseAllDocuments(text, { version: "1.1" }) as Document[];
  const document = all[index];
  if (document && (isMap(document.contents) || isSeq(document.contents)))
    document.contents = document.createNode(value) as never;
  return all.map((one, at) => (at === index ? toText(value) : one.toString({ lineWidth: 0 }))).join("---\n");
};
