import { rm, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect, isDeepStrictEqual } from "node:util";
import { stringify } from "yaml";
import type { VMHost } from "../../src/api/generated/types.ts";
import { reasonsText } from "../../src/cli/progress.ts";
import { overSsh, secret } from "../e2e/hyperv/chain.ts";
import { machinesOf, readStore } from "../e2e/hyperv/store.ts";
import { Rig, until } from "../e2e/rig.ts";
import { clearCalls, readCalls, readDisk, readHost, setFaults } from "../rigs/hyperv/host.ts";
import { SshdRig } from "../rigs/sshd/sshd.ts";
import type { Tally } from "./campaign.ts";
import { pointText, type Point } from "./points.ts";
import { isConverged } from "./run.ts";
import { declared, fileText, firstly, isWorld, objectOf, secondly, type Manifest, type World } from "./world.ts";

const PATIENCE_MS = 300_000;

/** Cmdlets and methods that change a host: the effects between which the agent is killed. */
const changing =
  /^(New|Set|Add|Remove|Start|Stop|Resize|Move|Rename|Connect|Disconnect|Enable|Disable|Import)-|^CIM:\w+\./;

/** What a host held of one machine after each step of its life. Names and ids that differ from life to life are left out. */
type Lives = readonly unknown[];

/** The real PowerShell agent behind a real sshd, deployed there by the control plane, on an emulated host. */
class Chain implements AsyncDisposable {
  readonly #sshd: SshdRig;
  readonly #plane: Rig;
  readonly #host: Manifest;

  private constructor(sshd: SshdRig, plane: Rig, host: Manifest) {
    this.#sshd = sshd;
    this.#plane = plane;
    this.#host = host;
  }

  static async start(): Promise<Chain> {
    const sshd = await SshdRig.start({ shell: "powershell.exe", agent: "powershell", forced: true });
    const [simulated] = declared["hosts"] ?? [];
    if (!simulated) throw new Error("the world has a host");
    const { spec } = overSsh(objectOf(simulated) as unknown as VMHost, sshd);
    const host = { ...simulated, spec };
    const plane = await Rig.make({ manifests: { "hosts.yaml": fileText([host]) }, hosts: [] });
    await writeFile(plane.path("logins.yaml"), stringify(secret(host.name, sshd.key)), { mode: 0o600 });
    const chain = new Chain(sshd, plane, host);
    try {
      await plane.start("--deletion-delay", "0s");
      await chain.#reach({});
      return chain;
    } catch (error) {
      await chain[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#plane.dispose();
    await this.#sshd[Symbol.asyncDispose]();
  }

  /** A machine's life from declaration through edit to deletion. */
  async life(name: string): Promise<Lives> {
    const file = this.#plane.path(`${name}.yaml`);
    await writeFile(file, fileText(firstly(name)));
    await this.#reach({ [name]: firstly(name) });
    const first = await this.#held(name);
    const made = await this.#identities();
    await writeFile(file, fileText(secondly(name)));
    await this.#reach({ [name]: secondly(name) });
    const second = await this.#held(name);
    const kept = isDeepStrictEqual(await this.#identities(), made);
    await rm(file);
    await this.#reach({});
    return [first, second, { disksAreThoseThatWereMade: kept }, await this.#held(name)];
  }

  async #reach(more: World): Promise<void> {
    let why = "";
    const reached = async (): Promise<boolean> => {
      const objects = await this.#plane.objects();
      why = reasonsText(objects);
      // One after the other, lives end faster than a person's would.
      const held = objects.find(({ status }) => JSON.stringify(status ?? {}).includes('"MassDeleteGuard"'));
      if (held) await this.#plane.cli("confirm-delete", `${held.kind}/${held.metadata.name}`);
      return isWorld(objects, { hosts: [this.#host], ...more }) && objects.every(isConverged);
    };
    await until("the world is as declared", reached, PATIENCE_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${why}\n${this.#plane.said.slice(-2000)}`);
    });
  }

  async #held(name: string): Promise<unknown> {
    const { vms, disks, trash } = await readStore(this.#sshd.root);
    const own = { vms, disks, trash: trash.filter((file) => file.startsWith(`${name}-`)) };
    const text = JSON.stringify(own).replaceAll(name, "NAME");
    return JSON.parse(
      text.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=\.)[0-9a-f]{8}\b/gi, "ID"),
    ) as unknown;
  }

  /** Of the disks that machines have, in order. */
  async #identities(): Promise<readonly string[]> {
    const { root } = this.#sshd;
    const paths = machinesOf(await readHost(root)).flatMap(({ drives }) => drives.map(({ path }) => path));
    const disks = await Promise.all(paths.map((path) => readDisk(root, path)));
    return disks.map((disk) => disk?.diskIdentifier ?? "none").toSorted();
  }

  /** Calls that changed the host during the work. */
  async calls(work: () => Promise<void>): Promise<readonly string[]> {
    await clearCalls(this.#sshd.root);
    await work();
    return (await readCalls(this.#sshd.root)).filter((call) => changing.test(call));
  }

  /** Has the agent's process killed once at the point; tells whether that came. */
  async killing({ label, nth, when }: Point, work: () => Promise<void>): Promise<boolean> {
    const { root } = this.#sshd;
    await setFaults(root, [{ on: label, do: "kill", when, skip: nth - 1, times: 1 }]);
    try {
      await work();
      const [fault] = JSON.parse(await readFile(join(root, "hyperv/faults.json"), "utf8")) as { times: number }[];
      return fault?.times === 0;
    } finally {
      await setFaults(root, []);
    }
  }
}

interface AgentCrashes {
  readonly choose: (points: readonly Point[]) => readonly Point[];
  readonly told?: (line: string) => void;
}

/** Kills the agent before and after each call that changes the host; every life must leave what an undisturbed one leaves. */
export const crashPowerShell = async ({ choose, told }: AgentCrashes): Promise<Tally> => {
  await using chain = await Chain.start();
  let whole: Lives = [];
  const calls = await chain.calls(async () => void (whole = await chain.life("p0")));
  const points = pointsOf(calls);
  const chosen = choose(points);
  const failures: string[] = [];
  let struck = 0;
  for (const [index, point] of chosen.entries()) {
    let lives: Lives = [];
    const came = await chain.killing(point, async () => void (lives = await chain.life(`p${index + 1}`)));
    if (came) struck += 1;
    told?.(`${index + 1}/${chosen.length} ${came ? "" : "(not reached) "}${pointText(point)}`);
    if (isDeepStrictEqual(lives, whole)) continue;
    failures.push(`${pointText(point)}: ${inspect(lives, { depth: 9 })}\ninstead of\n${inspect(whole, { depth: 9 })}`);
    told?.(`FAIL ${failures.at(-1)}`);
  }
  return { points, tried: chosen.length, struck, failures };
};

const pointsOf = (calls: readonly string[]): readonly Point[] => {
  const counts = new Map<string, number>();
  return calls.flatMap((label) => {
    const nth = (counts.get(label) ?? 0) + 1;
    counts.set(label, nth);
    return (["before", "after"] as const).map((when): Point => ({ label, nth, when, victim: "agent" }));
  });
};
