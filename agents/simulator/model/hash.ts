/** FNV-1a, 32 bits: stable small numbers from text (addresses, digests of layouts); no security. */
export const fnv = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
};

export const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0").slice(-digits);
