import { describe, expect, it } from "vitest";
import { existing, keysTyped, kindTyped } from "../../../src/cli/names.ts";
import type { Resource } from "../../../src/api/resource.ts";
import type { ControlPlane } from "../../../src/server/control.ts";

describe("kinds as people type them", () => {
  it.each(["avm", "vm", "VM", "virtualmachine", "virtualmachines", "VirtualMachine", "virtualmachines.aetherv.io"])(
    "%s",
    (typed) => expect(kindTyped(typed).kind).toBe("VirtualMachine"),
  );
  it("suggests the nearest name", () => {
    expect(() => kindTyped("virtualmachin")).toThrow('unknown kind "virtualmachin"');
    expect(hintOf(() => kindTyped("virtualmachin"))).toContain('did you mean "VirtualMachine"?');
    expect(hintOf(() => kindTyped("zzz"))).toContain("virtualmachines (avm)");
  });
});

describe("objects as people name them", () => {
  const web = { kind: "VirtualMachine", namespace: "shop", name: "web" };
  it.each([
    { why: "one word", words: ["vm/web"], keys: [web] },
    { why: "kind and name", words: ["avm", "web"], keys: [web] },
    { why: "several names", words: ["avm", "web", "db"], keys: [web, { ...web, name: "db" }] },
    { why: "a host has no namespace", words: ["avh/hv1"], keys: [{ kind: "VMHost", namespace: "", name: "hv1" }] },
  ])("$why", ({ words, keys }) => expect(keysTyped(words, "shop")).toEqual(keys));
  it.each([
    { why: "no name", words: ["vm"], message: "which VirtualMachine?" },
    { why: "an empty name", words: ["vm/"], message: '"vm/" does not name an object' },
    { why: "too many parts", words: ["vm/a/b"], message: '"vm/a/b" does not name an object' },
    { why: "nothing", words: [], message: "which object?" },
  ])("refuses $why", ({ words, message }) => expect(() => keysTyped(words, "shop")).toThrow(message));
});

const object = (namespace: string, name: string): Resource => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualMachine",
  metadata: { name, namespace, uid: name, generation: 1, resourceVersion: "1", creationTimestamp: "" },
  spec: {},
});

describe("an object that is not there", () => {
  const there = [object("default", "web"), object("shop", "db")];
  const control = {
    get: () => Promise.resolve(undefined),
    list: () => Promise.resolve(there),
  } as unknown as ControlPlane;
  it.each([
    { why: "a typing error", name: "wbe", hint: 'did you mean "web"?' },
    { why: "another namespace", name: "db", hint: 'there is one in namespace "shop": add -n shop' },
    { why: "nothing near", name: "something", hint: "there are web" },
  ])("$why", async ({ name, hint }) => {
    const failed = existing(control, { kind: "VirtualMachine", namespace: "default", name });
    await expect(failed).rejects.toMatchObject({ code: "NotFound", hint });
  });
});

const hintOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as { hint?: string }).hint ?? "";
  }
  return "";
};
