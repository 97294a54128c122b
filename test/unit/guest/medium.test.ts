import { describe, expect, test } from "vitest";
import { guest, GuestLab } from "../../support/guestLab.ts";
import { Lab } from "../../support/lab.ts";
import { declareWeb, vmOf } from "../../support/samples.ts";

const image = "D:\\Images\\aetherv-guest.iso";
const path = (drive: { path?: string | undefined }): string => drive.path ?? "empty";

/** A machine that ran for long without a guest section, and gets one now. */
const lateGuest = async (over: object = {}, before: (lab: GuestLab) => void = () => undefined): Promise<GuestLab> => {
  const lab = GuestLab.make();
  declareWeb(lab, over, disk(over));
  await lab.settle();
  await lab.clock.advance(600_000);
  before(lab);
  declareWeb(lab, { ...over, guest }, disk(over));
  await lab.settle();
  return lab;
};

/** Generation 1 boots from IDE 0:0. */
const disk = (over: { generation?: number }): object =>
  over.generation === 1
    ? {
        source: { type: "Image", image: "debian-12-gen1" },
        attachment: { virtualMachine: "web", controller: "IDE", controllerNumber: 0, controllerLocation: 0 },
      }
    : {};

const drives = (lab: GuestLab): readonly string[] =>
  lab
    .sim()
    .dvdDrives.map((one) => `${one.controllerType} ${one.controllerNumber}:${one.controllerLocation} ${path(one)}`);

const power = async (lab: GuestLab, powerState: "Running" | "Stopped", over: object = {}): Promise<void> => {
  declareWeb(lab, { ...over, guest, powerState }, disk(over));
  await lab.settle();
};

const dvdJobs = (lab: GuestLab): number => lab.sent.filter((one) => one.startsWith("dvd.")).length;

const gone = (lab: GuestLab): void => lab.change(() => ({ dvdDrives: [] }));

describe("the medium of a machine that runs already when its guest section comes", () => {
  test("generation 2: put in as it runs, told how to install, and gone after the first applied configuration", async () => {
    const lab = await lateGuest();
    expect(lab.sim().state).toBe("Running");
    expect(drives(lab)).toEqual([`SCSI 0:1 ${image}`]);
    expect(lab.configured()).toMatch(
      /^False KvpSilent: .*hv_kvp_daemon.* medium is in a DVD drive: a restart .*install\.sh/,
    );
    expect(vmOf(lab, "web").status?.undeclaredDevices).toBeUndefined();
    const sent = lab.sent.length;
    await lab.settle();
    expect(lab.sent.length).toBe(sent);
    await power(lab, "Stopped");
    await power(lab, "Running");
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    expect(drives(lab)).toEqual([]);
    expect(vmOf(lab, "web").status?.dvdDrives).toBeUndefined();
  });

  test("not before the agent had its time to speak", async () => {
    const lab = GuestLab.make();
    declareWeb(lab);
    await lab.settle();
    declareWeb(lab, { guest });
    const booted = Date.parse(vmOf(lab, "web").status?.startedAt ?? "");
    let early = 0;
    while (lab.clock.now().getTime() - booted < 295_000) {
      await Lab.prototype.settle.call(lab, 1).catch(() => undefined);
      expect(drives(lab)).toEqual([]);
      early += 1;
    }
    expect(early).toBeGreaterThan(10);
    expect(lab.configured()).toBe("False Waiting: The guest agent has not answered yet.");
    await lab.settle();
    expect(drives(lab)).toEqual([`SCSI 0:1 ${image}`]);
  });

  test("a guest whose agent was heard once is not silent for want of a medium", async () => {
    const lab = GuestLab.make();
    declareWeb(lab, { guest });
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    const jobs = dvdJobs(lab);
    lab.change(() => ({ kvpGuest: {} }));
    await lab.clock.advance(600_000);
    declareWeb(lab, { guest: { ...guest, hostname: "shop" } });
    await lab.settle();
    expect(lab.configured()).toMatch(/^False KvpSilent: /);
    expect(lab.configured()).not.toContain("medium");
    expect(dvdJobs(lab)).toBe(jobs);
  });

  test("no image on the host: the condition says where it belongs", async () => {
    const lab = await lateGuest({}, (one) => one.hosts.get("hv1")?.admin((world) => world.removeFile(image)));
    expect(drives(lab)).toEqual([]);
    expect(lab.configured()).toMatch(
      /^False KvpSilent: .* put aetherv-guest\.iso into one of the imagePaths of host hv1/,
    );
  });

  test("a drive with other things in it, declared or not, is not touched", async () => {
    const other = "D:\\Images\\debian-12-netinst.iso";
    const at = { controllerType: "SCSI" as const, controllerNumber: 0, controllerLocation: 7 };
    const lab = await lateGuest({}, (one) => one.change(() => ({ dvdDrives: [{ ...at, path: other }] })));
    expect(drives(lab).toSorted()).toEqual([`SCSI 0:1 ${image}`, `SCSI 0:7 ${other}`]);
    await power(lab, "Stopped");
    await power(lab, "Running");
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    expect(drives(lab)).toEqual([`SCSI 0:7 ${other}`]);
  });
});

describe("the medium on generation 1", () => {
  const over = { generation: 1 as const };

  test("an empty drive takes it as it runs; empty again after the first Applied, and removed at the next off", async () => {
    const lab = await lateGuest(over);
    expect(drives(lab)).toEqual([`IDE 1:0 ${image}`]);
    await power(lab, "Stopped", over);
    await power(lab, "Running", over);
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    expect(drives(lab)).toEqual(["IDE 1:0 empty"]);
    expect(vmOf(lab, "web").status?.dvdDrives).toEqual([
      { name: "aetherv-guest", controllerNumber: 1, controllerLocation: 0 },
    ]);
    expect(vmOf(lab, "web").status?.pendingChanges).toBeUndefined();
    await power(lab, "Stopped", over);
    expect(drives(lab)).toEqual([]);
    const sent = lab.sent.length;
    await power(lab, "Running", over);
    expect(drives(lab)).toEqual([]);
    expect(lab.sent.slice(sent)).toHaveLength(1);
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
  });

  test("without a drive it comes at the next off, and the condition says so", async () => {
    const lab = await lateGuest(over, gone);
    expect(drives(lab)).toEqual([]);
    expect(lab.configured()).toMatch(/^False KvpSilent: .* only while it is off: stop and start it/);
    await power(lab, "Stopped", over);
    expect(drives(lab)).toEqual([`IDE 1:0 ${image}`]);
    await power(lab, "Running", over);
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
  });

  test("a drive into which somebody put something else stays at the next off", async () => {
    const lab = GuestLab.make();
    declareWeb(lab, { ...over, guest }, disk(over));
    await lab.settle();
    expect(drives(lab)).toEqual(["IDE 1:0 empty"]);
    const other = "D:\\Images\\debian-12-netinst.iso";
    lab.change(({ dvdDrives }) => ({ dvdDrives: dvdDrives.map((one) => ({ ...one, path: other })) }));
    await power(lab, "Stopped", over);
    expect(drives(lab)).toEqual([`IDE 1:0 ${other}`]);
  });
});
