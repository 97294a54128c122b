/** What a check found; `text` is for people. */
export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

export type Check = () => Verdict | Promise<Verdict>;

export interface HealthReport {
  readonly ok: boolean;
  readonly checks: readonly (Verdict & { readonly name: string })[];
}

/** live: a failure is mended by a restart, and by nothing else. ready: whether it can do its work now. */
export type Probe = "live" | "ready";

/** A check that takes longer has failed, milliseconds. */
const patienceMs = 2_000;

/** The checks behind /livez and /readyz. A check is replaced by setting it again. */
export class Health {
  readonly #checks: Readonly<Record<Probe, Map<string, Check>>> = { live: new Map(), ready: new Map() };

  set(probe: Probe, name: string, check: Check): void {
    this.#checks[probe].set(name, check);
  }

  async report(probe: Probe): Promise<HealthReport> {
    const checks = await Promise.all(
      [...this.#checks[probe]].map(async ([name, check]) => ({ name, ...(await outcome(check)) })),
    );
    return { ok: checks.every(({ ok }) => ok), checks };
  }
}

const outcome = async (check: Check): Promise<Verdict> => {
  const late = Promise.withResolvers<Verdict>();
  const timer = setTimeout(() => late.resolve({ ok: false, text: `no answer in ${patienceMs / 1000} s` }), patienceMs);
  try {
    return await Promise.race([check(), late.promise]);
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
};

/** As the API server of Kubernetes writes it: one line a check when it failed or all are asked for, else "ok". */
export const healthText = (probe: Probe, { ok, checks }: HealthReport, verbose: boolean): string => {
  if (ok && !verbose) return "ok\n";
  const lines = checks.map((check) => `[${check.ok ? "+" : "-"}] ${check.name}: ${check.text}\n`);
  return `${lines.join("")}${probe === "live" ? "livez" : "readyz"} check ${ok ? "passed" : "failed"}\n`;
};
