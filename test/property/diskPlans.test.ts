import fc from "../support/fc.ts";
import { expect, test } from "vitest";
import { virtualDisk } from "../../controllers/virtualdisk/index.ts";
import { annotations, finalizer } from "../../src/api/annotations.ts";
import type { VirtualDisk, VirtualMachine } from "../../src/api/generated/types.ts";
import { bytesOf } from "../../src/api/quantity.ts";
import type { Key, Resource } from "../../src/api/resource.ts";
import { completeSpec } from "../../src/api/defaults.ts";
import { needsApproval, valueText } from "../../src/engine/plan.ts";
import type { Decision, HostView, World } from "../../src/engine/ports.ts";
import { HostSnapshot } from "../../src/engine/snapshot.ts";
import type { DiskState, VmState } from "../../src/protocol/generated/types.ts";
import { attachedDisk, diskState, guid, hostState, stampOf, vmState } from "../support/states.ts";

const GiB = 2 ** 30;
const uid = guid(1);
const diskId = guid(2);
const own = `D:\\Disks\\default\\data.${uid}.vhdx`;
const source = `D:\\Disks\\default\\base.${guid(3)}.vhdx`;
const machines = [
  { name: "web", uid: guid(11), id: guid(21) },
  { name: "db", uid: guid(12), id: guid(22) },
] as const;

/** True now and then, so that most worlds get as far as a job. */
const seldom = fc.integer({ min: 0, max: 5 }).map((number) => number === 0);
const sizes = fc.constantFrom("1Gi", "20Gi", "40Gi");
const attachments = fc.record(
  {
    virtualMachine: fc.constantFrom("web", "db", "none"),
    controller: fc.constantFrom("SCSI" as const, "IDE" as const),
    controllerNumber: fc.constantFrom(0, 1),
    controllerLocation: fc.constantFrom(0, 1),
    minIOPS: fc.constantFrom(0, 10),
    maxIOPS: fc.constantFrom(0, 500),
  },
  { requiredKeys: ["virtualMachine"] },
);
const sources = fc.constantFrom(
  { type: "Blank" },
  { type: "Image", image: "debian-12" },
  { type: "VirtualDisk", disk: "base" },
  { type: "Differencing", parent: { type: "VirtualDisk", name: "base" } },
  { type: "Differencing", parent: { type: "Image", name: "debian-12" } },
  { type: "File", path: "D:\\Old\\data.vhdx" },
);
const specs = fc.record(
  {
    source: sources,
    size: sizes,
    attachment: attachments,
    storageClass: fc.constantFrom("standard", "fast", "gone"),
    deletionPolicy: fc.constantFrom("Delete", "Orphan"),
    deletionProtection: seldom,
    managementPolicy: seldom.map((yes) => (yes ? "Observe" : "Manage")),
    diskType: fc.constantFrom("Dynamic", "Fixed"),
    format: fc.constantFrom("VHDX", "VHD"),
  },
  { requiredKeys: ["source"] },
);

/** What a world may hold of the disk, and how it is told. */
const worlds = fc.record({
  spec: specs,
  provisioned: fc.boolean(),
  deleting: fc.boolean(),
  paused: seldom,
  adopting: fc.boolean(),
  everAttached: fc.boolean(),
  approved: fc.boolean(),
  file: fc.option(
    fc.record({
      path: fc.constantFrom(
        own,
        `D:\\Fast\\default\\data.${uid}.vhdx`,
        "D:\\Old\\data.vhdx",
        "E:\\elsewhere\\moved.vhdx",
      ),
      size: fc.constantFrom(GiB, 20 * GiB, 40 * GiB),
      format: fc.constantFrom("VHDX" as const, "VHD" as const),
      diskType: fc.constantFrom("Dynamic" as const, "Fixed" as const),
      hasId: fc.boolean(),
      busy: seldom,
      holder: fc.constantFrom("web", "db", "foreign", undefined),
      controllerType: fc.constantFrom("SCSI" as const, "IDE" as const),
      controllerLocation: fc.constantFrom(0, 1),
      checkpoint: seldom,
      child: seldom,
    }),
  ),
  states: fc.tuple(
    ...machines.map(() =>
      fc.constantFrom(
        "Running" as const,
        "Running" as const,
        "Off" as const,
        "Saved" as const,
        "Paused" as const,
        "Starting" as const,
      ),
    ),
  ),
  generation: fc.constantFrom(1 as const, 2 as const),
  seen: fc.constantFrom("complete", "complete", "complete", "complete", "incomplete", "disks unknown", "down", "twice"),
  uncertain: seldom,
});
type Drawn = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

const filesOf = ({ file, seen }: Drawn): DiskState[] => {
  const base = diskState({ path: source, uid: guid(3), diskId: guid(4) });
  if (!file) return [base];
  const named = file.path.includes(uid);
  const main = diskState({
    path: file.path,
    size: file.size,
    format: file.format,
    diskType: file.diskType,
    ...(named && { uid, sidecar: { uid, diskId } }),
    ...(file.hasId && { diskId }),
    ...(file.busy && { busy: "a backup has it" }),
  });
  return [
    base,
    main,
    ...(file.child
      ? [diskState({ path: "D:\\Disks\\child.vhdx", parentPath: file.path, diskType: "Differencing" })]
      : []),
    ...(seen === "twice" ? [{ ...main, path: `D:\\Copies\\data.${uid}.vhdx` }] : []),
  ];
};

const vmsOf = ({ file, states, generation }: Drawn): VmState[] => {
  const drive = (holder: string) => {
    if (!file || file.holder !== holder) return [];
    const { path, controllerType, controllerLocation, checkpoint } = file;
    const leaf = checkpoint ? `${path}_1.avhdx` : path;
    return [
      attachedDisk(leaf, {
        controllerType,
        controllerLocation,
        file: path,
        chain: checkpoint ? [leaf, path] : [path],
        ...(file.hasId && { diskId }),
      }),
    ];
  };
  const ours = machines.map(({ name, uid: owner, id }, at) =>
    vmState({
      id,
      name,
      generation,
      state: states[at] ?? "Off",
      stamp: stampOf(id, owner, { name }),
      disks: drive(name),
    }),
  );
  return [...ours, vmState({ id: guid(99), name: "foreign", disks: drive("foreign") })];
};

const object = <R extends Resource>(
  kind: R["kind"],
  name: string,
  owner: string,
  spec: unknown,
  over: object = {},
): R =>
  ({
    apiVersion: "aetherv.io/v1alpha1",
    kind,
    metadata: {
      name,
      namespace: kind === "VMHost" ? undefined : "default",
      uid: owner,
      generation: 1,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      annotations: { [annotations.host]: "hv1" },
      finalizers: [finalizer],
    },
    spec,
    ...over,
  }) as unknown as R;

const diskOf = (drawn: Drawn): VirtualDisk => {
  const { spec, provisioned, deleting, paused, everAttached, file } = drawn;
  const made = object<VirtualDisk>("VirtualDisk", "data", uid, completeSpec("VirtualDisk", spec));
  return {
    ...made,
    metadata: {
      ...made.metadata,
      annotations: { ...made.metadata.annotations, ...(paused && { [annotations.paused]: "true" }) },
      ...(deleting && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    ...(provisioned && {
      status: {
        id: diskId,
        path: own,
        ...(everAttached && { everAttached }),
        ...(file?.holder && { attachedTo: { virtualMachine: file.holder } }),
      },
    }),
  } as VirtualDisk;
};

const every = [
  "source",
  "size",
  "storageClass",
  "attachment.virtualMachine",
  "attachment.controller",
  "attachment.controllerNumber",
  "attachment.controllerLocation",
];
/** An approval of whatever the disk may ask for. */
const approval = (disk: VirtualDisk) => ({
  changes: every.flatMap((field) => {
    const value = field
      .split(".")
      .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], disk.spec);
    const to = value === undefined ? {} : { to: valueText(value) ?? "" };
    return [{ path: `VirtualDisk/data:spec.${field}`, ...to, effect: "Restart" as const }];
  }),
});

const decide = (drawn: Drawn): { disk: VirtualDisk; decision: Decision } => {
  const disk = diskOf(drawn);
  const vms = machines.map(({ name, uid: owner, id }) =>
    object<VirtualMachine>(
      "VirtualMachine",
      name,
      owner,
      completeSpec("VirtualMachine", { host: "hv1", cpu: { count: 1 }, memory: { startup: "1Gi" } }),
      {
        status: { id, firstStartedAt: "2026-01-01T00:00:00Z", ...(drawn.approved && { approval: approval(disk) }) },
      },
    ),
  );
  const host = object(
    "VMHost",
    "hv1",
    guid(90),
    completeSpec("VMHost", {
      connection: { type: "Local" },
      storageClasses: [
        { name: "standard", path: "D:\\Disks", default: true },
        { name: "fast", path: "D:\\Fast" },
      ],
      ...(drawn.adopting && { adoption: { namespaces: ["default"], paths: ["D:\\Old"] } }),
    }),
  );
  const base = object<VirtualDisk>(
    "VirtualDisk",
    "base",
    guid(3),
    completeSpec("VirtualDisk", { source: { type: "Blank" }, size: "20Gi" }),
    { status: { id: guid(4), path: source } },
  );
  const all = [disk, base, host, ...vms];
  const snapshot = HostSnapshot.from({
    controlPlaneId: "cp-1",
    observedAt: new Date(0),
    complete: drawn.seen !== "incomplete" && drawn.seen !== "disks unknown",
    inventories: 3,
    unknownParts: drawn.seen === "disks unknown" ? ["disks"] : [],
    unknownIds: [],
    host: hostState(),
    vms: vmsOf(drawn),
    disks: filesOf(drawn),
    trash: [],
  });
  const view: HostView = {
    name: "hv1",
    snapshot,
    reach:
      drawn.seen === "down"
        ? { at: "down", since: new Date(0), missed: 3, fault: { code: "HostUnreachable", message: "gone" } }
        : { at: "up", since: new Date(0) },
    job: () => undefined,
    uncertain: (held) => (drawn.uncertain && held === uid ? { code: "Timeout", message: "who knows" } : undefined),
  };
  const world: World = {
    now: new Date(0),
    controlPlaneId: "cp-1",
    objects: {
      get: (key: Key) => all.find(({ kind, metadata }) => kind === key.kind && metadata.name === key.name),
      list: (kind) => all.filter((one) => one.kind === kind),
    },
    referrers: (key) =>
      all.filter(
        (one) =>
          one.kind === "VirtualDisk" &&
          virtualDisk.refs(one as VirtualDisk).some((ref) => ref.kind === key.kind && ref.name === key.name),
      ),
    host: (name) => (name === "hv1" ? view : undefined),
    assumedHosts: new Map(),
  };
  return { disk, decision: virtualDisk.decide(disk, world) };
};

const runs = { numRuns: 4000 };
const always = (claim: (drawn: Drawn, disk: VirtualDisk, decision: Decision) => void): void =>
  fc.assert(
    fc.property(worlds, (drawn) => {
      const { disk, decision } = decide(drawn);
      claim(drawn, disk, decision);
    }),
    runs,
  );
const stateOf = (drawn: Drawn, name: string | undefined) =>
  drawn.states[machines.findIndex((one) => one.name === name)];

test("a file is deleted only for an object under deletion that wants it, is not held, and is used by nothing", () =>
  always((drawn, { spec }, { plan }) => {
    for (const step of plan.filter(({ operation }) => operation === "disk.delete")) {
      expect(drawn).toMatchObject({ deleting: true, paused: false, uncertain: false });
      expect(["complete", "twice"]).toContain(drawn.seen);
      const { file, provisioned } = drawn;
      const isDrawn = file && (file.path.includes(uid) || (provisioned && file.hasId));
      if (isDrawn) expect(drawn.seen).toBe("complete");
      expect(spec).toMatchObject({ deletionProtection: false, managementPolicy: "Manage" });
      expect(spec.deletionPolicy ?? (spec.source.type === "File" ? "Orphan" : "Delete")).toBe("Delete");
      if (isDrawn) expect(file).toMatchObject({ child: false, holder: undefined });
      // Without a file it clears up after copies that were never finished.
      if (!isDrawn && drawn.seen === "complete") expect(provisioned).toBe(false);
      expect(step.destructive).toBe(true);
    }
  }));

test("no step makes a disk smaller", () =>
  always((drawn, _disk, { plan }) => {
    for (const { operation, spec } of plan)
      if (operation === "disk.update" && "size" in spec && spec.size !== undefined)
        expect(spec.size).toBeGreaterThan(drawn.file?.size ?? 0);
  }));

test("a disk that had a file is never made or copied again, nor one that is not known to be absent", () =>
  always((drawn, _disk, { plan }) => {
    const making = plan.filter(({ operation }) => operation === "disk.create" || operation === "disk.clone");
    if (making.length === 0) return;
    expect(drawn.provisioned).toBe(false);
    expect(drawn.deleting).toBe(false);
    expect(["complete", "twice"]).toContain(drawn.seen);
    if (drawn.file?.path.includes(uid)) throw new Error("made beside a file that carries the uid");
  }));

test("what harms a running machine, or needs it off, is sent only once approved", () =>
  always((drawn, _disk, { act }) => {
    if (act.do !== "job") return;
    const { step } = act;
    expect(["Recreate", "Forbidden", "Restart"]).not.toContain(step.effect);
    if (needsApproval(step.effect)) expect(drawn.approved).toBe(true);
    if (
      step.operation === "disk.detach" &&
      stateOf(drawn, drawn.file?.holder) === "Running" &&
      "allowRunning" in step.spec
    )
      expect(drawn.approved).toBe(true);
    if (step.operation === "disk.detach") expect(drawn.file?.checkpoint).toBe(false);
  }));

test("nothing is sent for a paused or observed disk, on doubt, or to a host that does not answer", () =>
  always((drawn, disk, { act }) => {
    if (act.do !== "job") return;
    expect(drawn).toMatchObject({ paused: false, uncertain: false });
    expect(disk.spec.managementPolicy).toBe("Manage");
    expect(drawn.seen).not.toBe("down");
    expect(drawn.seen).not.toBe("disks unknown");
  }));

test("an object is let go only when under deletion", () =>
  always((drawn, _disk, { act }) => {
    if (act.do === "release") expect(drawn.deleting).toBe(true);
  }));

test("a size that is there already, or none, is no growth; deciding twice is the same", () =>
  always((drawn, disk, decision) => {
    const grows = decision.plan.some(
      ({ spec }) => "size" in spec && !("type" in spec) && !("source" in spec) && spec.size !== undefined,
    );
    if (grows) expect(bytesOf(disk.spec.size ?? "1Gi")).not.toBe(drawn.file?.size);
    expect(decide(drawn).decision).toEqual(decision);
  }));
