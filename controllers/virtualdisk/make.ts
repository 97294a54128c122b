import { bytesOf } from "../../src/api/quantity.ts";
import type { VirtualDisk } from "../../src/api/generated/types.ts";
import { isUnder } from "../../src/engine/paths.ts";
import type { Blocked, Change, Step } from "../../src/engine/ports.ts";
import type { DiskCreateSpec, HostState } from "../../src/protocol/generated/types.ts";
import { defaultClass, layoutOf, storageClass } from "../shared/layout.ts";
import { compact, diskObject, namespaceOf, ownerOf, placementOf } from "../shared/objects.ts";
import { isOff } from "../shared/machine.ts";
import { find } from "./find.ts";
import type { File } from "./find.ts";
import type { Scene } from "./scene.ts";

type Making = Step<"disk.create"> | Step<"disk.clone">;

const stalled = (reason: string, message: string): Blocked => ({ at: "stalled", reason, message });
const waiting = (reason: string, message: string): Blocked => ({ at: "waiting", reason, message });

export const isBlocked = (value: object): value is Blocked =>
  "at" in value && (value.at === "waiting" || value.at === "stalled");

/** The disk's storage class: the spec's, the one it was made in, the host's default. Stalled when the host has none of that name. */
export const classOf = ({
  disk,
  host,
  hostName,
}: Scene): { readonly name: string; readonly path: string } | Blocked => {
  const name = disk.spec.storageClass ?? disk.status?.storageClass;
  const klass = name === undefined ? defaultClass(host) : storageClass(host, name);
  if (klass) return klass;
  const there = (host.spec.storageClasses ?? []).map((one) => one.name).join(", ") || "none";
  const what = name === undefined ? "no default storage class" : `no storage class ${name}`;
  return stalled("StorageClassNotFound", `Host ${hostName} has ${what}; it has: ${there}.`);
};

/** Where the file of a new disk will lie. */
export const pathOf = (scene: Scene): string => {
  const { disk } = scene;
  if (disk.spec.source.path !== undefined) return disk.spec.source.path;
  const klass = classOf(scene);
  const folder = isBlocked(klass) ? "" : klass.path;
  const extension = disk.spec.format === "VHD" ? "vhd" : "vhdx";
  return `${folder}\\${namespaceOf(disk)}\\${disk.metadata.name}.${disk.metadata.uid}.${extension}`;
};

const sourceText = ({ source }: VirtualDisk["spec"]): string =>
  [source.type, source.image ?? source.disk ?? source.path ?? source.parent?.name].filter(Boolean).join(" ");

const changesOfNew = ({ spec }: VirtualDisk): readonly Change[] => [
  { path: "spec.source", to: sourceText(spec) },
  ...(["size", "storageClass", "diskType", "format", "logicalSectorBytes", "blockSize"] as const).flatMap((field) =>
    spec[field] === undefined ? [] : [{ path: `spec.${field}`, to: spec[field] }],
  ),
];

/** The step as it will be once the source is there; undefined when that can't be told. It is only shown. */
export const intended = (scene: Scene): Making | undefined => {
  const { disk, world, host } = scene;
  const { source } = disk.spec;
  const klass = classOf(scene);
  const name = source.disk ?? source.parent?.name ?? "";
  const from = diskObject(world, disk, name);
  if (isBlocked(klass) || !from) return undefined;
  const path = from.status?.path ?? pathOf({ ...scene, disk: from });
  const common = { owner: ownerOf(disk), layout: layoutOf(host), storageClass: klass.name };
  const size = disk.spec.size === undefined ? {} : { size: bytesOf(disk.spec.size) };
  const changes = changesOfNew(disk);
  return source.type === "Differencing"
    ? {
        operation: "disk.create",
        spec: { ...common, type: "Differencing", parent: { path }, ...size },
        effect: "Hot",
        changes,
      }
    : { operation: "disk.clone", spec: { ...common, source: { path }, ...size }, effect: "Hot", changes, long: true };
};

/** The step that makes the disk's file, or why it can't be made. */
export const making = (scene: Scene): Making | Blocked => {
  const { spec } = scene.disk;
  switch (spec.source.type) {
    case "Blank":
      return creating(scene, {
        type: "Blank",
        ...geometry(scene),
        ...(spec.size !== undefined && { size: bytesOf(spec.size) }),
      });
    case "Differencing":
      return differencing(scene);
    case "File":
      return adopting(scene);
    case "Image":
    case "VirtualDisk":
      return cloning(scene);
    default:
      return spec.source.type satisfies never;
  }
};

const geometry = ({ disk: { spec } }: Scene): Partial<DiskCreateSpec> =>
  compact({
    diskType: spec.diskType,
    format: spec.format,
    logicalSectorBytes: spec.logicalSectorBytes,
    blockSize: spec.blockSize === undefined ? undefined : bytesOf(spec.blockSize),
  });

const creating = (scene: Scene, what: Omit<DiskCreateSpec, "owner" | "layout" | "storageClass">): Making | Blocked => {
  const klass = what.type === "File" ? undefined : classOf(scene);
  if (klass && isBlocked(klass)) return klass;
  return {
    operation: "disk.create",
    spec: {
      owner: ownerOf(scene.disk),
      layout: layoutOf(scene.host),
      ...(klass && { storageClass: klass.name }),
      ...what,
    },
    effect: "Hot",
    changes: changesOfNew(scene.disk),
    ...(what.diskType === "Fixed" && { long: true }),
  };
};

const differencing = (scene: Scene): Making | Blocked => {
  const { parent } = scene.disk.spec.source;
  const { blockSize, size } = scene.disk.spec;
  const own = compact({
    blockSize: blockSize === undefined ? undefined : bytesOf(blockSize),
    size: size === undefined ? undefined : bytesOf(size),
  });
  if (parent?.type === "Image") {
    const image = imageOf(scene, parent.name);
    return isBlocked(image) ? image : creating(scene, { type: "Differencing", parent: { image: parent.name }, ...own });
  }
  const file = sourceFile(scene, parent?.name ?? "");
  if (isBlocked(file)) return file;
  const [held] = file.attachments;
  if (held)
    return waiting(
      "DiskInUse",
      `The parent disk ${parent?.name} is attached to machine ${held.vm.name}: a parent must not be.`,
    );
  return creating(scene, { type: "Differencing", parent: { path: file.state.path }, ...own });
};

const adopting = (scene: Scene): Making | Blocked => {
  const { disk, host, hostName, snapshot } = scene;
  const path = disk.spec.source.path ?? "";
  const grant = host.spec.adoption;
  if (!grant?.namespaces?.includes(namespaceOf(disk)))
    return stalled(
      "NotAllowed",
      `Host ${hostName} does not let namespace ${namespaceOf(disk)} take over files (adoption.namespaces).`,
    );
  if (!grant.paths?.some((folder) => isUnder(path, folder)))
    return stalled(
      "NotAllowed",
      `spec.source.path: ${path} is not under adoption.paths of host ${hostName}: ${grant.paths?.join(", ") ?? "none"}.`,
    );
  const owner = snapshot.disks.get(path)?.sidecar?.uid ?? snapshot.disks.get(path)?.uid;
  const other = scene.world.objects.list("VirtualDisk").find(({ metadata }) => metadata.uid === owner);
  if (other && other.metadata.uid !== disk.metadata.uid)
    return stalled("OwnedByOther", `The file belongs to VirtualDisk ${namespaceOf(other)}/${other.metadata.name}.`);
  return creating(scene, { type: "File", path, claim: {} });
};

const cloning = (scene: Scene): Making | Blocked => {
  const { spec } = scene.disk;
  const source =
    spec.source.image === undefined ? closedSource(scene, spec.source.disk ?? "") : imageOf(scene, spec.source.image);
  if (isBlocked(source)) return source;
  const klass = classOf(scene);
  if (isBlocked(klass)) return klass;
  const size = spec.size === undefined ? undefined : bytesOf(spec.size);
  if (size !== undefined && size < source.size)
    return stalled("InvalidSpec", `spec.size: ${spec.size} is below the source's ${source.size} bytes.`);
  return {
    operation: "disk.clone",
    spec: compact({
      owner: ownerOf(scene.disk),
      layout: layoutOf(scene.host),
      storageClass: klass.name,
      source: spec.source.image === undefined ? { path: source.path } : { image: spec.source.image },
      size,
      diskType: spec.diskType,
      format: spec.format,
      blockSize: spec.blockSize === undefined ? undefined : bytesOf(spec.blockSize),
    }),
    effect: "Hot",
    changes: changesOfNew(scene.disk),
    long: true,
  };
};

const imageOf = ({ snapshot, hostName }: Scene, name: string): HostState["images"][number] | Blocked => {
  const images = (snapshot.host?.images ?? []).filter(({ format }) => format !== "ISO");
  const image = images.find((one) => one.name === name);
  if (image) return image;
  if (!snapshot.host || snapshot.unknownParts.has("images"))
    return waiting("WaitingForHost", `Host ${hostName} has not told its images yet.`);
  const there = images.map((one) => one.name).join(", ") || "none";
  return stalled("ImageNotFound", `Host ${hostName} has no image ${name}; it has: ${there}.`);
};

/** The file of another disk object on the same host. */
const sourceFile = (scene: Scene, name: string): File | Blocked => {
  const source = diskObject(scene.world, scene.disk, name);
  if (!source) return waiting("WaitingForReference", `There is no VirtualDisk ${name}.`);
  const at = placementOf(source, scene.world);
  if (at !== undefined && at !== scene.hostName)
    return stalled("HostMismatch", `The source disk ${name} is on host ${at}, this disk on ${scene.hostName}.`);
  const found = find({ ...scene, disk: source });
  // One of them goes, and what is made from it, or on it, would be in its way.
  if (found.at === "present" && found.file.twin)
    return waiting("WaitingForReference", `The source disk ${name} has two files until its move is finished.`);
  if (found.at === "present" && !beingMade(scene, source)) return found.file;
  return waiting("WaitingForReference", `The source disk ${name} is not provisioned yet.`);
};

const beingMade = ({ view }: Scene, { metadata }: VirtualDisk): boolean =>
  ["disk.create", "disk.clone"].includes(view.job(metadata.uid)?.operation ?? "");

/** The file of another disk, closed: no machine that is on has it, and no checkpoint. */
const closedSource = (scene: Scene, name: string): { readonly path: string; readonly size: number } | Blocked => {
  const file = sourceFile(scene, name);
  if (isBlocked(file)) return file;
  const { state, attachments } = file;
  const on = attachments.find(({ vm }) => !isOff(vm));
  if (on)
    return waiting(
      "DiskInUse",
      `The source disk ${name} is attached to machine ${on.vm.name}, which is ${on.vm.state}: it must be off.`,
    );
  if (hasCheckpoints(file)) return waiting("DiskHasCheckpoints", `The source disk ${name} has checkpoints.`);
  return state.busy === undefined ? state : waiting("Busy", `The source disk ${name} is busy: ${state.busy}`);
};

/** Whether a machine's checkpoint hangs on the file. */
export const hasCheckpoints = ({ attachments, leftover }: File): boolean =>
  leftover.length > 0 || attachments.some(({ vm, disk }) => vm.checkpoints.length > 0 || disk.path !== disk.file);
