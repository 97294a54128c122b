import { readFile } from "node:fs/promises";
import { HttpMethod, KubeConfig, RequestContext } from "@kubernetes/client-node";
import { Agent, request, type Dispatcher } from "undici";

/** One HTTP request to the API server. */
export interface Sent {
  readonly method: Dispatcher.HttpMethod;
  /** From the server's root, with the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until the answer must have begun, and between two parts of it. */
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  readonly signal?: AbortSignal;
}

/** The answer to one; its body is read once, in one of the ways. */
export interface Response {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array> & { text(): Promise<string>; json(): Promise<unknown> };
}

/** What sends requests to one API server. Rejects when there is no answer. */
export interface Wire {
  /** Namespace of the pod, else of the kubeconfig's context, else "default". */
  readonly namespace: string;
  send(request: Sent): Promise<Response>;
  close(): Promise<void>;
}

/** How a cluster is reached: the address, and the credentials of the moment. */
export interface Connection extends Wire {
  /** Address of the API server without a slash at its end. */
  readonly server: string;
  /** Credentials are read anew as they expire: tokens in files and of helper programs change while we run. */
  authorize(): Promise<Authorization>;
  /** The same cluster with somebody else's token, and nothing of our own credentials. It has nothing to close. */
  withToken(token: string): Connection;
}

interface Authorization {
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
}

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/** What client-node makes connections by; it would make a new one for every request. */
interface DispatcherMaker {
  createDispatcher(cluster: unknown, options: object): Dispatcher | undefined;
}

export interface ClusterName {
  readonly kubeconfig?: string;
  /** Of the kubeconfig; its current one if not given. */
  readonly context?: string;
}

/** Opens what `kubeconfig` names; without it what kubectl would take: $KUBECONFIG, ~/.kube/config, or the pod's own account. */
export const openConnection = async ({ kubeconfig, context }: ClusterName): Promise<Connection> => {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  if (context !== undefined) {
    if (!config.getContextObject(context)) throw new Error(`the kubeconfig has no context "${context}"`);
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`${kubeconfig ?? "the default kubeconfig"} has no current context with a cluster`);
  // What client-node takes where it finds nothing; nobody serves there any more.
  if (cluster.server === "http://localhost:8080")
    throw new Error("there is none ($KUBECONFIG, ~/.kube/config), nor the account of a pod");
  const bare = new KubeConfig();
  bare.loadFromClusterAndUser(cluster, { name: "caller" });
  const [own, others] = [memoise(config), memoise(bare)];
  const server = cluster.server.replace(/\/+$/, "");
  const inContext = config.getContextObject(config.getCurrentContext())?.namespace;
  const namespace =
    (kubeconfig === undefined && context === undefined ? await podNamespace() : undefined) ?? inContext ?? "default";
  const withToken = (token: string): Connection => {
    const authorize = async (): Promise<Authorization> => {
      const { headers, dispatcher } = await authorization(server, bare, others);
      return { headers: { ...headers, authorization: `Bearer ${token}` }, dispatcher };
    };
    const send = sender(server, authorize);
    return { server, namespace, authorize, send, withToken, close: () => Promise.resolve() };
  };
  const authorize = (): Promise<Authorization> => authorization(server, config, own);
  const close = async (): Promise<void> => void (await Promise.all([own.close(), others.close()]));
  return { server, namespace, authorize, send: sender(server, authorize), withToken, close };
};

const authorization = async (server: string, config: KubeConfig, dispatchers: Dispatchers): Promise<Authorization> => {
  const context = new RequestContext(server, HttpMethod.GET);
  await config.applySecurityAuthentication(context);
  return { headers: context.getHeaders(), dispatcher: context.getDispatcher() ?? dispatchers.fallback() };
};

const sender =
  (server: string, authorize: Connection["authorize"]): Wire["send"] =>
  async ({ path, headers: given, ...rest }) => {
    const { headers, dispatcher } = await authorize();
    return await request(server + path, { ...rest, headers: { ...headers, ...given }, dispatcher });
  };

const podNamespace = async (): Promise<string | undefined> => {
  try {
    return (await readFile(namespaceFile, "utf8")).trim();
  } catch {
    return undefined;
  }
};

interface Dispatchers {
  /** For what needs no options. */
  fallback(): Dispatcher;
  close(): Promise<void>;
}

/** One dispatcher for each set of TLS options, so that requests share connections. A rotated certificate makes a new one. */
const memoise = (config: KubeConfig): Dispatchers => {
  const kept = new Map<string, Dispatcher>();
  const maker = config as unknown as DispatcherMaker;
  const original = maker.createDispatcher.bind(config);
  const remember = (key: string, make: () => Dispatcher): Dispatcher => {
    const known = kept.get(key) ?? make();
    kept.set(key, known);
    return known;
  };
  maker.createDispatcher = (cluster, options) => {
    const wanted = config.createDispatcherOptions(
      cluster as Parameters<typeof config.createDispatcherOptions>[0],
      options,
    );
    if (wanted.type === "none") return undefined;
    return remember(JSON.stringify(wanted), () => {
      if (wanted.type === "agent")
        return new Agent({ connect: wanted.connect as NonNullable<Agent.Options["connect"]> });
      return original(cluster, options) ?? new Agent();
    });
  };
  return {
    fallback: () => remember("", () => new Agent()),
    close: async () => void (await Promise.all([...kept.values()].map((dispatcher) => dispatcher.destroy()))),
  };
};
