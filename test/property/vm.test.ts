import fc from "../support/fc.ts";
import { describe, expect, test } from "vitest";
import type { Vm } from "../../agents/simulator/model/types.ts";
import type { VirtualMachineSpec } from "../../src/api/generated/types.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { fieldChanges } from "../../controllers/virtualmachine/fields.ts";
import { Lab, readyText } from "../support/lab.ts";
import { declareWeb, vmOf, vmSpec } from "../support/samples.ts";

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Drops members that are undefined: a spec has no such. */
const plain = (value: object): Partial<VirtualMachineSpec> => JSON.parse(JSON.stringify(value));

const cpu = fc.record({
  count: fc.integer({ min: 1, max: 16 }),
  reservePercent: optional(fc.integer({ min: 0, max: 40 })),
  limitPercent: optional(fc.integer({ min: 40, max: 100 })),
  relativeWeight: optional(fc.integer({ min: 1, max: 10_000 })),
  exposeVirtualizationExtensions: optional(fc.boolean()),
  compatibilityMode: optional(fc.boolean()),
});

const memory = fc
  .record({
    startup: fc.integer({ min: 8, max: 64 }),
    below: fc.integer({ min: 0, max: 7 }),
    above: fc.integer({ min: 0, max: 64 }),
    bufferPercent: optional(fc.integer({ min: 5, max: 100 })),
    weight: optional(fc.integer({ min: 0, max: 10_000 })),
    dynamic: fc.boolean(),
  })
  .map(({ startup, below, above, bufferPercent, weight, dynamic }) => ({
    startup: `${startup * 128}Mi`,
    weight,
    ...(dynamic && {
      dynamic: { minimum: `${(startup - below) * 128}Mi`, maximum: `${(startup + above) * 128}Mi`, bufferPercent },
    }),
  }));

const settings: fc.Arbitrary<Partial<VirtualMachineSpec>> = fc
  .record({
    cpu,
    memory,
    notes: optional(fc.string({ maxLength: 20 }).map((text) => text.replace(/[^ -~]/g, ""))),
    firmware: optional(fc.record({ secureBoot: fc.boolean() })),
    integrationServices: optional(fc.record({ vss: fc.boolean(), timeSynchronization: fc.boolean() })),
    automaticStartAction: optional(fc.constantFrom("Nothing", "StartIfRunning", "Start")),
    automaticStopAction: optional(fc.constantFrom("TurnOff", "Save", "ShutDown")),
    automaticStartDelaySeconds: optional(fc.integer({ min: 0, max: 600 })),
    checkpointType: optional(fc.constantFrom("Disabled", "Production", "ProductionOnly", "Standard")),
    automaticCheckpoints: optional(fc.boolean()),
    dvdDrives: optional(fc.constantFrom([{ name: "a" }], [{ name: "a", image: "debian-12-netinst" }])),
    powerState: fc.constantFrom("Running", "Stopped", "Saved", "Paused"),
  })
  .map(plain);

/** A saved or paused machine takes no changes, so that only these ends show everything as declared. */
const ending = fc
  .tuple(settings, fc.constantFrom("Running" as const, "Stopped" as const))
  .map(([spec, powerState]) => ({ ...spec, powerState }));

/** What an admin, or time, may have made of the machine. */
const tampering: fc.Arbitrary<(vm: Vm) => Partial<Vm>> = fc
  .record({
    count: fc.integer({ min: 1, max: 32 }),
    limitPercent: fc.integer({ min: 1, max: 100 }),
    startup: fc.integer({ min: 1, max: 16 }),
    dynamic: fc.boolean(),
    name: fc.constantFrom("web", "other"),
    power: fc.constantFrom("keep", "Off", "Saved", "Paused"),
    checkpointType: fc.constantFrom("Disabled", "Standard"),
  })
  .map(({ count, limitPercent, startup, dynamic, name, power, checkpointType }) => (vm: Vm): Partial<Vm> => {
    const startupBytes = startup * 256 * 2 ** 20;
    const { dynamic: _before, ...rest } = vm.memory;
    const range = { minimumBytes: startupBytes, maximumBytes: startupBytes * 2, bufferPercent: 20 };
    return {
      name,
      checkpointType,
      cpu: { ...vm.cpu, count, limitPercent },
      memory: { ...rest, startupBytes, ...(dynamic && { dynamic: range }) },
      ...(power !== "keep" && vm.state === "Running" && { state: power, heartbeat: "Disabled" as const }),
    };
  });

const automatic = {
  disruption: { approval: "Automatic" as const },
  shutdown: { mode: "GracefulThenTurnOff" as const, timeoutSeconds: 60 },
};

const stateOf = (lab: Lab): VmState => {
  const [state] = [...(lab.hosts.get("hv1")?.snapshot.vms.values() ?? [])];
  if (!state) throw new Error("no machine");
  return state;
};

/** Failed jobs are sent again as the engine would, until nothing moves any more. */
const converge = async (lab: Lab): Promise<void> => {
  for (let turn = 0; turn < 4; turn += 1) {
    await lab.settle();
    lab.retry();
    await lab.clock.advance(60_000);
  }
};

const expectConverged = (lab: Lab): void => {
  expect(lab.decide("VirtualMachine", "web").plan, readyText(vmOf(lab, "web"))).toEqual([]);
  const spec = { ...vmOf(lab, "web").spec, vmName: "web" };
  expect(fieldChanges({ spec, state: stateOf(lab), host: undefined })).toEqual([]);
};

const destructive = (lab: Lab): readonly string[] =>
  lab.sent.filter((one) => /^(vm|disk|nic)\.delete|disk\.detach/.test(one));

describe("a random spec over a random machine", () => {
  test("with approval: the plan is carried out and empty afterwards, and nothing was destroyed", async () => {
    await fc.assert(
      fc.asyncProperty(settings, ending, tampering, async (first, second, tamper) => {
        const lab = new Lab();
        lab.addHost("hv1");
        declareWeb(lab, { ...automatic, ...first });
        await converge(lab);
        expectConverged(lab);
        const { id } = stateOf(lab);
        lab.hosts.get("hv1")?.admin((world) => world.changeVm(id, tamper));
        lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ ...automatic, ...second }) });
        await converge(lab);
        expectConverged(lab);
        expect(stateOf(lab).id).toBe(id);
        expect(destructive(lab)).toEqual([]);
        expect(lab.sent.filter((one) => one.startsWith("disk.clone"))).toHaveLength(1);
      }),
      { numRuns: 50 },
    );
  }, 120_000);

  test("without approval: a machine that shall run is never stopped, and what it awaits is listed", async () => {
    await fc.assert(
      fc.asyncProperty(settings, settings, tampering, async (first, second, tamper) => {
        const lab = new Lab();
        lab.addHost("hv1");
        declareWeb(lab, { ...first, powerState: "Running" });
        await converge(lab);
        const { id, startedAt } = stateOf(lab);
        lab.hosts
          .get("hv1")
          ?.admin((world) => world.changeVm(id, (vm) => ({ ...tamper(vm), state: vm.state, heartbeat: vm.heartbeat })));
        lab.sent.length = 0;
        lab.apply({ kind: "VirtualMachine", name: "web", spec: vmSpec({ ...second, powerState: "Running" }) });
        await converge(lab);
        expect(stateOf(lab)).toMatchObject({ state: "Running", startedAt });
        expect(lab.sent.filter((one) => one.startsWith("vm.power"))).toEqual([]);
        const { plan } = lab.decide("VirtualMachine", "web");
        expect(plan.every(({ effect }) => effect === "Restart")).toBe(true);
        const listed = (vmOf(lab, "web").status?.pendingChanges ?? []).map(({ path }) => path);
        expect(listed).toEqual(plan.flatMap(({ changes }) => changes.map(({ path }) => path)));
        expect(vmOf(lab, "web").status?.planHash === undefined).toBe(plan.length === 0);
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  test("a row of edits ends as the last spec alone would", async () => {
    const whole = (spec: Partial<VirtualMachineSpec>) => ({ ...base, ...spec, cpu: { ...base.cpu, ...spec.cpu } });
    await fc.assert(
      fc.asyncProperty(fc.array(settings, { minLength: 1, maxLength: 3 }), ending, async (first, last) => {
        const specs = [...first, last].map(whole);
        const [edited, fresh] = [new Lab(), new Lab()];
        for (const lab of [edited, fresh]) lab.addHost("hv1");
        for (const spec of specs) {
          declareWeb(edited, { ...automatic, ...spec });
          await converge(edited);
        }
        declareWeb(fresh, { ...automatic, ...specs.at(-1) });
        await converge(fresh);
        expect(comparable(stateOf(edited))).toEqual(comparable(stateOf(fresh)));
      }),
      { numRuns: 15 },
    );
  }, 120_000);
});

/** A value for every field that some edit may set: one that an edit leaves out would stay as an earlier edit made it. */
const base: Partial<VirtualMachineSpec> = {
  cpu: {
    count: 1,
    reservePercent: 0,
    limitPercent: 100,
    relativeWeight: 100,
    exposeVirtualizationExtensions: false,
    compatibilityMode: false,
  },
  notes: "",
  firmware: { secureBoot: true },
  integrationServices: { vss: true, timeSynchronization: true },
  automaticStartAction: "StartIfRunning",
  automaticStopAction: "ShutDown",
  automaticStartDelaySeconds: 0,
  checkpointType: "Production",
  automaticCheckpoints: false,
  dvdDrives: [],
};

const comparable = ({ state, cpu: processors, memory: { dynamic, startupBytes }, ...rest }: VmState) => ({
  state,
  processors,
  startupBytes,
  dynamic: dynamic && { minimum: dynamic.minimumBytes, maximum: dynamic.maximumBytes },
  notes: rest.notes,
  firmware: rest.firmware,
  services: rest.integrationServices,
  actions: [rest.automaticStartAction, rest.automaticStopAction, rest.automaticStartDelaySeconds],
  checkpoints: [rest.checkpointType, rest.automaticCheckpoints],
  drives: rest.dvdDrives.map(({ path }) => path ?? "empty"),
});
