import type { Chance } from "./chance.ts";

/** How likely each thing is to go wrong, and how slow everything is. Worlds differ in their climates: few have everything. */
export interface Weather {
  /** Of a dealing of the control plane with its store: fails before it is carried out, or its answer gets lost after. */
  readonly storeFails: number;
  readonly answerLost: number;
  /** Longest time that one way of a dealing takes, milliseconds. */
  readonly delayMs: number;
  /** Of opening a session to a host. */
  readonly connectFails: number;
  readonly connectHangs: number;
  /** Of one line over a session: the session breaks, the line comes twice, it takes long. */
  readonly sessionBreaks: number;
  readonly lineTwice: number;
  readonly lineSlow: number;
  /** Of one effect on a host: the agent is killed right after it. */
  readonly agentKilled: number;
  /** Of one effect on a host: the next one takes long. */
  readonly effectSlow: number;
}

const fair: Weather = {
  storeFails: 0,
  answerLost: 0,
  delayMs: 4,
  connectFails: 0,
  connectHangs: 0,
  sessionBreaks: 0,
  lineTwice: 0,
  lineSlow: 0,
  agentKilled: 0,
  effectSlow: 0,
};

const foul = (chance: Chance): Weather => {
  const maybe = (most: number): number => (chance.is(0.35) ? chance.wide(most / 30, most) : 0);
  return {
    storeFails: maybe(0.2),
    answerLost: maybe(0.2),
    delayMs: chance.is(0.3) ? chance.wide(20, 3000) : chance.wide(1, 20),
    connectFails: maybe(0.5),
    connectHangs: maybe(0.1),
    sessionBreaks: maybe(0.05),
    lineTwice: maybe(0.1),
    lineSlow: maybe(0.1),
    agentKilled: maybe(0.1),
    effectSlow: maybe(0.2),
  };
};

export class Climate {
  #weather: Weather;
  /** So many things went wrong by chance. */
  struck = 0;

  constructor(chance: Chance, begins: "foul" | "fair" = "foul") {
    this.#weather = begins === "foul" ? foul(chance) : fair;
  }

  get now(): Weather {
    return this.#weather;
  }

  /** From now on nothing goes wrong any more. */
  clear(): void {
    this.#weather = fair;
  }

  delay(chance: Chance): number {
    return chance.next() * this.#weather.delayMs;
  }

  /** Of a dealing with the store. */
  fate(chance: Chance): "well" | "before" | "after" {
    const { storeFails, answerLost } = this.#weather;
    if (storeFails === 0 && answerLost === 0) return "well";
    const drawn = chance.next();
    if (drawn >= storeFails + answerLost) return "well";
    this.struck += 1;
    return drawn < storeFails ? "before" : "after";
  }

  /** Of opening a session. */
  opening(chance: Chance): "well" | "hangs" | "fails" {
    const { connectHangs, connectFails } = this.#weather;
    const drawn = chance.next();
    if (drawn >= connectHangs + connectFails) return "well";
    this.struck += 1;
    return drawn < connectHangs ? "hangs" : "fails";
  }

  /** Whether this goes wrong now. */
  strikes(what: Exclude<keyof Weather, "delayMs">, chance: Chance): boolean {
    const strikes = chance.is(this.#weather[what]);
    if (strikes) this.struck += 1;
    return strikes;
  }
}
