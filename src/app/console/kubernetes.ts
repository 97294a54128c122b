import type { ConsoleChoice } from "../../cli/context.ts";
import type { ControlPlane } from "../../server/control.ts";
import type { Connection } from "../../stores/kubernetes/connection.ts";
import type { KubernetesStore } from "../../stores/kubernetes/store.ts";
import type { Parts } from "../parts.ts";
import { watchObjects } from "../watch.ts";
import { kubeDoor, namespacesOf } from "./kubeDoor.ts";
import { serveConsole, type ConsoleServer } from "./serve.ts";

interface KubeConsoleParts extends Parts {
  readonly connection: Connection;
  readonly store: KubernetesStore;
  readonly control: () => ControlPlane;
}

/** The console of Kubernetes mode: everybody with their own token and rights. */
export const openKubeConsole = (
  choice: ConsoleChoice,
  { connection, store, control, clock, log }: KubeConsoleParts,
): Promise<ConsoleServer> => {
  const watched = { objects: store.cache, watch: store.watch.bind(store) };
  const door = kubeDoor({
    connection,
    control,
    clock,
    changes: (kinds, signal) => watchObjects(watched, kinds, signal),
    namespaces: () => namespacesOf((kind) => store.cache.list(kind)),
  });
  return serveConsole(choice, door, { clock, log });
};
