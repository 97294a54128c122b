import { describe, expect, test } from "vitest";
import type { Vm } from "../../../agents/simulator/model/types.ts";
import { annotations } from "../../../src/api/annotations.ts";
import { annotate, declare, guest, GuestLab, planted } from "../../support/guestLab.ts";
import { readyText } from "../../support/lab.ts";
import { declareWeb, vmOf } from "../../support/samples.ts";

describe("a guest's way to its configuration, with the simulated guest", () => {
  test("published, opened, applied, cleared; the medium is gone", async () => {
    const lab = await declare();
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    expect(readyText(vmOf(lab, "web"))).toBe("True Converged: ");
    const vm = lab.sim();
    expect(vm.guest?.hostname).toBe("web");
    expect(vm.guestAgent?.configured).toMatchObject({ hostname: "web", "admin.name": "operator" });
    expect(Object.keys(vm.kvpHost)).toEqual(["aetherv.signer"]);
    expect(vm.dvdDrives).toEqual([]);
    expect(vmOf(lab, "web").status?.guest).toMatchObject({
      generation: 1,
      appliedGeneration: 1,
      keyFingerprint: vm.guestAgent?.fingerprint,
      vmId: vm.id,
      hostname: "web",
    });
  });

  test("steady: another look changes and writes nothing", async () => {
    const lab = await declare();
    const before = JSON.stringify([...lab.objects.values()]);
    const sent = lab.sent.length;
    await lab.settle();
    expect(JSON.stringify([...lab.objects.values()])).toBe(before);
    expect(lab.sent.length).toBe(sent);
  });

  test("no secret value is in any object, job or state but the guest's own plaintext", async () => {
    const lab = await declare();
    const host = JSON.stringify(lab.sim());
    const all = JSON.stringify([...lab.objects.values()]) + lab.sent.join() + host;
    for (const secret of Object.values(planted)) {
      expect(all).not.toContain(secret);
      expect(all).not.toContain(Buffer.from(secret).toString("base64url"));
    }
  });

  test("a rotated Secret is a new generation for a running guest", async () => {
    const lab = await declare();
    lab.secrets.set("admin", { password: "rotated", file: planted.file });
    await lab.clock.advance(300_000);
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 2 is applied.");
    expect(lab.sim().guestAgent?.highestGeneration).toBe(2);
  });

  test("a changed spec is a new generation, an unchanged one none", async () => {
    const lab = await declare();
    declareWeb(lab, { guest: { ...guest, hostname: "shop" } });
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 2 is applied.");
    expect(lab.sim().guest?.hostname).toBe("shop");
  });

  test("another key is refused until it is approved by its fingerprint", async () => {
    const lab = await declare();
    lab.change((vm) => ({ guestAgent: { ...(vm.guestAgent as NonNullable<Vm["guestAgent"]>), vmId: "other" } }));
    lab.change(() => ({ due: [{ at: 0, what: "GuestUp" }] }));
    await lab.settle();
    expect(lab.configured()).toMatch(/^False KeyChanged: /);
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False GuestKeyChanged: /);
    annotate(lab, annotations.approveGuestKey, "true");
    await lab.settle();
    expect(lab.configured()).toMatch(/^False KeyChanged: /);
    annotate(lab, annotations.approveGuestKey, lab.sim().guestAgent?.fingerprint ?? "");
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
  });

  test("a key stays pinned while no guest section is declared", async () => {
    const lab = await declare();
    declareWeb(lab, {});
    await lab.settle();
    lab.change((vm) => ({ guestAgent: { ...(vm.guestAgent as NonNullable<Vm["guestAgent"]>), vmId: "other" } }));
    lab.change(() => ({ due: [{ at: 0, what: "GuestUp" }] }));
    declareWeb(lab, { guest });
    await lab.settle();
    expect(lab.configured()).toMatch(/^False KeyChanged: /);
  });

  test("a guest that claims the highest generation there is does not use the counter up", async () => {
    const lab = await declare();
    lab.change((vm) => {
      const agent = vm.guestAgent as NonNullable<Vm["guestAgent"]>;
      const applied = { generation: 2_147_483_647, hash: "ab".repeat(32) };
      return {
        guestAgent: { ...agent, highestGeneration: 2_147_483_647, applied, report: { ...agent.report, ...applied } },
        due: [{ at: 0, what: "GuestUp" }],
      };
    });
    const sent = lab.sent.length;
    await lab.settle();
    expect(vmOf(lab, "web").metadata.annotations?.[annotations.guestGeneration]).toBe("1");
    expect(lab.sent.length).toBe(sent);
  });

  test("a counter that is no number is written anew, above what the guest has seen", async () => {
    const lab = await declare();
    annotate(lab, annotations.guestGeneration, "many");
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 2 is applied.");
  });

  test("a missing Secret is waited for; what is published comes after", async () => {
    const lab = GuestLab.make();
    lab.secrets.delete("join");
    declareWeb(lab, { guest });
    await lab.settle();
    expect(lab.configured()).toBe("False WaitingForReference: Secret join does not exist, or may not be read.");
    lab.secrets.set("join", { username: "joiner", password: planted.domain });
    await lab.clock.advance(20_000);
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
  });

  test("a failed script is told with its step, and a corrected one goes through", async () => {
    const script = { name: "setup", interpreter: "sh" as const };
    const lab = await declare({ scripts: [{ ...script, inline: "exit 3" }] });
    expect(lab.configured()).toBe("False Failed: Generation 1 failed at scripts: ScriptFailed: setup ended with 3");
    expect(readyText(vmOf(lab, "web"))).toMatch(/^False Failed: /);
    declareWeb(lab, { guest: { ...guest, scripts: [{ ...script, inline: "exit 0" }] } });
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 2 is applied.");
  });

  test("a guest ahead of a restored control plane: the counter goes above it", async () => {
    const lab = await declare();
    annotate(lab, annotations.guestGeneration, "1");
    lab.change((vm) => {
      const agent = vm.guestAgent as NonNullable<Vm["guestAgent"]>;
      const applied = { generation: 9, hash: "ab".repeat(32) };
      return {
        guestAgent: { ...agent, highestGeneration: 9, applied, report: { ...agent.report, ...applied } },
        due: [{ at: 0, what: "GuestUp" }],
      };
    });
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 10 is applied.");
  });

  test("what somebody else lays into the pool is refused, told and taken away", async () => {
    const lab = await declare();
    lab.change((vm) => ({
      kvpHost: {
        ...vm.kvpHost,
        "aetherv.config.7.0": "a.b.c.d.e",
        "aetherv.config.7.manifest": "aetherv1 7 1 9 b7d6a5d3b1c5c0d96a1d5c5b5f0e4b0ee5ea1a0d2d6e6a3a8a8f0b8b8b5f4f3a",
      },
      due: [{ at: 0, what: "GuestAgent" }],
    }));
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    expect(Object.keys(lab.sim().kvpHost)).toEqual(["aetherv.signer"]);
  });

  test("a silent guest: named what it needs", async () => {
    const lab = GuestLab.make();
    lab.hosts.get("hv1")?.admin((world) => world.removeFile("D:\\Images\\aetherv-guest.iso"));
    declareWeb(lab, { guest });
    for (let turn = 0; turn < 3; turn += 1) {
      await lab.settle().catch(() => undefined);
      await lab.clock.advance(200_000);
    }
    await lab.settle();
    expect(lab.configured()).toMatch(/^False KvpSilent: .*hv_kvp_daemon/);
  });

  test("stopped and started again: still applied, nothing published anew", async () => {
    const lab = await declare();
    declareWeb(lab, { guest, powerState: "Stopped" });
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    const published = lab.sent.filter((one) => one.startsWith("guest.publish")).length;
    declareWeb(lab, { guest, powerState: "Running" });
    await lab.settle();
    expect(lab.configured()).toBe("True Applied: Generation 1 is applied.");
    expect(lab.sent.filter((one) => one.startsWith("guest.publish")).length).toBe(published);
  });
});
