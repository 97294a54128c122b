import fc from "../../support/fc.ts";
import { expect, it } from "vitest";
import { findCondition } from "../../../src/engine/conditions.ts";
import { Controller } from "../../../src/engine/controller.ts";
import type { Condition, JobOrder, Key, Resource } from "../../../src/engine/ports.ts";
import type { ErrorCode } from "../../../src/protocol/errors.ts";
import { MemoryStore } from "../../../src/stores/memory/store.ts";
import { FakeClock, settle } from "../../support/clock.ts";
import { FakeHosts, type FakeAnswer } from "../../support/fakeHosts.ts";
import { SeededRandom } from "../../support/random.ts";
import { guid, stampOf, vmState } from "../../support/states.ts";
import { toyKind } from "./toyKind.ts";

// Whatever happens in whatever order, the end is the same: every object wanted is Ready and has one machine, nothing else is left.

const names = ["a", "b", "c"];
const key = (name: string): Key => ({ kind: "VirtualMachine", namespace: "default", name });
const errors: readonly ErrorCode[] = ["Busy", "HyperVError", "InsufficientMemory", "ImageNotFound", "Timeout"];

const anyEvent = fc.record({
  what: fc.constantFrom("apply", "edit", "remove", "vanish", "inventory", "restart"),
  name: fc.constantFrom(...names),
  ms: fc.constantFrom(0, 50, 100, 1000, 20_000),
});
const anyAnswers = fc.array(fc.constantFrom<ErrorCode | "done" | "doneButError">("done", "doneButError", ...errors), {
  maxLength: 12,
});

class Life {
  readonly clock = new FakeClock();
  readonly random = new SeededRandom(3);
  readonly store = new MemoryStore({ clock: this.clock, random: this.random });
  readonly hosts: FakeHosts;
  controller: Controller | undefined;
  #edits = 0;
  #machines = 0;

  constructor(answers: (ErrorCode | "done" | "doneButError")[]) {
    this.hosts = new FakeHosts({
      clock: this.clock,
      latencyMs: 100,
      answer: (order) => this.#answer(order, answers.shift() ?? "done"),
      onChange: (host, change) => this.controller?.wakeHost(host, change),
    });
    this.hosts.inventory("hv1", {});
  }

  #answer(order: JobOrder, how: ErrorCode | "done" | "doneButError"): FakeAnswer {
    if (how !== "done" && how !== "doneButError") return { error: how };
    const there = this.hosts.host("hv1")?.snapshot.vmsOf(order.uid) ?? [];
    const error = how === "doneButError" ? { error: "HyperVError" as const } : {};
    if (order.step.operation === "vm.delete")
      return { ...error, observed: { vms: { remove: there.map(({ id }) => id) } } };
    const id = there[0]?.id ?? guid((this.#machines += 1));
    return { ...error, observed: { vms: { upsert: [vmState({ id, stamp: stampOf(id, order.uid) })] } } };
  }

  async start(): Promise<void> {
    this.controller = new Controller({
      store: this.store,
      hosts: this.hosts,
      kinds: [toyKind("VirtualMachine")],
      clock: this.clock,
      random: this.random,
      controlPlaneId: "cp-1",
      log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
      events: { record: () => {} },
    });
    await this.controller.start();
  }

  async live({ what, name }: { what: string; name: string }): Promise<void> {
    const present = this.store.cache.get(key(name));
    switch (what) {
      case "apply":
      case "edit":
        if (what === "edit" && !present) return;
        if (present?.metadata.deletionTimestamp !== undefined) return;
        await this.store.apply({ kind: "VirtualMachine", metadata: { name }, spec: { size: (this.#edits += 1) } });
        return;
      case "remove":
        return this.store.remove(key(name));
      case "vanish":
        if (present) this.#vanish(present);
        return;
      case "restart":
        await this.controller?.stop();
        return this.start();
      default:
        return this.hosts.inventory("hv1", {
          vms: { upsert: [...(this.hosts.host("hv1")?.snapshot.vms.values() ?? [])] },
        });
    }
  }

  #vanish({ metadata }: Resource): void {
    const left = [...(this.hosts.host("hv1")?.snapshot.vms.values() ?? [])].filter(
      ({ stamp }) => stamp?.uid !== metadata.uid,
    );
    this.hosts.inventory("hv1", { vms: { upsert: left } });
  }
}

it("any history of edits, removals, drift, faults and restarts converges, and then rests", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyEvent, { maxLength: 15 }), anyAnswers, async (events, answers) => {
      const life = new Life([...answers]);
      await life.start();
      for (const event of events) {
        await life.live(event);
        await settle();
        await life.clock.advance(event.ms);
      }
      await life.clock.advance(1_800_000);
      const objects = life.store.cache.list("VirtualMachine");
      const snapshot = life.hosts.host("hv1")?.snapshot;
      for (const object of objects) {
        const { conditions } = object.status as { conditions: Condition[] };
        expect(findCondition(conditions, "Ready")?.status).toBe("True");
        expect(object.metadata.deletionTimestamp).toBeUndefined();
        expect(snapshot?.vmsOf(object.metadata.uid)).toHaveLength(1);
      }
      expect(snapshot?.vms.size).toBe(objects.length);
      const before = [life.store.counters.objects, life.hosts.orders.length];
      await life.clock.advance(1_800_000);
      expect([life.store.counters.objects, life.hosts.orders.length]).toEqual(before);
    }),
    { numRuns: 60 },
  );
});
