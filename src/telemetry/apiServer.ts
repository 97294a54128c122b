import { kinds } from "../api/kinds.ts";

/** Resources that a control plane asks for; others are one label. */
const known: ReadonlySet<string> = new Set([
  ...kinds.map(({ plural }) => plural),
  "secrets",
  "configmaps",
  "leases",
  "events",
  "subjectaccessreviews",
  "selfsubjectaccessreviews",
  "tokenreviews",
]);

/** `virtualmachines/status` of a request's path; "other" for what is none of ours. */
export const apiResource = (path: string): string => {
  const [, rest = ""] = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/(.*)$/.exec(path) ?? [];
  const [resource = "", , subresource] = rest.replace(/^namespaces\/[^/]+\//, "").split("/");
  if (!known.has(resource)) return "other";
  return subresource === "status" ? `${resource}/status` : resource;
};

/** Without a good answer for so long, the API server counts as away, milliseconds: the Lease alone asks every two seconds. */
const awayMs = 30_000;

/** What is known of the API server by its answers. */
export class ApiServerSight {
  readonly #now: () => number;
  #goodAt: number | undefined;
  /** Since when every gap between two good answers was short. */
  #since = 0;
  #last = "it was not asked yet";

  /** `now`: monotonic, milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  answered(code: number): void {
    const now = this.#now();
    const good = code > 0 && code < 500 && code !== 429;
    if (!good) {
      this.#last = code === 0 ? "it does not answer" : `it answers ${code}`;
      return;
    }
    if (this.#goodAt === undefined || now - this.#goodAt > awayMs) this.#since = now;
    this.#goodAt = now;
  }

  /** Undefined while it answers, else why not. */
  fault(): string | undefined {
    if (this.#goodAt === undefined) return this.#last;
    const silent = this.#now() - this.#goodAt;
    return silent > awayMs ? `${this.#last}, since ${Math.round(silent / 1000)} s` : undefined;
  }

  /** For how long it has been there without a gap, milliseconds; 0 while it is away. */
  thereMs(): number {
    return this.fault() === undefined ? this.#now() - this.#since : 0;
  }
}
