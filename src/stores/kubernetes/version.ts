/**
 * Order of two resourceVersions of one kind: negative when `a` is older. They are decimal numbers that only grow ("Kubernetes API Concepts",
 * resource versions), larger than a double may be; the empty one is older than all.
 */
export const compareVersions = (a: string, b: string): number => {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
};
