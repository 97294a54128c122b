import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { VMHost } from "../api/generated/types.ts";
import { TransportError, type Logger, type Transport } from "../engine/ports.ts";
import { bundleOf, type Bundle } from "../hosts/deploy/bundle.ts";
import { Gate } from "../hosts/deploy/gate.ts";
import { DeployedTransport } from "../hosts/deploy/transport.ts";
import { fault, type Fault } from "../protocol/errors.ts";
import type { HelloData } from "../protocol/generated/types.ts";
import { SshHost } from "../transports/ssh/host.ts";
import { loginOf, type Login, type SshTarget } from "../transports/ssh/target.ts";

/** Values of a Secret, read now; undefined when there is none. */
export type ReadSecret = (namespace: string, name: string) => Promise<Readonly<Record<string, Uint8Array>> | undefined>;

export type Ssh = NonNullable<VMHost["spec"]["connection"]["ssh"]>;

const MODULE = "Install-WindowsFeature Hyper-V -IncludeManagementTools adds it";

/** Hosts that get their agent at the same time. */
const DEPLOYMENTS = 5;

/** The agent's files: beside the sources, or beside dist/ in the package. */
export const agentFolder = (): string => {
  const found = ["../../agents/hyperv/", "../../../agents/hyperv/"]
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(new URL("agent.ps1", url)));
  if (!found) throw new Error("the agent's folder agents/hyperv is missing: the installation is incomplete");
  return fileURLToPath(found);
};

/** Reaches hosts over SSH, and puts this version's agent on them. */
export class SshTransports {
  readonly #secret: ReadSecret;
  readonly #log: Logger;
  readonly #gate = new Gate(DEPLOYMENTS);
  #bundle: Promise<Bundle> | undefined;
  #sha256: string | undefined;

  constructor(secret: ReadSecret, log: Logger) {
    this.#secret = secret;
    this.#log = log;
  }

  transport(name: string, ssh: Ssh): Transport {
    return new DeployedTransport({
      host: name,
      stub: sshHost(ssh, this.#secret),
      bundle: () => this.#ourBundle(),
      gate: this.#gate,
      log: this.#log,
    });
  }

  /**
   * The second line after the stub's own check: an agent of another bundle gets no job, nor does one without Hyper-V: to it
   * every machine would be absent.
   */
  readonly refuse = ({ agent, sha256, platform }: HelloData): Fault | undefined => {
    if (agent !== "hyperv") return undefined;
    if (this.#sha256 !== undefined && sha256 !== this.#sha256)
      return fault("VersionMismatch", `the agent's hash is ${sha256}, the control plane's is ${this.#sha256}`);
    return platform.hyperv === undefined
      ? fault("HostNotPrepared", `PowerShell ${platform.powershell ?? ""} of the host has no Hyper-V module: ${MODULE}`)
      : undefined;
  };

  #ourBundle(): Promise<Bundle> {
    this.#bundle ??= bundleOf(agentFolder()).then((bundle) => {
      this.#sha256 = bundle.sha256;
      return bundle;
    });
    return this.#bundle;
  }
}

/** The stub of a host, with the login of its Secret. */
export const sshHost = (ssh: Ssh, secret: ReadSecret): SshHost =>
  new SshHost({ target: targetOf(ssh), login: () => readLogin(ssh.credentialsSecretRef, secret) });

export const targetOf = ({ address, port, user, hostKeys }: Ssh): SshTarget => ({ address, port, user, hostKeys });

/** Throws AuthenticationFailed, naming the Secret. */
export const readLogin = async (ref: Ssh["credentialsSecretRef"], secret: ReadSecret): Promise<Login> => {
  const place = `${ref.namespace}/${ref.name}`;
  const values = await secret(ref.namespace, ref.name).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new TransportError(fault("AuthenticationFailed", `Secret ${place} can't be read: ${why}`));
  });
  if (!values) throw new TransportError(fault("AuthenticationFailed", `there is no Secret ${place}`));
  const texts = Object.entries(values).map(([key, bytes]) => [key, Buffer.from(bytes).toString("utf8")] as const);
  return loginOf(Object.fromEntries(texts), place);
};
