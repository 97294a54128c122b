import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Vm } from "../../agents/simulator/model/types.ts";
import type { Keys } from "../../scripts/guest/keys.ts";
import { GuestService } from "../../src/guest/service.ts";
import { openSigner } from "../../src/guest/signer.ts";
import type { Signer, SignerRecord } from "../../src/guest/signer.ts";
import { conditionOf, Lab } from "./lab.ts";
import { declareWeb, vmOf } from "./samples.ts";

const keys = JSON.parse(readFileSync(join(import.meta.dirname, "../fixtures/guest/keys.json"), "utf8")) as Keys;
const record: SignerRecord = { ...keys.signers.one, digestKey: btoa("d".repeat(32)), handovers: [] };

/** Values of Secrets that must show nowhere. */
export const planted = { password: "planted-password-1", file: "planted file 2", domain: "planted-domain-3" };

/** A lab whose guests are configured; sealing takes real time, which `settle` gives. */
export class GuestLab extends Lab {
  readonly secrets = new Map<string, Record<string, string>>([
    ["admin", { password: planted.password, file: planted.file }],
    ["join", { username: "joiner", password: planted.domain }],
  ]);
  woken = 0;

  #signer: () => Promise<Signer> = () => openSigner(record);

  static make(signer?: () => Promise<Signer>): GuestLab {
    const lab = new GuestLab();
    if (signer) lab.#signer = signer;
    lab.addHost("hv1");
    lab.restart();
    return lab;
  }

  /** Another control plane goes on: what the last one knew of guests and of its key is gone. */
  restart(): void {
    this.guests = new GuestService({
      signer: this.#signer,
      secret: (_namespace, name) => {
        const values = this.secrets.get(name);
        return Promise.resolve(
          values &&
            Object.fromEntries(Object.entries(values).map(([key, text]) => [key, new TextEncoder().encode(text)])),
        );
      },
      wake: () => (this.woken += 1),
      clock: this.clock,
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: (fields) => console.error(fields),
      },
    });
  }

  override async settle(): Promise<void> {
    let woken = -1;
    while (woken !== this.woken) {
      woken = this.woken;
      await super.settle();
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  }

  /** Sealing needs real time: more of it than the rounds of a busy machine would give. */
  override async inventory(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 15));
    await super.inventory();
  }

  sim(): Vm {
    let found: Vm | undefined;
    this.hosts.get("hv1")?.admin((world) => (found = world.vms()[0]));
    if (!found) throw new Error("the host has no machine");
    return found;
  }

  change(change: (vm: Vm) => Partial<Vm>): void {
    this.hosts.get("hv1")?.admin((world) => world.changeVm(this.sim().id, change));
  }

  configured() {
    const { status, reason, message } = conditionOf(vmOf(this, "web"), "GuestConfigured") ?? {};
    return `${status} ${reason}: ${message}`;
  }
}

/** The guest section of the machine "web". */
export const guest = {
  growFilesystems: true,
  hostname: "web",
  localAdministrator: { name: "operator", passwordSecretRef: { name: "admin", key: "password" } },
  domainJoin: { domain: "ad.example.org", credentialsSecretRef: { name: "join" } },
  files: [{ path: "/etc/secret", contentSecretRef: { name: "admin", key: "file" } }],
};

/** A lab whose machine "web" has the guest section, settled. */
export const declare = async (over: object = {}): Promise<GuestLab> => {
  const lab = GuestLab.make();
  declareWeb(lab, { guest: { ...guest, ...over } });
  await lab.settle();
  return lab;
};

export const annotate = (lab: Lab, name: string, value: string): void => {
  const vm = vmOf(lab, "web");
  lab.objects.set("VirtualMachine/default/web", {
    ...vm,
    metadata: { ...vm.metadata, annotations: { ...vm.metadata.annotations, [name]: value } },
  });
};
