import { readdir, readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { parseAllDocuments } from "yaml";
import type { Resource } from "../../../src/api/resource.ts";
import { reasonsText } from "../../../src/cli/progress.ts";
import { until } from "../rig.ts";
import type { Chain } from "./chain.ts";
import { readStore, type StoreView } from "./store.ts";
import { wantedStore, type Wanted } from "./wanted.ts";

type Stores = Readonly<Record<string, StoreView>>;

/** What the hosts should hold besides what the manifests say. */
export interface Besides {
  /** Files in the trash, by host. */
  readonly trash?: Readonly<Record<string, readonly string[]>>;
  /** Names of machines that nobody declared, and paths of disks, both left out of the comparison. */
  readonly foreign?: readonly string[];
}

/** Waits until the hosts' own stores hold exactly what the manifests say and all objects are Ready; else tells the difference. */
export const settled = async (chain: Chain, besides: Besides = {}, timeoutMs = 120_000): Promise<Stores> => {
  const compare = async () => ({ found: await found(chain, besides), wanted: await wanted(chain, besides) });
  const same = async (): Promise<boolean> => {
    const now = await compare();
    return isDeepStrictEqual(now.found, now.wanted);
  };
  await until("the hosts hold what the manifests say", same, timeoutMs).catch(() => undefined);
  const last = await compare();
  expect(last.found).toEqual(last.wanted);
  await chain.plane.ready(undefined, 60_000);
  return last.found;
};

/** What a failed step is to be understood by: reasons, the last jobs and what the control plane said. */
export const tell = async ({ plane }: Chain): Promise<void> => {
  const objects = await plane.objects().catch(() => []);
  const jobs = await plane.jobs().catch(() => []);
  const lines = jobs
    .slice(-25)
    .map(
      ({ key, operation, host, status, code = "", message = "" }) =>
        `${host} ${operation} ${key.name}: ${status} ${code} ${message}`,
    );
  console.log([reasonsText(objects), ...lines, plane.said.slice(-3000)].join("\n"));
};

const found = async ({ hosts }: Chain, { foreign = [] }: Besides): Promise<Stores> => {
  const stores = await Promise.all(
    Object.entries(hosts).map(async ([name, { root }]) => {
      const store = await readStore(root);
      const vms = store.vms.filter((vm) => vm.uid !== undefined || !foreign.includes(vm.name));
      return [name, { ...store, vms, disks: store.disks.filter(({ path }) => !foreign.includes(path)) }] as const;
    }),
  );
  return Object.fromEntries(stores);
};

const wanted = async (chain: Chain, { trash = {} }: Besides): Promise<Stores> => {
  const objects = await declared(chain);
  const { controlPlaneId } = JSON.parse(await readFile(`${chain.plane.data}/identity.json`, "utf8")) as {
    controlPlaneId: string;
  };
  const stores = await Promise.all(
    Object.entries(chain.hosts).map(async ([name, { root }]) => {
      const all: Wanted = { controlPlane: controlPlaneId, objects, root };
      return [name, { ...(await wantedStore(all, name)), trash: trash[name] ?? [] }] as const;
    }),
  );
  return Object.fromEntries(stores);
};

/** The documents of the manifests, with the uid and the status of their objects. */
const declared = async ({ plane }: Chain): Promise<readonly Resource[]> => {
  const objects = await plane.objects();
  const files = (await readdir(plane.files)).filter((name) => name.endsWith(".yaml") && name !== "logins.yaml");
  const texts = await Promise.all(files.map((name) => readFile(plane.path(name), "utf8")));
  return texts
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Resource))
    .map((document) => {
      const object = objects.find(
        ({ kind, metadata }) => kind === document.kind && metadata.name === document.metadata.name,
      );
      if (!object) throw new Error(`${document.kind} ${document.metadata.name} has no object yet`);
      return { ...document, metadata: object.metadata, status: object.status };
    });
};
