/** Undefined for an entry that is damaged: history is not worth a failed start. */
export const parse = <T>(text: string): T | undefined => {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
};
