import { Cell } from "./cell.svelte.ts";

/** Now, for words as "3 min ago"; moves on every ten seconds. */
export const now = new Cell(Date.now());

setInterval(() => {
  if (!document.hidden) now.current = Date.now();
}, 10_000);
