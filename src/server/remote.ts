import type { FastifyRequest } from "fastify";
import type { Logger } from "../engine/ports.ts";
import { ControlError, type ControlPlane } from "./control.ts";
import { GuardedControl, type Gatekeeper } from "./guard.ts";
import { controlApp, type ControlServer, type TlsKeys } from "./server.ts";

/** Header of a caller's token. The API server's proxy takes `Authorization` for itself and passes it to nobody. */
export const tokenHeader = "x-aetherv-token";

/** What a token is made for: with it, it is worth nothing to the API server and whoever else might see it. */
export const tokenAudience = "aetherv.io";

export interface RemoteOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsKeys;
  readonly control: () => ControlPlane;
  readonly gate: Gatekeeper;
  readonly log: Logger;
}

/** Serves what only the control plane knows to callers of the cluster, each as far as RBAC lets them. */
export const serveRemote = async (options: RemoteOptions): Promise<ControlServer & { readonly port: number }> => {
  const { host, port, tls, control, gate, log } = options;
  const callers = new WeakMap<FastifyRequest, ControlPlane>();
  const answering = (request: FastifyRequest): ControlPlane => {
    const found = callers.get(request);
    if (!found) throw new ControlError("Unauthenticated", "nobody is known for this request");
    return found;
  };
  const app = controlApp(answering, log, tls);
  app.addHook("onRequest", async (request) => {
    const token = request.headers[tokenHeader];
    if (typeof token !== "string" || token === "")
      throw new ControlError(
        "Unauthenticated",
        `the header ${tokenHeader} with a token for ${tokenAudience} is missing`,
      );
    const caller = await gate.caller(token);
    if (!caller) throw new ControlError("Unauthenticated", `the token is none of this cluster for ${tokenAudience}`);
    callers.set(request, new GuardedControl(control(), caller));
  });
  await app.listen({ host, port });
  const address = app.server.address();
  return { port: typeof address === "object" ? (address?.port ?? port) : port, close: () => app.close() };
};
