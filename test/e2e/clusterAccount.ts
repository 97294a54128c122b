import type { KubeClient } from "../../src/stores/kubernetes/client.ts";

const rbac = "/apis/rbac.authorization.k8s.io/v1";

/** An account with a role in a namespace, or in the whole cluster; gives its token. */
export const account = async (
  client: KubeClient,
  name: string,
  { namespace, rules }: { readonly namespace?: string; readonly rules: readonly object[] },
): Promise<string> => {
  const accounts = "/api/v1/namespaces/default/serviceaccounts";
  if ((await client.find(`${accounts}/${name}`)) === undefined)
    await client.call({ verb: "create", path: accounts, body: { metadata: { name } } });
  const kind = namespace === undefined ? "ClusterRole" : "Role";
  const home = namespace === undefined ? rbac : `${rbac}/namespaces/${namespace}`;
  await client.call({ verb: "create", path: `${home}/${kind.toLowerCase()}s`, body: { metadata: { name }, rules } });
  await client.call({
    verb: "create",
    path: `${home}/${kind.toLowerCase()}bindings`,
    body: {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name },
      subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
    },
  });
  const made = await client.call<{ status: { token: string } }>({
    verb: "create",
    path: `${accounts}/${name}/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  return made.status.token;
};
