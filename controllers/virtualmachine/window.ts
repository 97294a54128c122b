import { Cron } from "croner";
import type { VirtualMachine, VMHost } from "../../src/api/generated/types.ts";

type Window = NonNullable<NonNullable<VirtualMachine["spec"]["disruption"]>["window"]>;

/** The VM's restart window, else its host's; undefined = any time. */
export const windowOf = (vm: VirtualMachine, host: VMHost | undefined): Window | undefined =>
  vm.spec.disruption?.window ?? host?.spec.restartWindow;

export type WindowState =
  /** `closes` is undefined when there is no window. */
  | { readonly at: "open"; readonly closes?: Date }
  /** `opens` is undefined when the schedule never comes again, or can't be read (then `problem` says why). */
  | { readonly at: "closed"; readonly opens?: Date; readonly problem?: string };

/** Whether disruptive changes may run at `now`: the latest start of the schedule lies less than its duration back. */
export const windowState = (window: Window | undefined, now: Date): WindowState => {
  if (!window) return { at: "open" };
  try {
    const cron = new Cron(window.schedule, { timezone: window.timeZone, paused: true });
    // A start at this very second counts: previousRuns looks strictly before its reference.
    const [last] = cron.previousRuns(1, new Date(now.getTime() + 1000));
    const closes = last && new Date(last.getTime() + window.durationMinutes * 60_000);
    if (last && closes && now >= last && now < closes) return { at: "open", closes };
    const next = cron.nextRun(now);
    return next ? { at: "closed", opens: next } : { at: "closed" };
  } catch (cause) {
    return { at: "closed", problem: cause instanceof Error ? cause.message : String(cause) };
  }
};
