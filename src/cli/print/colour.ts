import picocolors from "picocolors";

export type Colours = Pick<
  ReturnType<typeof picocolors.createColors>,
  "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "magenta"
>;

/** Colours on a terminal; plain text elsewhere, so that pipes and files hold no escape codes. */
export const coloursFor = (colour: boolean): Colours => picocolors.createColors(colour);
