import type { Delta, InventoryData, Layout, ValidateData } from "../../../../src/protocol/generated/types.ts";
import { isLocalPath, pathKey } from "../paths.ts";
import { fnv, hex } from "../hash.ts";
import type { Answer, Job } from "../job.ts";
import type { StateTable } from "../state.ts";
import { diskState, hostState, isManaged, trashItem, vmState } from "../views.ts";
import { VISIBLE_KINDS, type World } from "../world.ts";
import { purge } from "./purge.ts";

export const info = async (job: Job<"host.info">): Promise<Answer> =>
  job.read((world) => ({ host: hostState(world, job.spec.layout) }));

const layoutMark = (layout: Layout): string => hex(fnv(JSON.stringify(layout)), 8);

const visibleRev = (table: StateTable): number =>
  VISIBLE_KINDS.reduce((rev, kind) => Math.max(rev, table.kindRev(kind)), table.forgotten);

const everything = (world: World, layout: Layout): Delta => {
  const disks = world.disks();
  return {
    vms: { upsert: world.vms().map((vm) => vmState(world, vm)) },
    disks: {
      upsert: disks.filter((file) => isManaged(world, layout, file.path)).map((file) => diskState(world, file)),
    },
    trash: { upsert: disks.flatMap((file) => trashItem(world, file) ?? []) },
    host: hostState(world, layout),
  };
};

const ids = (keys: readonly string[]): string[] => keys.map((key) => key.slice(key.indexOf(":") + 1));

/** What changed, with what looks different because of it: a machine's files, and the machines that hold a file. */
const affected = (world: World, table: StateTable, since: number): { vms: Set<string>; files: Set<string> } => {
  const vms = new Set(ids(table.changedSince("vm", since)));
  const files = new Set(ids(table.changedSince("file", since)));
  const switches = table.changedSince("switch", since).length > 0;
  for (const vm of world.vms()) {
    const chain = vm.drives.flatMap((drive) => world.chain(drive.path).map((file) => pathKey(file.path)));
    if (switches || chain.some((path) => files.has(path))) vms.add(vm.id);
    if (vms.has(vm.id)) for (const path of chain) files.add(path);
  }
  // A changed parent makes its children unusable.
  const children = world
    .disks()
    .filter(({ parent, path }) => parent && world.chain(path).some((one) => files.has(pathKey(one.path))));
  for (const { path } of children) files.add(pathKey(path));
  return { vms, files };
};

const part = <T>(upsert: readonly T[], remove: readonly string[]): object => ({
  ...(upsert.length > 0 ? { upsert } : {}),
  ...(remove.length > 0 ? { remove } : {}),
});

const changes = (world: World, table: StateTable, layout: Layout, since: number): Delta => {
  const { vms, files } = affected(world, table, since);
  const shown = [...files].flatMap((path) => world.disk(path) ?? []);
  const managed = shown.filter((file) => isManaged(world, layout, file.path));
  const managedPaths = new Set(managed.map((file) => pathKey(file.path)));
  const trash = shown.flatMap((file) => trashItem(world, file) ?? []);
  const trashPaths = new Set(trash.map((item) => pathKey(item.path)));
  const gone = (kept: ReadonlySet<string>): string[] =>
    [...files].filter((path) => /\.a?vhdx?$/.test(path) && !kept.has(path)).map((path) => removedName(world, path));
  return {
    vms: part(
      [...vms].flatMap((id) => world.vm(id) ?? []).map((vm) => vmState(world, vm)),
      [...vms].filter((id) => !world.vm(id)),
    ),
    disks: part(
      managed.map((file) => diskState(world, file)),
      gone(managedPaths).filter((path) => !isTrashKey(path)),
    ),
    trash: part(trash, gone(trashPaths).filter(isTrashKey)),
    host: hostState(world, layout),
  };
};

const isTrashKey = (path: string): boolean => pathKey(path).includes("\\aetherv.trash\\");
const removedName = (world: World, path: string): string => world.file(path)?.path ?? path;

/** The digest is "<instance>:<layout>:<revision>": what it can't place gets everything. */
const sinceOf = (digest: string | undefined, table: StateTable, layout: Layout): number | undefined => {
  const [instance, mark, rev] = digest?.split(":") ?? [];
  const known = instance === table.instance && mark === layoutMark(layout) && /^\d+$/.test(rev ?? "");
  const since = Number(rev);
  return known && since >= table.forgotten && since <= table.rev ? since : undefined;
};

export const inventory = async (
  job: Job<"host.inventory">,
  table: StateTable,
  broken: InventoryData["unknown"][number]["part"] | undefined,
): Promise<Answer> => {
  const { layout } = job.spec;
  job.raiseEpoch();
  await purge(job);
  return job.read((world) => {
    const since = sinceOf(job.spec.since, table, layout);
    const rev = visibleRev(table);
    const unknown = broken ? [{ part: broken, message: "the query failed: 0x80041032 Call cancelled" }] : [];
    const observed =
      since === undefined ? everything(world, layout) : since >= rev ? {} : changes(world, table, layout, since);
    // What a failed query hid is told again by the next one: the digest stays where it was.
    const digest = broken && since !== undefined ? since : rev;
    return {
      digest: broken && since === undefined ? "0:0:0" : `${table.instance}:${layoutMark(layout)}:${digest}`,
      full: since === undefined,
      complete: !broken,
      unknown,
      observed: broken ? hidden(observed, broken) : observed,
    };
  });
};

/** An inventory without the part that could not be read. */
const hidden = (delta: Delta, broken: InventoryData["unknown"][number]["part"]): Delta => {
  const { vms, disks, trash, host } = delta;
  return {
    ...(vms && broken !== "vms" ? { vms } : {}),
    ...(disks && broken !== "disks" ? { disks } : {}),
    ...(trash && broken !== "trash" ? { trash } : {}),
    ...(host && !["host", "images", "switches"].includes(broken) ? { host } : {}),
  };
};

type Problem = ValidateData["problems"][number];

const pathProblem = (world: World, field: string, path: string, code: string): Problem[] => {
  if (/^[\\/]{2}/.test(path))
    return [
      { field, code: "InvalidRequest", message: `"${path}" is a UNC path; the agent has no network credentials` },
    ];
  if (!isLocalPath(path))
    return [{ field, code: "InvalidRequest", message: `"${path}" is no full local path, as D:\\Disks` }];
  if (world.volumeOf(path)) return [];
  const roots = world.volumes().map((one) => one.root);
  return [{ field, code, message: `"${path}" does not exist; the volumes are: ${roots.join(", ")}` }];
};

export const validate = async (job: Job<"host.validate">): Promise<Answer> =>
  job.read((world) => {
    const { layout, networks } = job.spec;
    const switches = world.switches().map((one) => one.name);
    const problems = [
      ...pathProblem(world, "virtualMachinePath", layout.virtualMachinePath, "NotFound"),
      ...layout.storageClasses.flatMap((one) =>
        pathProblem(world, `storageClasses[name=${one.name}].path`, one.path, "StorageClassNotFound"),
      ),
      ...layout.imagePaths.flatMap((path, index) => pathProblem(world, `imagePaths[${index}]`, path, "NotFound")),
      ...networks
        .filter((one) => !switches.some((name) => name.toLowerCase() === one.switchName.toLowerCase()))
        .map((one) => ({
          field: `networks[name=${one.name}].switchName`,
          code: "SwitchNotFound",
          message: `no switch "${one.switchName}"; there are: ${switches.join(", ") || "none"}`,
        })),
    ];
    return { problems };
  });
