import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes that the space for new objects may come to. V8 by itself goes to 128 MiB, of which a control plane gains nothing. */
export const newSpaceBytes = 32 * 2 ** 20;
const lookMs = 250;

/** By what the space for new objects grows when V8 finds it too small; 1: not at all. V8 makes it smaller by itself at rest. */
export const growthFactor = (bytes: number): 1 | 2 => (bytes < newSpaceBytes ? 2 : 1);

/** What the process did of late. */
export interface Pace {
  /** Share of one processor that it took, 0 to 1 and above. */
  readonly busy: number;
  /** Bytes that the heap takes: objects, dead ones among them, and what is empty between them. */
  readonly taken: number;
  /** The same after the last time that it was made small; 0 before the first. */
  readonly kept: number;
}

/** Whether the process rests: what it does then costs nobody time. */
const isResting = ({ busy }: Pick<Pace, "busy">): boolean => busy < 0.1;

/** Whether to collect everything now: nothing is disturbed, and enough may be given back. */
export const isDue = (pace: Pace): boolean => isResting(pace) && pace.taken > pace.kept * 1.25 + 32 * 2 ** 20;

const paceMs = 10_000;
const savingLooks = 4;

/**
 * The heap grows by a third over what lives before it is cleaned; by itself V8 lets it grow up to fourfold, which a process that works for
 * months beside machines' memory has no use for. The size of the space for new objects can only be set on node's command line, which
 * people choose; its growth can be stopped at any time. What a burst of work left behind V8 would keep until the next burst, which may be
 * in months: it is collected once the process rests, and the pages that this leaves half empty are given back.
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
  collectAtRest();
};

const collectAtRest = (): void => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let kept = 0;
  /** Looks for which V8 goes on saving memory. */
  let saving = 0;
  let before = process.cpuUsage();
  setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    const busy = (user + system) / 1000 / paceMs;
    const pace = { busy, taken: process.memoryUsage().heapTotal, kept };
    if (saving > 0) {
      saving = isResting(pace) ? saving - 1 : 0;
      if (saving > 0) return;
      setFlagsFromString("--no-memory-saver-mode");
      if (isResting(pace)) kept = pace.taken;
    }
    if (!isDue({ ...pace, kept })) return;
    // V8 takes what hosts tell at rest for work that goes on, and would not give pages back. In this mode it does, little by little, from
    // 8 s after a collection on; for longer it would only collect more often than needed.
    setFlagsFromString("--memory-saver-mode");
    saving = savingLooks;
    collect();
    kept = process.memoryUsage().heapUsed;
    // Its own work is none that the next look should wait for.
    before = process.cpuUsage();
  }, paceMs).unref();
};
