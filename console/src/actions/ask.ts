import type { Resource } from "../../../src/api/resource.ts";
import { act } from "../lib/api.ts";
import { Cell } from "../lib/cell.svelte.ts";
import { objects as live } from "../lib/objects.ts";
import { navigate } from "../lib/router.ts";
import { errorText, toast, toastError } from "../lib/toasts.ts";
import type { ActionId } from "./offered.ts";

/** What somebody wants to do, and has to confirm. */
export interface Asked {
  readonly action: Exclude<ActionId, "edit">;
  readonly objects: readonly Resource[];
}

/** The dialog that is open, if one is. */
export const asked = new Cell<Asked | undefined>(undefined);

/** Done at once: nothing is lost by them. */
const harmless: ReadonlySet<ActionId> = new Set(["start", "pause", "resume"]);

const done: Readonly<Record<string, string>> = {
  start: "is started",
  pause: "is paused",
  resume: "goes on",
};

/** Does it where nothing can be lost, else asks. */
export const ask = (action: ActionId, objects: readonly Resource[]): void => {
  const [first] = objects;
  if (!first) return;
  if (action === "edit") {
    const { kind, metadata } = first;
    navigate(`/edit/${kind}/${encodeURIComponent(metadata.namespace ?? "-")}/${encodeURIComponent(metadata.name)}`);
  } else if (harmless.has(action) && objects.length === 1) {
    void now(action as "start", first);
  } else asked.current = { action, objects };
};

const now = async (action: "start" | "pause" | "resume", object: Resource): Promise<void> => {
  try {
    live.put(await act(whereOf(object), action));
    toast("ok", `${object.metadata.name} ${done[action]}.`);
  } catch (error) {
    toastError(error);
  }
};

export const whereOf = ({ kind, metadata }: Resource): { kind: string; namespace: string; name: string } => ({
  kind,
  namespace: metadata.namespace ?? "",
  name: metadata.name,
});

/** Does something to each; what failed, with its reason. */
export const doAll = async (
  objects: readonly Resource[],
  work: (object: Resource) => Promise<unknown>,
): Promise<readonly { readonly object: Resource; readonly why: string }[]> => {
  const failures: { object: Resource; why: string }[] = [];
  for (const object of objects) {
    try {
      const answer = await work(object);
      if (isResource(answer)) live.put(answer);
    } catch (error) {
      failures.push({ object, why: errorText(error) });
    }
  }
  return failures;
};

/** An answer to a write that shows the object as it is then. */
const isResource = (answer: unknown): answer is Resource => {
  const { kind, metadata } = (answer ?? {}) as Partial<Resource>;
  return kind !== undefined && kind !== "Status" && typeof metadata?.uid === "string";
};
