import type { Random } from "../../../src/engine/ports.ts";
import { SeededRandom } from "../../support/random.ts";
import { sleep } from "../rig.ts";
import type { Chain } from "./chain.ts";

/** Kills at random moments, one at a time; the seed gives the same kinds of kills and the same pauses between them. */
export class Chaos {
  readonly #chain: Chain;
  readonly #chance: Random;
  readonly done: string[] = [];

  constructor(chain: Chain, seed: number) {
    this.#chain = chain;
    this.#chance = new SeededRandom(seed);
  }

  /** So many kills, each after 1 to 6 seconds of work. At the end everything runs. */
  async rage(kills: number): Promise<void> {
    for (let count = 0; count < kills; count += 1) {
      await sleep(1000 + this.#chance.next() * 5000);
      await this.#kill();
    }
  }

  async #kill(): Promise<void> {
    const { plane, hosts } = this.#chain;
    const names = Object.keys(hosts);
    const name = names[Math.floor(this.#chance.next() * names.length)] ?? "";
    const kind = this.#chance.next();
    this.done.push(kind < 0.4 ? "controller" : kind < 0.7 ? `connections of ${name}` : `host ${name}`);
    if (kind < 0.4) {
      await plane.stop("SIGKILL");
      await plane.start();
      return;
    }
    const sshd = hosts[name];
    if (kind < 0.7) return sshd?.cut();
    // The server with all that runs on the host, agents in the midst of a job too.
    await sshd?.stop();
    await sleep(this.#chance.next() * 1500);
    await sshd?.listen();
  }
}
