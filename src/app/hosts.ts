import type { VMHost } from "../api/generated/types.ts";
import type { Clock, HostSettings, Journal, Logger, Objects, Random, Transport } from "../engine/ports.ts";
import { HostSnapshot } from "../engine/snapshot.ts";
import { HostDirectory } from "../hosts/directory.ts";
import type { HostChange } from "../hosts/parts.ts";
import { ProtocolCheck } from "../protocol/check.ts";
import { fault } from "../protocol/errors.ts";
import { TransportError } from "../engine/ports.ts";
import { simulatorTransport } from "../transports/local/simulator.ts";
import { hostSettings } from "./settings.ts";
import { SshTransports, type ReadSecret } from "./ssh.ts";

export interface HostWiring {
  readonly objects: Objects;
  readonly controlPlaneId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly journal: Journal;
  /** Whether agents may run as processes of this machine (drivers Simulated, connections Local). */
  readonly localHosts: "allowed" | "refused";
  /** State folder of a simulated host. */
  readonly simulated: (host: string) => string;
  /** Reads the credentials of hosts, at each use. */
  readonly secret: ReadSecret;
  /** Of the host with this uid. */
  readonly epoch: (uid: string) => number;
  readonly raiseEpoch: (min: number, uid: string) => Promise<number>;
  readonly onChange: (host: string, change: HostChange) => void;
}

/** The directory of hosts, with the transport that each VMHost's driver and connection ask for. */
export const wireHosts = (wiring: HostWiring): HostDirectory => {
  const ssh = new SshTransports(wiring.secret, wiring.log);
  return new HostDirectory({
    controlPlaneId: wiring.controlPlaneId,
    clock: wiring.clock,
    random: wiring.random,
    log: wiring.log,
    journal: wiring.journal,
    check: new ProtocolCheck(),
    epoch: wiring.epoch,
    raiseEpoch: wiring.raiseEpoch,
    newSnapshot: () => new HostSnapshot(wiring.controlPlaneId),
    onChange: wiring.onChange,
    transportFor: (settings) => transportFor(settings, wiring, ssh),
    refuseAgent: ssh.refuse,
  });
};

const vmHosts = (objects: Objects): readonly VMHost[] => objects.list("VMHost") as readonly VMHost[];

/** What this process has to do with the host of this uid. */
export type RoleOf = (uid: string) => "manage" | "observe";

export const settingsOf = (objects: Objects, roleOf: RoleOf = () => "manage"): readonly HostSettings[] =>
  vmHosts(objects).map((host) => ({ ...hostSettings(host), role: roleOf(host.metadata.uid) }));

export const applyHosts = (hosts: HostDirectory, objects: Objects): void => hosts.apply(settingsOf(objects));

const transportFor = (
  { name }: HostSettings,
  { objects, simulated, localHosts }: HostWiring,
  ssh: SshTransports,
): Transport => {
  const host = vmHosts(objects).find((one) => one.metadata.name === name);
  if (localHosts === "refused" && host && isLocal(host))
    return unsupported(
      `VMHost ${name}: ${localRefusal(host)} needs aetherv run --allow-local-hosts in Kubernetes mode`,
    );
  if (host?.spec.driver === "Simulated") return simulatorTransport({ name, state: simulated(name) });
  if (host?.spec.connection.ssh) return ssh.transport(name, host.spec.connection.ssh);
  return unsupported(`VMHost ${name}: driver HyperV is reached by connection type SSH only in this version`);
};

/** Its agent would be a process beside us: whoever may make a VMHost could start programs in our pod. */
const isLocal = ({ spec }: VMHost): boolean => spec.driver === "Simulated" || spec.connection.type === "Local";

const localRefusal = ({ spec }: VMHost): string =>
  spec.driver === "Simulated" ? "driver Simulated" : "connection type Local";

/** Every try to reach the host ends with this message, which the VMHost's status shows. */
const unsupported = (message: string): Transport => {
  const refuse = (): Promise<never> => Promise.reject(new TransportError(fault("HostUnreachable", message)));
  return { session: refuse, oneShot: refuse };
};
