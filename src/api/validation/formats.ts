const hour = 3_600_000;
const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: hour };

/**
 * Milliseconds of a duration as the model has it, a row of numbers with the units ms, s, m, h (a part of Go's time.ParseDuration);
 * undefined for any other text.
 */
export const milliseconds = (text: string): number | undefined => {
  if (!/^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g))
    sum += Number(number) * (units[unit ?? ""] ?? 0);
  // Go counts nanoseconds in 64 bits: about 292 years.
  return sum <= 2_562_047 * hour ? sum : undefined;
};
