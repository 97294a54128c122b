/** Suffixes of Kubernetes quantities and what they multiply by, as [numerator, denominator]. */
const suffixes: Readonly<Record<string, readonly [bigint, bigint]>> = {
  n: [1n, 10n ** 9n],
  u: [1n, 10n ** 6n],
  m: [1n, 1000n],
  "": [1n, 1n],
  k: [1000n, 1n],
  M: [10n ** 6n, 1n],
  G: [10n ** 9n, 1n],
  T: [10n ** 12n, 1n],
  P: [10n ** 15n, 1n],
  E: [10n ** 18n, 1n],
  Ki: [1n << 10n, 1n],
  Mi: [1n << 20n, 1n],
  Gi: [1n << 30n, 1n],
  Ti: [1n << 40n, 1n],
  Pi: [1n << 50n, 1n],
  Ei: [1n << 60n, 1n],
};

const nano = 10n ** 9n;
const grammar = /^([+-]?)([0-9]+)?(?:\.([0-9]*))?(?:([eE])([+-]?[0-9]{1,3})|([numkMGTPE]|[KMGTPE]i))?$/;

/** A quantity as a whole number of billionths, rounded up as Kubernetes does; undefined if the text is no quantity. */
export const parseQuantity = (text: string): bigint | undefined => {
  const match = grammar.exec(text);
  if (!match || (match[2] === undefined && !match[3])) return undefined;
  const [, sign, whole = "", fraction = "", exponentMark, exponent, suffix = ""] = match;
  const [up, down] = exponentMark === undefined ? (suffixes[suffix] ?? [1n, 1n]) : powerOfTen(Number(exponent));
  const numerator = BigInt(`${whole}${fraction}` || "0") * up * nano;
  const denominator = down * 10n ** BigInt(fraction.length);
  const magnitude = (numerator + denominator - 1n) / denominator;
  return sign === "-" ? -magnitude : magnitude;
};

const powerOfTen = (exponent: number): readonly [bigint, bigint] =>
  exponent < 0 ? [1n, 10n ** BigInt(-exponent)] : [10n ** BigInt(exponent), 1n];

/**
 * Bytes of a size as the model has it (`^[1-9][0-9]*(Mi|Gi|Ti)$`). Throws RangeError on another form or above 2^53 - 1: a spec
 * that passed validation holds neither.
 */
export const bytesOf = (size: string): number => {
  const value = /^[1-9][0-9]*(Mi|Gi|Ti)$/.test(size) ? parseQuantity(size) : undefined;
  const bytes = value === undefined ? Number.NaN : Number(value / nano);
  if (!Number.isSafeInteger(bytes))
    throw new RangeError(`"${size}" is no size: expected a number and Mi, Gi or Ti, as 40Gi`);
  return bytes;
};

/** The shortest size of the model that has exactly these bytes; undefined if they are no whole positive number of MiB. */
export const sizeOf = (bytes: number): string | undefined => {
  if (!Number.isSafeInteger(bytes) || bytes <= 0) return undefined;
  for (const [unit, size] of sizes) if (bytes % size === 0) return `${bytes / size}${unit}`;
  return undefined;
};

const sizes = [
  ["Ti", 2 ** 40],
  ["Gi", 2 ** 30],
  ["Mi", 2 ** 20],
] as const;

/** Bytes for people: binary units, one decimal at most, as "1.5 GiB". */
export const bytesText = (bytes: number): string => {
  const [unit, size] = textUnits.find(([, least]) => Math.abs(bytes) >= least) ?? (["B", 1] as const);
  return `${Number((bytes / size).toFixed(1))} ${unit}`;
};

const textUnits = [
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
] as const;
