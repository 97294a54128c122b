import { beforeEach, describe, expect, it } from "vitest";
import { annotations } from "../../../src/api/annotations.ts";
import { keyOf } from "../../../src/api/resource.ts";
import { findCondition } from "../../../src/engine/conditions.ts";
import { Controller } from "../../../src/engine/controller.ts";
import type { EngineParts } from "../../../src/engine/parts.ts";
import { ConflictError } from "../../../src/engine/ports.ts";
import type {
  Condition,
  EventNote,
  HostView,
  JobOrder,
  Key,
  Kind,
  Resource,
  Store,
} from "../../../src/engine/ports.ts";
import { MemoryStore } from "../../../src/stores/memory/store.ts";
import { FakeClock, settle } from "../../support/clock.ts";
import { FakeHosts, type FakeAnswer } from "../../support/fakeHosts.ts";
import { SeededRandom } from "../../support/random.ts";
import { guid, stampOf, vmState } from "../../support/states.ts";
import { toyHostKind, toyKind } from "./toyKind.ts";

const vmKey = (name: string): Key => ({ kind: "VirtualMachine", namespace: "default", name });

/** The world of one test: everything but the network is real. */
class Stage {
  readonly clock = new FakeClock();
  readonly random = new SeededRandom(1);
  readonly store = new MemoryStore({ clock: this.clock, random: this.random });
  readonly events: (EventNote & { readonly name: string })[] = [];
  readonly errors: string[] = [];
  answer: (order: JobOrder) => FakeAnswer | undefined = (order) => this.done(order);
  #machines = 0;
  readonly hosts = new FakeHosts({
    clock: this.clock,
    latencyMs: 100,
    answer: (order) => this.answer(order),
    onChange: (host, change) => this.controller?.wakeHost(host, change),
  });
  controller: Controller | undefined;

  async start(over: Partial<EngineParts> = {}): Promise<Controller> {
    const log = (fields: object, text: string): void => void this.errors.push(`${text} ${JSON.stringify(fields)}`);
    this.controller = new Controller({
      store: this.store,
      hosts: this.hosts,
      kinds: [toyKind("VirtualMachine"), toyKind("VirtualDisk"), toyHostKind],
      clock: this.clock,
      random: this.random,
      controlPlaneId: "cp-1",
      log: { debug: () => {}, info: () => {}, warn: () => {}, error: log },
      events: { record: (key, _uid, note) => void this.events.push({ ...note, name: key.name }) },
      ...over,
    });
    await this.controller.start();
    await settle();
    return this.controller;
  }

  done(order: JobOrder): FakeAnswer {
    const there = this.hosts.host(order.host)?.snapshot.vmsOf(order.uid) ?? [];
    if (order.step.operation === "vm.delete") return { observed: { vms: { remove: there.map(({ id }) => id) } } };
    const id = guid((this.#machines += 1));
    return { observed: { vms: { upsert: [vmState({ id, stamp: stampOf(id, order.uid) })] } } };
  }

  async apply(name: string, spec: object = {}, kind = "VirtualMachine"): Promise<Resource> {
    const made = await this.store.apply({ kind, metadata: { name }, spec });
    await settle();
    return made;
  }

  async annotate(name: string, change: Record<string, string>): Promise<void> {
    const object = this.object(name);
    const next = { ...object.metadata, annotations: { ...object.metadata.annotations, ...change } };
    await this.store.putMetadata({ ...object, metadata: next });
    await settle();
  }

  object(name: string): Resource {
    const found = this.store.cache.get(vmKey(name));
    if (!found) throw new Error(`no ${name}`);
    return found;
  }

  ready(name: string): Condition | undefined {
    return findCondition((this.object(name).status as { conditions?: Condition[] } | undefined)?.conditions, "Ready");
  }

  operations(): readonly string[] {
    return this.hosts.orders.map(({ step, key }) => `${step.operation} ${key.name}`);
  }
}

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
  stage.hosts.inventory("hv1", {});
});

describe("from apply to Ready", () => {
  it("writes three times: metadata, first sight, Ready", async () => {
    const controller = await stage.start();
    await stage.apply("web");
    expect(stage.ready("web")).toMatchObject({ status: "False", reason: "Progressing" });
    await stage.clock.advance(1000);
    expect(stage.ready("web")).toMatchObject({ status: "True", observedGeneration: 1 });
    expect(controller.counters()).toMatchObject({ metadataWrites: 1, statusWrites: 2, jobs: 1 });
    expect(stage.object("web").metadata.finalizers).toEqual(["aetherv.io/cleanup"]);
  });

  it("then writes nothing and asks nothing, however long", async () => {
    const controller = await stage.start();
    await stage.apply("web");
    await stage.clock.advance(1000);
    const before = controller.counters();
    await stage.clock.advance(3_600_000);
    const after = controller.counters();
    expect([after.statusWrites, after.metadataWrites, after.jobs]).toEqual([
      before.statusWrites,
      before.metadataWrites,
      before.jobs,
    ]);
    expect(after.reconciles).toBeGreaterThan(before.reconciles);
  });

  it("tells what was done as events", async () => {
    await stage.start();
    await stage.apply("web");
    await stage.clock.advance(1000);
    expect(stage.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual(["Normal VmCreate", "Normal Ready"]);
  });

  it("counts a placement before the cache shows it, and no longer", async () => {
    const seen: (string | undefined)[] = [];
    const kind = toyKind("VirtualMachine");
    const watching: Kind = {
      ...kind,
      decide: (resource, world) => {
        seen.push(world.assumedHosts.get("VirtualMachine/default/a"));
        return kind.decide(resource, world);
      },
    };
    await stage.start({ kinds: [watching], workers: 4 });
    await Promise.all(
      ["a", "b"].map((name) => stage.store.apply({ kind: "VirtualMachine", metadata: { name }, spec: {} })),
    );
    await stage.clock.advance(1000);
    expect(seen).toContain("hv1");
    expect(seen.at(-1)).toBeUndefined();
  });
});

describe("drift", () => {
  it("is repaired when the host tells of it", async () => {
    await stage.start();
    await stage.apply("web");
    await stage.clock.advance(1000);
    stage.hosts.inventory("hv1", {});
    await stage.clock.advance(1000);
    expect(stage.operations()).toEqual(["vm.create web", "vm.create web"]);
    expect(stage.ready("web")?.status).toBe("True");
  });
});

describe("faults", () => {
  it("wait longer each time", async () => {
    stage.answer = () => ({ error: "HyperVError" });
    await stage.start();
    await stage.apply("web");
    await stage.clock.advance(60_000);
    const soFar = stage.hosts.orders.length;
    expect(soFar).toBeGreaterThanOrEqual(5);
    expect(soFar).toBeLessThanOrEqual(9);
    expect(stage.ready("web")).toMatchObject({ status: "False" });
    await stage.clock.advance(3_600_000);
    expect(stage.hosts.orders.length - soFar).toBeLessThan(3_600_000 / 150_000 + 6);
  });

  it("of the user's kind are tried at once after an edit, an annotation or an edit of what it refers to", async () => {
    stage.answer = () => ({ error: "ImageNotFound" });
    await stage.start();
    await stage.apply("web", { disk: "data" });
    await stage.clock.advance(1000);
    expect(stage.hosts.orders).toHaveLength(1);
    await stage.apply("web", { disk: "data", size: 2 });
    await stage.clock.advance(200);
    expect(stage.hosts.orders).toHaveLength(2);
    await stage.annotate("web", { [annotations.reconcileRequestedAt]: "2026-01-01T00:00:00Z" });
    await stage.clock.advance(200);
    expect(stage.hosts.orders).toHaveLength(3);
    await stage.apply("data", { host: "hv1" }, "VirtualDisk");
    await stage.clock.advance(200);
    expect(stage.operations().filter((text) => text.endsWith("web"))).toHaveLength(4);
  });

  it("of the user's kind are tried again within seconds when the host has news, but not in a busy loop", async () => {
    stage.answer = () => ({ error: "ImageNotFound" });
    await stage.start();
    await stage.apply("web");
    await stage.clock.advance(6000);
    for (let second = 0; second < 60; second += 1) {
      stage.controller?.wakeHost("hv1", { uids: new Set(), host: true });
      await stage.clock.advance(1000);
    }
    expect(stage.hosts.orders.length).toBeGreaterThanOrEqual(3);
    expect(stage.hosts.orders.length).toBeLessThanOrEqual(6);
  });

  it("are forgotten after a success", async () => {
    let failures = 2;
    stage.answer = (order) => ((failures -= 1) >= 0 ? { error: "Busy" } : stage.done(order));
    await stage.start();
    await stage.apply("web");
    await stage.clock.advance(10_000);
    expect(stage.ready("web")?.status).toBe("True");
    expect(stage.controller?.world(stage.object("web")).lastFault).toBeUndefined();
    expect(stage.controller?.world(stage.object("web")).lastJob).toMatchObject({
      operation: "vm.create",
      code: "Success",
    });
  });
});

describe("a kind that throws", () => {
  it("is logged, tried again later, and does not stop the others", async () => {
    const kind = toyKind("VirtualMachine");
    const broken: Kind = {
      ...kind,
      decide: (resource, world) => {
        if (resource.metadata.name === "bad") throw new Error("boom");
        return kind.decide(resource, world);
      },
    };
    await stage.start({ kinds: [broken] });
    await stage.apply("bad");
    await stage.apply("web");
    await stage.clock.advance(5000);
    expect(stage.ready("web")?.status).toBe("True");
    expect(stage.errors.length).toBeGreaterThanOrEqual(2);
    expect(stage.errors.length).toBeLessThanOrEqual(5);
  });
});

describe("status of mere progress", () => {
  it("is written at most every 10 s, and the end at once", async () => {
    let percent = 0;
    const kind = toyKind("VirtualMachine");
    const counting: Kind = {
      ...kind,
      decide: (resource, world) => {
        const decision = kind.decide(resource, world);
        return decision.status === undefined
          ? decision
          : { ...decision, status: { ...decision.status, percent }, wakeAfterMs: 500 };
      },
    };
    stage.answer = () => undefined;
    const controller = await stage.start({ kinds: [counting] });
    const { metadata } = await stage.apply("web");
    for (; percent < 30; percent += 1) await stage.clock.advance(1000);
    expect(controller.counters().statusWrites).toBeLessThanOrEqual(4);
    const before = controller.counters().statusWrites;
    stage.hosts.finish("hv1", metadata.uid, stage.done(stage.hosts.orders[0] as JobOrder));
    await settle();
    expect(stage.ready("web")?.status).toBe("True");
    expect(controller.counters().statusWrites).toBe(before + 1);
  });
});

describe("what decisions go on from", () => {
  it("is the status last decided, though it is not written yet", async () => {
    const seen: unknown[] = [];
    const kind = toyKind("VirtualMachine");
    const counting: Kind = {
      ...kind,
      decide: (resource, world) => {
        const decision = kind.decide(resource, world);
        const count = (resource.status as { count?: number } | undefined)?.count ?? 0;
        seen.push(count);
        if (decision.status === undefined) return decision;
        return { ...decision, status: { ...decision.status, count: Math.min(count + 1, 5) }, wakeAfterMs: 500 };
      },
    };
    stage.answer = () => undefined;
    const controller = await stage.start({ kinds: [counting] });
    await stage.apply("web");
    await stage.clock.advance(4000);
    expect(seen.slice(-2)).toEqual([5, 5]);
    expect(controller.counters().statusWrites).toBe(1);
  });

  it("is not its own status write: that alone wakes nobody", async () => {
    let decisions = 0;
    let note: string | undefined;
    const kind = toyKind("VirtualMachine");
    const counted: Kind = {
      ...kind,
      decide: (...all) => {
        decisions += 1;
        const decision = kind.decide(...all);
        return note === undefined ? decision : { ...decision, status: { ...(decision.status as object), note } };
      },
    };
    await stage.start({ kinds: [counted] });
    await stage.apply("web");
    await stage.clock.advance(1000);
    // For placement, first sight and the job; after its own metadata; for the host's news and the job's end together.
    expect(decisions).toBe(5);
    note = "news";
    stage.controller?.wake(vmKey("web"));
    await settle();
    expect(decisions).toBe(6);
    expect(stage.object("web").status).toMatchObject({ note: "news" });
  });
});

describe("deletion", () => {
  const readyMachines = async (names: readonly string[]): Promise<void> => {
    await stage.start();
    for (const name of names) await stage.apply(name);
    await stage.clock.advance(2000);
  };

  it("deletes on the host, then lets the object go", async () => {
    await readyMachines(["web"]);
    await stage.store.remove(vmKey("web"));
    await stage.clock.advance(1000);
    expect(stage.operations()).toEqual(["vm.create web", "vm.delete web"]);
    expect(stage.store.cache.get(vmKey("web"))).toBeUndefined();
  });

  it("is not sent for an object that came back with another uid behind the cache", async () => {
    await readyMachines(["web"]);
    const uids = stage.hosts.orders.length;
    const real = stage.store.get.bind(stage.store);
    const fresh = async (key: Key): Promise<Resource | undefined> => {
      const live = await real(key);
      return live && { ...live, metadata: { ...live.metadata, uid: "another" } };
    };
    (stage.store as Store).get = fresh;
    await stage.store.remove(vmKey("web"));
    await stage.clock.advance(5000);
    expect(stage.hosts.orders).toHaveLength(uids);
    (stage.store as Store).get = real;
    await stage.clock.advance(5000);
    expect(stage.store.cache.get(vmKey("web"))).toBeUndefined();
  });

  it("that is confirmed goes on through faults and a restart", async () => {
    const names = ["a", "b", "c", "d", "e"];
    await readyMachines(names);
    let failures = 10;
    stage.answer = (order) => ((failures -= 1) >= 0 ? { error: "Busy" } : stage.done(order));
    await Promise.all(names.map((name) => stage.store.remove(vmKey(name))));
    await stage.clock.advance(5000);
    for (const name of names) {
      const { deletionBatch } = stage.object(name).status as { deletionBatch: string };
      await stage.annotate(name, { [annotations.confirmDelete]: deletionBatch });
    }
    await stage.clock.advance(1000);
    await stage.controller?.stop();
    await stage.start();
    await stage.clock.advance(60_000);
    expect(stage.store.cache.list("VirtualMachine")).toEqual([]);
  });

  it("is not sent when the machine turned out to be gone meanwhile", async () => {
    await readyMachines(["web"]);
    const real = stage.store.get.bind(stage.store);
    (stage.store as Store).get = (key) => {
      stage.hosts.host("hv1")?.snapshot.fold({ vms: { remove: [guid(1)] } }, { at: stage.clock.now() });
      return real(key);
    };
    await stage.store.remove(vmKey("web"));
    await stage.clock.advance(1000);
    expect(stage.operations()).toEqual(["vm.create web"]);
    expect(stage.store.cache.get(vmKey("web"))).toBeUndefined();
  });

  it("does not let an object go that is another one behind the cache", async () => {
    await readyMachines(["web"]);
    stage.hosts.host("hv1")?.snapshot.fold({ vms: { remove: [guid(1)] } }, { at: stage.clock.now() });
    const real = stage.store.get.bind(stage.store);
    (stage.store as Store).get = async (key) => {
      const live = await real(key);
      return live && { ...live, metadata: { ...live.metadata, uid: "another" } };
    };
    await stage.store.remove(vmKey("web"));
    await stage.clock.advance(1000);
    expect(stage.store.cache.get(vmKey("web"))).toBeDefined();
  });

  it("of many is held until their batch is confirmed", async () => {
    const names = ["a", "b", "c", "d", "e"];
    await readyMachines(names);
    // All deletions are in the store before the first is decided, as one sweep of the file store makes them.
    await Promise.all(names.map((name) => stage.store.remove(vmKey(name))));
    await stage.clock.advance(700_000);
    const deleted = stage.operations().filter((text) => text.startsWith("vm.delete")).length;
    expect(deleted).toBeLessThanOrEqual(3);
    const held = names.filter((name) => stage.store.cache.get(vmKey(name)));
    expect(stage.ready(held[0] ?? "")).toMatchObject({ status: "False", reason: "MassDeleteGuard" });
    // On one of them: it speaks for its batch.
    const [one = ""] = held;
    const batch = (stage.object(one).status as { deletionBatch: string }).deletionBatch;
    await stage.annotate(one, { [annotations.confirmDelete]: batch });
    await stage.clock.advance(60_000);
    expect(stage.store.cache.list("VirtualMachine")).toEqual([]);
  });
});

describe("who wakes whom", () => {
  it("an object's change wakes those that refer to it, and those it refers to before and after", async () => {
    const decided: string[] = [];
    const noting = (kind: Kind): Kind => ({
      ...kind,
      decide: (resource, world) => {
        decided.push(resource.metadata.name);
        return kind.decide(resource, world);
      },
    });
    await stage.start({ kinds: [noting(toyKind("VirtualMachine")), noting(toyKind("VirtualDisk"))] });
    await stage.apply("one", {}, "VirtualDisk");
    await stage.apply("two", {}, "VirtualDisk");
    await stage.apply("web", { disk: "one" });
    await stage.clock.advance(1000);
    const during = async (act: () => Promise<unknown>): Promise<string[]> => {
      decided.length = 0;
      await act();
      await stage.clock.advance(50);
      return [...new Set(decided)].sort();
    };
    expect(await during(() => stage.apply("one", { size: 1 }, "VirtualDisk"))).toEqual(["one", "web"]);
    expect(await during(() => stage.apply("web", { disk: "two" }))).toEqual(["one", "two", "web"]);
    expect(await during(() => stage.apply("one", { size: 2 }, "VirtualDisk"))).toEqual(["one"]);
  });

  it("everything on a host that is reachable again", async () => {
    await stage.start();
    await stage.apply("web");
    await stage.apply("hv1", {}, "VMHost");
    await stage.clock.advance(1000);
    const before = stage.controller?.counters().reconciles ?? 0;
    stage.controller?.wakeHost("hv1", "all");
    await settle();
    expect((stage.controller?.counters().reconciles ?? 0) - before).toBe(2);
  });
});

describe("a host that does not answer", () => {
  it("has everything on it look again at each news of it, the Ready ones too", async () => {
    const decided: string[] = [];
    const kind = toyKind("VirtualMachine");
    const noting: Kind = {
      ...kind,
      decide: (resource, world) => {
        decided.push(resource.metadata.name);
        return kind.decide(resource, world);
      },
    };
    await stage.start({ kinds: [noting] });
    await stage.apply("web");
    await stage.clock.advance(1000);
    const news = async (): Promise<number> => {
      decided.length = 0;
      stage.controller?.wakeHost("hv1", { uids: new Set(), host: true });
      await settle();
      return decided.length;
    };
    expect(await news()).toBe(0);
    const fault = { code: "HostUnreachable", message: "no route" } as const;
    stage.hosts.add("hv1").reach = { at: "down", since: stage.clock.now(), fault, missed: 2 };
    expect(await news()).toBe(1);
  });
});

it("no second job is sent while one holds the object, whatever the kind says", async () => {
  const kind = toyKind("VirtualMachine");
  const eager: Kind = {
    ...kind,
    decide: (resource, world) => kind.decide(resource, { ...world, host: (name) => withoutJobs(world.host(name)) }),
  };
  const withoutJobs = (view: HostView | undefined): HostView | undefined =>
    view && {
      ...view,
      name: view.name,
      reach: view.reach,
      ...(view.snapshot && { snapshot: view.snapshot }),
      job: () => undefined,
      uncertain: () => undefined,
    };
  stage.answer = () => undefined;
  await stage.start({ kinds: [eager] });
  await stage.apply("web");
  await stage.apply("web", { size: 2 });
  await stage.clock.advance(60_000);
  expect(stage.hosts.orders).toHaveLength(1);
});

describe("a job that had to wait in line", () => {
  const meant = async (): Promise<boolean | undefined> => {
    const result = stage.hosts.orders.at(-1)?.stillMeant?.(`job-${stage.hosts.orders.length}`);
    await settle();
    return await result;
  };
  /** A machine whose deletion waits. */
  const deletionWaits = async (): Promise<void> => {
    await stage.start();
    const made = await stage.apply("web");
    await stage.clock.advance(1000);
    stage.answer = () => undefined;
    await stage.store.delete(vmKey("web"), made.metadata.uid);
    await settle();
    expect(stage.hosts.orders.at(-1)?.step.operation).toBe("vm.delete");
  };

  it("is meant while nothing changed", async () => {
    await deletionWaits();
    expect(await meant()).toBe(true);
  });

  it("is not, once somebody asked for something else", async () => {
    await deletionWaits();
    await stage.annotate("web", { [annotations.forceOrphan]: "true" });
    expect(await meant()).toBe(false);
  });

  it("is not, when the live object is another than the cached one", async () => {
    await deletionWaits();
    const real = stage.store.get.bind(stage.store);
    stage.store.get = async (key) => {
      const live = await real(key);
      return live && { ...live, metadata: { ...live.metadata, annotations: { [annotations.paused]: "true" } } };
    };
    expect(await meant()).toBe(false);
  });

  it("is not, once the host has it otherwise than it was decided on", async () => {
    stage.answer = () => undefined;
    await stage.start();
    const made = await stage.apply("web");
    expect(await meant()).toBe(true);
    const id = guid(7);
    stage.hosts.inventory("hv1", { vms: { upsert: [vmState({ id, stamp: stampOf(id, made.metadata.uid) })] } });
    expect(await meant()).toBe(false);
  });

  it("is not, once the spec asks for something else, though it harms nobody", async () => {
    stage.answer = () => undefined;
    await stage.start();
    await stage.apply("web");
    await stage.apply("web", { size: 2 });
    expect(await meant()).toBe(false);
  });
});

describe("a look", () => {
  it("asks the host, and comes again by itself, later each time", async () => {
    const looking: Kind = {
      ...toyKind("VirtualMachine"),
      decide: () => ({ plan: [], act: { do: "look", host: "hv1" } }),
    };
    await stage.start({ kinds: [looking] });
    await stage.apply("web");
    await stage.clock.advance(60_000);
    expect(stage.hosts.refreshes.length).toBeGreaterThanOrEqual(5);
    expect(stage.hosts.refreshes.length).toBeLessThanOrEqual(12);
  });
});

describe("a cache behind the store", () => {
  it("has each look wait longer than the one before, up to seconds, and its news are looked at once", async () => {
    const tries: number[] = [];
    let stale = true;
    const putMetadata = stage.store.putMetadata.bind(stage.store);
    stage.store.putMetadata = async (next) => {
      tries.push(stage.clock.now().getTime());
      if (stale) throw new ConflictError("the object has been modified");
      return await putMetadata(next);
    };
    await stage.start();
    await stage.apply("web");
    await stage.clock.advance(60_000);
    const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
    expect(tries.length).toBeLessThan(30);
    expect(Math.max(...waits.slice(0, 3))).toBeLessThanOrEqual(600);
    expect(Math.min(...waits.slice(-3))).toBeGreaterThanOrEqual(2500);

    stale = false;
    const before = stage.clock.now().getTime();
    await stage.store.apply({ kind: "VirtualMachine", metadata: { name: "web" }, spec: { cpu: 2 } });
    await settle();
    expect(tries.at(-1)).toBe(before);
    expect(stage.object("web").metadata.finalizers).toEqual(["aetherv.io/cleanup"]);
  });
});

it("stops without leaving timers behind", async () => {
  const controller = await stage.start();
  await stage.apply("web");
  await stage.clock.advance(1000);
  await controller.stop();
  expect(stage.clock.pending).toBe(0);
  expect(keyOf(stage.object("web"))).toEqual(vmKey("web"));
});
