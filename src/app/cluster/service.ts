import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { request, type Dispatcher } from "undici";
import { ControlError } from "../../server/control.ts";
import type { Answer, Send, Sending } from "../../server/client.ts";
import { tokenAudience, tokenHeader } from "../../server/remote.ts";
import { isNotFound } from "../../stores/kubernetes/error.ts";
import { told, type Cluster } from "./open.ts";

/** Account of the control plane's namespace that people and pipelines speak to it as. */
const accountName = "aetherv-cli";
const label = "app.kubernetes.io/name=aetherv";
const portName = "api";
const tokenSeconds = 600;

/** Where the control plane's API is. */
interface Target {
  readonly namespace: string;
  /** Address of the API without a slash at its end: the Service's own, or that of the API server's proxy to it. */
  readonly base: string;
  readonly viaApiServer: boolean;
}

/**
 * The way to the control plane of a cluster: through the API server's proxy to its Service, or to a URL. The API server lets
 * only those through who may use the proxy, but tells the Service nothing of them: a token of the account `aetherv-cli`, made
 * for this audience only, says on whose behalf. No token of the caller leaves for the control plane.
 */
export const serviceSender = (cluster: Cluster, service: string | undefined): Send => {
  let target: Promise<Target> | undefined;
  let token: Promise<string> | undefined;
  return async (sending) => {
    const found = await (target ??= find(cluster, service));
    token ??= tokenFor(cluster, found.namespace);
    return patiently(found, () => sendTo(cluster, found, { sending, token: token ?? Promise.reject(new Error()) }));
  };
};

const find = (cluster: Cluster, service: string | undefined): Promise<Target> => {
  if (service === undefined) return discovered(cluster);
  if (/^https?:\/\//.test(service))
    return Promise.resolve({
      namespace: cluster.connection.namespace,
      base: service.replace(/\/+$/, ""),
      viaApiServer: false,
    });
  const [, namespace, name, port = portName] = /^([^/:]+)\/([^/:]+)(?::([^/:]+))?$/.exec(service) ?? [];
  if (namespace === undefined || name === undefined)
    throw new ControlError(
      "Invalid",
      `--service ${service} names no Service`,
      "as aetherv-system/aetherv:api, or a URL",
    );
  return described(cluster, { namespace, name, port });
};

interface Named {
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
}

interface Service {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec?: {
    readonly ports?: readonly { readonly name?: string; readonly port: number; appProtocol?: string }[];
  };
}

const described = async (cluster: Cluster, { namespace, name, port }: Named): Promise<Target> => {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`;
  const service = await told(() => cluster.client.find<Service>(path));
  if (!service) throw new ControlError("NotFound", `there is no Service ${namespace}/${name}`);
  return proxied(cluster, service, port);
};

const discovered = async (cluster: Cluster): Promise<Target> => {
  const { items } = await told(() =>
    cluster.client.call<{ items: readonly Service[] }>({
      verb: "list",
      path: "/api/v1/services",
      query: { labelSelector: label },
    }),
  ).catch((error: unknown) => {
    throw unknown(error instanceof Error ? error.message : String(error));
  });
  const fits = items.filter(({ spec }) => spec?.ports?.some(({ name }) => name === portName));
  const [only] = fits;
  if (!only) throw unknown(`no Service has the label ${label} and a port named ${portName}`);
  if (fits.length === 1) return proxied(cluster, only, portName);
  throw unknown(`several fit: ${fits.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(", ")}`);
};

const unknown = (why: string): ControlError =>
  new ControlError(
    "Unavailable",
    `the control plane's Service is not known: ${why}`,
    "name it with --service NAMESPACE/NAME",
  );

const proxied = (cluster: Cluster, { metadata, spec }: Service, port: string): Target => {
  const found = spec?.ports?.find((one) => one.name === port || String(one.port) === port);
  const scheme = found?.appProtocol === "https" ? "https:" : "";
  const { namespace, name } = metadata;
  const base = `${cluster.connection.server}/api/v1/namespaces/${namespace}/services/${scheme}${name}:${port}/proxy`;
  return { namespace, base, viaApiServer: true };
};

const tokenFor = async ({ client }: Cluster, namespace: string): Promise<string> => {
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [tokenAudience], expirationSeconds: tokenSeconds },
  };
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${accountName}/token`;
  try {
    const { status } = await client.call<{ status: { token: string } }>({ verb: "create", path, body });
    return status.token;
  } catch (error) {
    if (isNotFound(error))
      throw new ControlError(
        "NotFound",
        `the account ${namespace}/${accountName} does not exist`,
        "the chart makes it",
      );
    return told(() => Promise.reject(error as Error));
  }
};

/** Enough to meet each of several replicas: only one has the host that a job is for. */
const standbyTries = 25;
const standbyWaitMs = 200;

/**
 * The Service's endpoints are all replicas: one that only waits, or has not the host, is answered by another try. So is the API server
 * where it finds no endpoint. What a control plane says otherwise is its answer, which every try would only repeat.
 */
const patiently = async ({ viaApiServer }: Target, send: () => Promise<Answer>): Promise<Answer> => {
  for (let tries = 1; ; tries += 1) {
    const answer = await send();
    if (answer.statusCode !== 503 || !viaApiServer || tries >= standbyTries) return answer;
    const said = await textOf(answer.body);
    const code = codeIn(said);
    if (code !== undefined && code !== "Standby") return { ...answer, body: Readable.from([Buffer.from(said)]) };
    await sleep(standbyWaitMs);
  }
};

const textOf = async (body: Readable): Promise<string> => {
  try {
    return await text(body);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ControlError("Unavailable", `the control plane's answer broke off: ${why}`);
  }
};

/** Of a control plane's own error; undefined where the body is somebody else's: an API server's Status, a proxy's page. */
const codeIn = (body: string): string | undefined => {
  try {
    const { error } = JSON.parse(body) as { readonly error?: { readonly code?: unknown } };
    return typeof error?.code === "string" ? error.code : undefined;
  } catch {
    return undefined;
  }
};

const sendTo = async (
  { connection }: Cluster,
  { base, viaApiServer }: Target,
  { sending, token }: { readonly sending: Sending; readonly token: Promise<string> },
): Promise<Answer> => {
  const { method, path, body, signal } = sending;
  const proof = { [tokenHeader]: await token };
  const { headers, dispatcher } = await connection.authorize();
  // A URL of somebody's choice gets none of the caller's credentials.
  const way: { headers: Record<string, string>; dispatcher?: Dispatcher } = viaApiServer
    ? { headers: { ...headers, ...proof }, dispatcher }
    : { headers: proof };
  try {
    const response = await request(`${base}${path}`, {
      ...way,
      method,
      bodyTimeout: 0,
      ...(body === undefined ? {} : { body, headers: { ...way.headers, "content-type": "application/json" } }),
      ...(signal ? { signal } : {}),
    });
    return { statusCode: response.statusCode, headers: response.headers, body: response.body };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ControlError("Unavailable", `the control plane does not answer at ${base}: ${why}`);
  }
};
