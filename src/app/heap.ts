import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Bytes that the space for new objects may come to. V8 by itself goes to 128 MiB, of which a control plane gains nothing. */
export const newSpaceBytes = 32 * 2 ** 20;
const lookMs = 250;

/** By what the space for new objects grows when V8 finds it too small; 1: not at all. V8 makes it smaller by itself at rest. */
export const growthFactor = (bytes: number): 1 | 2 => (bytes < newSpaceBytes ? 2 : 1);

/**
 * The heap grows by a third over what lives before it is cleaned; by itself V8 lets it grow up to fourfold, which a process that works for
 * months beside machines' memory has no use for. The size of the space for new objects can only be set on node's command line, which
 * people choose; its growth can be stopped at any time.
 */
export const holdHeap = (): void => {
  setFlagsFromString("--heap-growing-percent=33");
  let factor: 1 | 2 = 2;
  setInterval(() => {
    const { space_size: bytes = 0 } =
      getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space") ?? {};
    const next = growthFactor(bytes);
    if (next !== factor) setFlagsFromString(`--semi-space-growth-factor=${next}`);
    factor = next;
  }, lookMs).unref();
};
