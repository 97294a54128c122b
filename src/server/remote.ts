import type { FastifyRequest } from "fastify";
import type { Logger } from "../engine/ports.ts";
import { ControlError, type ControlPlane } from "./control.ts";
import { GuardedControl, type Gatekeeper } from "./guard.ts";
import { controlApp, type ControlServer, type TlsKeys } from "./server.ts";

/** Header of a caller's token. The API server's proxy takes `Authorization` for itself and passes it to nobody. */
export const tokenHeader = "x-aetherv-token";

/** What a token is made for: with it, it is worth nothing to the API server and whoever else might see it. */
export const tokenAudience = "aetherv.io";

/** Header by which a replica asks another for what that one knows itself: who is asked so asks nobody further. */
export const ownHeader = "x-aetherv-own";

export interface RemoteOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsKeys;
  readonly control: () => ControlPlane;
  /** What this process knows itself, of `control`. */
  readonly own: () => ControlPlane;
  /** The token of the control plane's own account, by which it is known in another replica; undefined where it has none. */
  readonly ownToken: () => Promise<string | undefined>;
  readonly gate: Gatekeeper;
  readonly log: Logger;
}

/** Serves what only the control plane knows to callers of the cluster, each as far as RBAC lets them. */
export const serveRemote = async (options: RemoteOptions): Promise<ControlServer & { readonly port: number }> => {
  const { host, port, tls, control, own, gate, log } = options;
  const callers = new WeakMap<FastifyRequest, ControlPlane>();
  const answering = (request: FastifyRequest): ControlPlane => {
    const found = callers.get(request);
    if (!found) throw new ControlError("Unauthenticated", "nobody is known for this request");
    return found;
  };
  const ownName = nameOfOwn(options);
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
    if (request.headers[ownHeader] === undefined)
      return void callers.set(request, new GuardedControl(control(), caller));
    const replica = (await ownName()) === caller.name;
    callers.set(request, new GuardedControl(own(), { ...caller, may: (access) => caller.may(access), replica }));
  });
  await app.listen({ host, port });
  const address = app.server.address();
  return { port: typeof address === "object" ? (address?.port ?? port) : port, close: () => app.close() };
};

/** Whom the cluster takes this process for, asked once for each token; undefined where it can't tell. */
const nameOfOwn = ({ ownToken, gate }: RemoteOptions): (() => Promise<string | undefined>) => {
  let known: { readonly token: string; readonly name: string } | undefined;
  return async () => {
    const token = await ownToken();
    if (token === undefined || token === known?.token) return token && known?.name;
    const name = (await gate.caller(token))?.name;
    known = name === undefined ? undefined : { token, name };
    return name;
  };
};
