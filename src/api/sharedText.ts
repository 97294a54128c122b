const most = 65_536;
const longest = 256;
const known = new Map<string, string>();

/**
 * The same text, as it lies in memory already. Reasons, messages, times, identifiers and paths stand in many objects and in what hosts
 * tell of them, and each text that was parsed is one more copy: a fifth of all memory. Too many texts, or a long one, are not remembered.
 */
const sharedText = (text: string): string => {
  const present = known.get(text);
  if (present !== undefined || text.length > longest) return present ?? text;
  if (known.size >= most) known.clear();
  known.set(text, text);
  return text;
};

/** Puts shared texts in place of all texts of a JSON value that the caller alone has (of what is frozen it is not), and gives it back. */
export const withSharedTexts = <T>(value: T): T => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(members)) {
    const member = members[name];
    if (typeof member === "string") members[name] = sharedText(member);
    else withSharedTexts(member);
  }
  return value;
};
