import { apiVersion as group, isKind, kindInfo } from "../../api/kinds.ts";
import type { KubeClient } from "./client.ts";

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly user?: User;
  };
}

interface User {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface AccessReview {
  readonly status?: { readonly allowed?: boolean };
}

/** What somebody wants to do with objects of the group. */
interface Wanted {
  readonly verb: string;
  readonly kind: string;
  /** "" for cluster-scoped kinds and for all namespaces. */
  readonly namespace: string;
  readonly name?: string;
}

/** Leaves the judgement to the cluster: whose a token is (TokenReview), and what its RBAC lets them do (SubjectAccessReview). */
export class Reviews {
  readonly #client: KubeClient;
  readonly #audience: string;

  constructor(client: KubeClient, audience: string) {
    this.#client = client;
    this.#audience = audience;
  }

  /** Undefined for a token that proves nobody, or that was made for another audience. */
  async caller(token: string): Promise<{ readonly name: string; may(wanted: Wanted): Promise<boolean> } | undefined> {
    const { status = {} } = await this.#review<TokenReview>("authentication.k8s.io", "TokenReview", {
      token,
      audiences: [this.#audience],
    });
    const { authenticated, audiences = [], user } = status;
    // A server that knows no audiences answers without any: its tokens would be good for everything else, too.
    if (authenticated !== true || !audiences.includes(this.#audience) || user?.username === undefined) return undefined;
    return { name: user.username, may: (wanted) => this.#may(user, wanted) };
  }

  async #may({ username, uid, groups, extra }: User, { verb, kind, namespace, name }: Wanted): Promise<boolean> {
    if (!isKind(kind)) return false;
    const { status } = await this.#review<AccessReview>("authorization.k8s.io", "SubjectAccessReview", {
      user: username,
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      resourceAttributes: {
        verb,
        group: group.split("/")[0],
        resource: kindInfo(kind).plural,
        ...(namespace === "" ? {} : { namespace }),
        ...(name === undefined ? {} : { name }),
      },
    });
    return status?.allowed === true;
  }

  #review<T>(group: string, kind: string, spec: object): Promise<T> {
    const apiVersion = `${group}/v1`;
    return this.#client.call<T>({
      verb: "create",
      path: `/apis/${apiVersion}/${kind.toLowerCase()}s`,
      body: { apiVersion, kind, spec },
    });
  }
}
