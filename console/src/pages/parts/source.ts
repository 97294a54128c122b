import type { VirtualDisk } from "../../../../src/api/generated/types.ts";

/** What a disk was made from, in words. */
export const sourceText = ({ spec: { source } }: VirtualDisk): string => {
  switch (source.type) {
    case "Blank":
      return "Blank";
    case "Image":
      return `Image ${source.image ?? ""}`;
    case "VirtualDisk":
      return `Copy of ${source.disk ?? ""}`;
    case "Differencing":
      return `Child of ${source.parent?.name ?? ""}`;
    case "File":
      return `File ${source.path ?? ""}`;
    default:
      return source.type satisfies never;
  }
};
