import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

export interface SessionTimes {
  /** A session that nobody used for so long is over, milliseconds. */
  readonly idleMs: number;
  /** However it is used, milliseconds. */
  readonly absoluteMs: number;
}

export const defaultSessionTimes: SessionTimes = { idleMs: 60 * 60_000, absoluteMs: 12 * 3_600_000 };

/** What a cookie stands for. The token is asked about at every request: who loses it loses the session. */
export interface Session {
  readonly token: string;
  readonly csrf: string;
  readonly openedAt: number;
  usedAt: number;
}

/** Beyond this, the one unused for the longest is ended. */
const most = 1_000;

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

const secret = (): string => randomBytes(32).toString("base64url");

/** Equal in a time that tells nothing of where they differ. */
export const sameText = (a: string, b: string): boolean =>
  timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());

/** Sessions of people's browsers, in memory: a restart ends them. Known by the digest of their id only. */
export class Sessions {
  readonly #times: SessionTimes;
  readonly #now: () => Date;
  readonly #byDigest = new Map<string, Session>();

  constructor(times: SessionTimes, now: () => Date) {
    this.#times = times;
    this.#now = now;
  }

  /** The new session's id, for the cookie. */
  open(token: string): string {
    const id = secret();
    const now = this.#now().getTime();
    this.#tidy(now);
    this.#byDigest.set(digest(id), { token, csrf: secret(), openedAt: now, usedAt: now });
    return id;
  }

  /** Undefined for one that is over. `use` counts as use of it. */
  find(id: string, use: "use" | "look" = "use"): Session | undefined {
    const key = digest(id);
    const session = this.#byDigest.get(key);
    const now = this.#now().getTime();
    if (!session) return undefined;
    if (this.#isOver(session, now)) {
      this.#byDigest.delete(key);
      return undefined;
    }
    if (use === "use") session.usedAt = now;
    return session;
  }

  close(id: string): void {
    this.#byDigest.delete(digest(id));
  }

  #isOver({ openedAt, usedAt }: Session, now: number): boolean {
    return now - usedAt > this.#times.idleMs || now - openedAt > this.#times.absoluteMs;
  }

  #tidy(now: number): void {
    for (const [key, session] of this.#byDigest) if (this.#isOver(session, now)) this.#byDigest.delete(key);
    if (this.#byDigest.size < most) return;
    const [oldest] = [...this.#byDigest].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    if (oldest) this.#byDigest.delete(oldest[0]);
  }
}
