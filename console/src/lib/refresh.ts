/**
 * Reads something now and then again, at most so often, while `stop` has not been called. For what has no stream of its own.
 */
export const repeatedly = (
  read: (signal: AbortSignal) => Promise<void>,
  everyMs: number,
): { readonly stop: () => void } => {
  const end = new AbortController();
  const run = async (): Promise<void> => {
    while (!end.signal.aborted) {
      if (!document.hidden) await read(end.signal).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  void run();
  return { stop: () => end.abort() };
};
