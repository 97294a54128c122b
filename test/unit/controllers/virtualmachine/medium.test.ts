import { describe, expect, test } from "vitest";
import { mediumSteps, silentMessage } from "../../../../controllers/virtualmachine/medium.ts";
import type { Scene, Sight } from "../../../../controllers/virtualmachine/verdict.ts";
import type { AttachedDisk, DvdDrive, VmState } from "../../../../src/protocol/generated/types.ts";
import { guid, vmState } from "../../../support/states.ts";

const id = guid(1);
const medium = "D:\\Images\\aetherv-guest.iso";

const drive = (controllerType: "IDE" | "SCSI", place: string, path?: string): DvdDrive => {
  const [controllerNumber = 0, controllerLocation = 0] = place.split(":").map(Number);
  return { controllerType, controllerNumber, controllerLocation, ...(path !== undefined && { path }) };
};

/** Disks in every place of the SCSI controllers up to this one. */
const fullUpTo = (last: number): AttachedDisk[] =>
  Array.from({ length: (last + 1) * 64 }, (_, at) => ({
    controllerType: "SCSI",
    controllerNumber: Math.floor(at / 64),
    controllerLocation: at % 64,
    path: `D:\\Disks\\${at}.vhdx`,
    chain: [],
  })) as unknown as AttachedDisk[];

interface Case {
  readonly why: string;
  readonly state: Partial<VmState>;
  readonly adopted?: true;
  /** The drive that status remembers as the medium's. */
  readonly kept?: string;
  readonly is: "configured" | "silent" | "waiting";
  readonly steps: readonly string[];
}

const sceneOf = ({ state, adopted, kept }: Case): { readonly scene: Scene; readonly sight: Sight } => {
  const [controllerNumber, controllerLocation] = kept?.split(":").map(Number) ?? [];
  const dvdDrives = kept === undefined ? [] : [{ name: "aetherv-guest", controllerNumber, controllerLocation }];
  const vm = {
    kind: "VirtualMachine",
    metadata: { name: "web", namespace: "default", uid: guid(9) },
    spec: { osFamily: "Linux", guest: { growFilesystems: true }, ...(adopted && { adopt: { type: "ID", id } }) },
    status: { id, dvdDrives },
  };
  const images = [{ name: "aetherv-guest.iso", format: "ISO" }];
  const host = {
    metadata: { name: "hv1" },
    spec: { storageClasses: [], imagePaths: ["D:\\Images"], trashRetention: "24h" },
  };
  const scene = { vm, host, hostName: "hv1", world: { guests: {} }, snapshot: { host: { images } } };
  const devices = { disks: [], adapters: [], leaving: [] };
  return {
    scene: scene as unknown as Scene,
    sight: { state: vmState({ id, ...state }), devices, drives: [] },
  };
};

const shown = (one: Case): readonly string[] => {
  const { scene, sight } = sceneOf(one);
  const is = { configured: one.is === "configured", silent: one.is === "silent" };
  return mediumSteps(scene, sight, is).map(({ operation, spec, effect }) => {
    const { controllerNumber, controllerLocation, removeDrive } = spec as {
      controllerNumber: number;
      controllerLocation: number;
      removeDrive?: boolean;
    };
    const what = removeDrive === undefined ? "" : removeDrive ? " with its drive" : " and keep the drive";
    return `${effect} ${operation} ${controllerNumber}:${controllerLocation}${what}`;
  });
};

const off = { generation: 1, state: "Off" } as const;
const on = { generation: 1, state: "Running" } as const;

const adoptedCases: readonly Case[] = [
  {
    why: "its own empty drive takes the medium as it runs",
    state: { ...on, dvdDrives: [drive("IDE", "1:0")] },
    is: "silent",
    steps: ["Hot dvd.attach 1:0"],
  },
  {
    why: "without a drive nothing is done as it runs: IDE takes none",
    state: on,
    is: "silent",
    steps: [],
  },
  { why: "without a drive it gets one while it is off", state: off, is: "waiting", steps: ["Hot dvd.attach 1:0"] },
  {
    why: "a drive with something else in it is not taken: another one is made beside it",
    state: { ...off, dvdDrives: [drive("IDE", "1:0", "D:\\Images\\other.iso")] },
    is: "waiting",
    steps: ["Hot dvd.attach 1:1"],
  },
  {
    why: "configured, as it runs: the medium goes, the drive stays",
    state: { ...on, dvdDrives: [drive("IDE", "1:0", medium)] },
    is: "configured",
    steps: ["Hot dvd.eject 1:0 and keep the drive"],
  },
  {
    why: "configured, while it is off: the drive stays too, since it may have been there before",
    state: { ...off, dvdDrives: [drive("IDE", "1:0", medium)] },
    is: "configured",
    steps: ["Hot dvd.eject 1:0 and keep the drive"],
  },
  {
    why: "its emptied drive is never removed",
    state: { ...off, dvdDrives: [drive("IDE", "1:0")] },
    kept: "1:0",
    is: "configured",
    steps: [],
  },
  {
    why: "an empty drive that was never the medium's is nobody's to touch",
    state: { ...off, dvdDrives: [drive("IDE", "1:0")] },
    is: "configured",
    steps: [],
  },
  {
    why: "what somebody put in meanwhile stays",
    state: { ...on, dvdDrives: [drive("IDE", "1:0", "D:\\Images\\other.iso")] },
    kept: "1:0",
    is: "configured",
    steps: [],
  },
].map((one) => ({ ...one, adopted: true }) as Case);

const hot = { generation: 2, state: "Running" } as const;

const hotCases: readonly Case[] = [
  {
    why: "controller 0 has room: as it runs",
    state: { ...hot, disks: fullUpTo(0).slice(0, 40) },
    is: "silent",
    steps: ["Hot dvd.attach 0:40"],
  },
  {
    why: "the last place of controller 0",
    state: { ...hot, disks: fullUpTo(0).slice(0, 63) },
    is: "silent",
    steps: ["Hot dvd.attach 0:63"],
  },
  { why: "controller 0 is full: not as it runs", state: { ...hot, disks: fullUpTo(0) }, is: "silent", steps: [] },
  {
    why: "controller 0 is full: on controller 1 while it is off",
    state: { ...hot, state: "Off", disks: fullUpTo(0) },
    is: "waiting",
    steps: ["Hot dvd.attach 1:0"],
  },
  {
    why: "an empty drive on controller 1 takes it as it runs: no drive is added",
    state: { ...hot, disks: fullUpTo(0), dvdDrives: [drive("SCSI", "1:5")] },
    is: "silent",
    steps: ["Hot dvd.attach 1:5"],
  },
  {
    why: "but that of an adopted machine is not its own to lose",
    state: { ...hot, disks: fullUpTo(0), dvdDrives: [drive("SCSI", "1:5")] },
    adopted: true,
    is: "silent",
    steps: [],
  },
  { why: "every place is taken", state: { ...hot, disks: fullUpTo(3) }, is: "silent", steps: [] },
];

describe("the medium of an adopted generation 1 machine", () => {
  test.each(adoptedCases)("$why", (one) => expect(shown(one)).toEqual(one.steps));
});

describe("only the first SCSI controller takes a drive while the machine runs", () => {
  test.each(hotCases)("$why", (one) => expect(shown(one)).toEqual(one.steps));

  test.each([
    { last: 0, says: "takes a DVD drive only while it is off: stop and start it" },
    { last: 3, says: "No place is free for a DVD drive" },
  ])("and the condition says what to do: controllers up to $last are full", ({ last, says }) => {
    const { scene, sight } = sceneOf({
      why: "",
      state: { ...hot, disks: fullUpTo(last) },
      is: "silent",
      steps: [],
    });
    expect(silentMessage(scene, sight)).toContain(says);
  });
});
