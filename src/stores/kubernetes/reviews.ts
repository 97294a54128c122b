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
  readonly name?: string | undefined;
}

/** What somebody wants to do themselves. */
export interface OwnAccess extends Wanted {
  readonly verb: "get" | "list" | "create" | "update" | "patch" | "delete";
}

const attributesOf = ({ verb, kind, namespace, name }: Wanted): object => ({
  verb,
  group: group.split("/")[0],
  resource: isKind(kind) ? kindInfo(kind).plural : kind,
  ...(namespace === "" ? {} : { namespace }),
  ...(name === undefined ? {} : { name }),
});

const review = <T>(
  client: KubeClient,
  reviewed: { readonly group: string; readonly kind: string },
  spec: object,
): Promise<T> => {
  const apiVersion = `${reviewed.group}/v1`;
  return client.call<T>({
    verb: "create",
    path: `/apis/${apiVersion}/${reviewed.kind.toLowerCase()}s`,
    body: { apiVersion, kind: reviewed.kind, spec },
  });
};

/** What the cluster says of whoever the client's own token is of; everybody may ask so (system:basic-user). */
export class OwnReviews {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Rejects with a KubeError 401 for a token that proves nobody. */
  async name(): Promise<string | undefined> {
    const asked = { group: "authentication.k8s.io", kind: "SelfSubjectReview" };
    const { status } = await review<{ status?: { userInfo?: User } }>(this.#client, asked, {});
    const name = status?.userInfo?.username;
    return name === "system:anonymous" ? undefined : name;
  }

  async may(wanted: OwnAccess): Promise<boolean> {
    if (!isKind(wanted.kind)) return false;
    const asked = { group: "authorization.k8s.io", kind: "SelfSubjectAccessReview" };
    const spec = { resourceAttributes: attributesOf(wanted) };
    const { status } = await review<AccessReview>(this.#client, asked, spec);
    return status?.allowed === true;
  }
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
      resourceAttributes: attributesOf({ verb, kind, namespace, name }),
    });
    return status?.allowed === true;
  }

  #review<T>(of: string, kind: string, spec: object): Promise<T> {
    return review<T>(this.#client, { group: of, kind }, spec);
  }
}
