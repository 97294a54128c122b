import type { Resource } from "../../api/resource.ts";
import { KubeError, ofStatus } from "./error.ts";

/** One line of a watch. */
export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: Resource }
  | { readonly type: "BOOKMARK"; readonly object: { readonly metadata: { readonly resourceVersion: string } } };

/** Longer than any object that etcd takes; a line beyond it is no answer of an API server. */
const maxLine = 8 * 1024 * 1024;

/** The events of a watch's bytes. An ERROR event, a line that is no event and a cut last line throw a KubeError. */
export async function* watchEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of bytes) {
    rest += decoder.decode(part, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLine) throw new KubeError(0, "the watch sent a line without end");
    for (const line of lines) if (line.trim() !== "") yield eventOf(line);
  }
  if (rest.trim() !== "") throw new KubeError(0, "the watch was cut within an event");
}

const eventOf = (line: string): WatchEvent => {
  const event = parsed(line);
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
    case "BOOKMARK":
      return event as WatchEvent;
    case "ERROR":
      throw ofStatus(event.object);
    default:
      throw new KubeError(0, `the watch sent an event of unknown type ${JSON.stringify(event.type)}`);
  }
};

const parsed = (line: string): { readonly type?: unknown; readonly object?: unknown } => {
  try {
    return JSON.parse(line) as { type?: unknown; object?: unknown };
  } catch (error) {
    throw new KubeError(0, "the watch sent a line that is no JSON", { cause: error });
  }
};
