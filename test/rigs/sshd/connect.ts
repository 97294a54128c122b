import { fileURLToPath } from "node:url";
import type { AgentChannel, Logger } from "../../../src/engine/ports.ts";
import { bundleOf, type Bundle } from "../../../src/hosts/deploy/bundle.ts";
import { Gate } from "../../../src/hosts/deploy/gate.ts";
import { DeployedTransport } from "../../../src/hosts/deploy/transport.ts";
import type { JobResult } from "../../../src/protocol/generated/types.ts";
import { SshHost, type SshHostOptions } from "../../../src/transports/ssh/host.ts";
import type { Login, SshTarget } from "../../../src/transports/ssh/target.ts";
import { USER } from "./options.ts";
import type { SshdRig } from "./sshd.ts";

const agent = fileURLToPath(new URL("../../../agents/hyperv", import.meta.url));
let bundled: Promise<Bundle> | undefined;
/** The agent's bundle; for the simulator's rig it is cargo only. */
export const bundle = (): Promise<Bundle> => (bundled ??= bundleOf(agent));

const silent = (): void => undefined;
export const quiet: Logger = { debug: silent, info: silent, warn: silent, error: silent };

interface Over extends Partial<Omit<SshHostOptions, "target" | "login">> {
  readonly target?: Partial<SshTarget>;
  readonly login?: Login;
}

/** The control plane's end for a rig. */
export const hostOf = (rig: SshdRig, { target, login, ...over }: Over = {}): SshHost =>
  new SshHost({
    target: { address: "127.0.0.1", port: rig.port, user: USER, hostKeys: rig.hostKeys, ...target },
    login: () => Promise.resolve(login ?? { at: "key", key: rig.key }),
    ...over,
  });

export const transportOf = (stub: SshHost, gate = new Gate(5), name = "hv-1"): DeployedTransport =>
  new DeployedTransport({ host: name, stub, bundle, gate, log: quiet });

let count = 0;
/** A request that every agent answers; `operation` and `spec` for others. */
export const request = (
  operation = "agent.hello",
  spec: object = {},
): { readonly id: string; readonly line: string } => {
  const id = `01JDB3Q4V5W6X7Y8Z9${String((count += 1)).padStart(8, "0")}`;
  const metadata = {
    timestamp: new Date().toISOString(),
    host: "hv-1",
    deadline_seconds: 60,
    debug: false,
    dry_run: false,
    control_plane: "11111111-1111-4111-8111-111111111111",
    epoch: 1,
    locks: [],
  };
  return { id, line: JSON.stringify({ operation, resource_spec: spec, correlation_id: id, metadata }) };
};

/** Sends a request and gives the result that answers it; rejects when the channel closes first. */
export const ask = (channel: AgentChannel, { id, line }: ReturnType<typeof request>): Promise<JobResult> =>
  new Promise((resolve, reject) => {
    channel.onLine((text) => {
      if (text.startsWith('{"type":"result"') && text.includes(id))
        resolve((JSON.parse(text) as { result: JobResult }).result);
    });
    channel.onClose((fault) => reject(new Error(fault.message)));
    channel.send(line);
  });
