import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import type { VMHost } from "../../../src/api/generated/types.ts";
import { Rig, small, until } from "../../e2e/rig.ts";
import type { SshdRig } from "../../rigs/sshd/sshd.ts";
import { sshHostManifest, writeSecret } from "./manifests.ts";

const PATIENCE_MS = 120_000;

/** A control plane over one host behind an sshd, of which a test breaks something. */
export class BrokenHost {
  readonly plane: Rig;

  constructor(plane: Rig) {
    this.plane = plane;
  }

  /** Starts the control plane; the host is hv1, without machines. */
  static async start(
    sshd: Pick<SshdRig, "port" | "hostKeys">,
    login: Readonly<Record<string, string>>,
  ): Promise<BrokenHost> {
    const plane = await Rig.make({ manifests: { "hosts.yaml": sshHostManifest("hv1", sshd) }, hosts: [] });
    await writeSecret(plane.files, login);
    await plane.start();
    return new BrokenHost(plane);
  }

  /** "False HostKeyMismatch" of a condition of the VMHost; "undefined undefined" when there is none. */
  async condition(type: string): Promise<string> {
    const host = (await this.plane.object("VMHost", "hv1")) as VMHost | undefined;
    const found = host?.status?.conditions?.find((one) => one.type === type);
    return `${found?.status} ${found?.reason}`;
  }

  /** Waits for conditions as `{Ready: "True Converged"}` and sees that `aetherv get` and `describe` tell them. */
  async shows(wanted: Readonly<Record<string, string>>): Promise<string> {
    for (const [type, text] of Object.entries(wanted))
      await until(
        `${type} is ${text}`,
        async () => {
          const found = await this.condition(type);
          if (found !== text) throw new Error(`it is ${found}; ${await this.#status()}`);
          return true;
        },
        PATIENCE_MS,
      );
    const { out } = await this.plane.cli("describe", "vmhost", "hv1");
    for (const text of Object.values(wanted)) expect(out).toContain(text.split(" ")[1]);
    return out;
  }

  /** Writes the documents of a machine with a disk and an adapter. */
  async declare(name: string): Promise<void> {
    await writeFile(this.plane.path(`${name}.yaml`), small(name)[`${name}.yaml`] as string);
  }

  /** Jobs that change something, as "vm.create vm-a success"; agents that answer to no job have none. */
  async changes(): Promise<readonly string[]> {
    return (await this.plane.jobs()).map(({ operation, key, status }) => `${operation} ${key.name} ${status}`);
  }

  async #status(): Promise<string> {
    const host = (await this.plane.object("VMHost", "hv1")) as VMHost | undefined;
    return JSON.stringify(
      host?.status?.conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    );
  }
}
