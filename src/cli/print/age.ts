/** Time since, as kubectl prints ages: 45s, 3m12s, 5h4m, 3d4h, 40d, 2y10d. */
export const age = (since: string, now: Date): string => duration(now.getTime() - Date.parse(since));

/** Milliseconds for people. */
export const duration = (ms: number): string => {
  if (!Number.isFinite(ms)) return "<unknown>";
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return pair(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return pair(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return pair(days, "d", hours % 24, "h");
  if (days < 730) return `${days}d`;
  return pair(Math.floor(days / 365), "y", days % 365, "d");
};

const pair = (high: number, highUnit: string, low: number, lowUnit: string): string =>
  low === 0 ? `${high}${highUnit}` : `${high}${highUnit}${low}${lowUnit}`;

/** Short times exactly: 350ms, 2.4s, else as `duration`. */
export const exactDuration = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)}ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)}s` : duration(ms);
