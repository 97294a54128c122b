import { describe, expect, test } from "vitest";
import type { VirtualMachine } from "../../../src/api/generated/types.ts";
import { keyOf, keyText, type Key, type Resource } from "../../../src/api/resource.ts";
import { planObjects } from "../../../src/app/plan/planner.ts";
import type { Decision, Kind, Objects, Step, World } from "../../../src/engine/ports.ts";
import type { PlannedObject, SecretName } from "../../../src/server/control.ts";
import { storedObject } from "../../support/storedObject.ts";

const now = new Date("2026-01-01T00:00:00Z");

type Over = { readonly spec?: object; readonly status?: object; readonly metadata?: object };

const object = (kind: string, name: string, spec: object, { status, metadata }: Over = {}): Resource =>
  storedObject(kind, name, {
    spec: { managementPolicy: "Manage", deletionProtection: false, ...spec },
    ...(metadata && { metadata }),
    ...(status && { status }),
  });

const guest = {
  hostname: "planted-host",
  growFilesystems: true,
  files: [{ path: "/etc/app.conf", content: "planted-content" }],
};

/** A machine that runs, whose agent was heard. */
const running = {
  id: "id-web",
  powerState: "Running",
  firstStartedAt: now.toISOString(),
  guest: { keyFingerprint: "f", vmId: "id-web", generation: 1, appliedGeneration: 1 },
  conditions: [{ type: "GuestConfigured", status: "True", reason: "Applied", message: "", lastTransitionTime: "" }],
};

const vm = ({ spec, status = running, metadata }: Over = {}): Resource =>
  object(
    "VirtualMachine",
    "web",
    {
      powerPolicy: "Enforce",
      osFamily: "Linux",
      cpu: { count: 1 },
      memory: { startup: "1Gi" },
      boot: { order: [{ type: "Disk", name: "os" }] },
      guest,
      ...spec,
    },
    { status, ...(metadata && { metadata }) },
  );

const adapter = (spec: object = { ipv4: { method: "DHCP" } }, over: Over = {}): Resource =>
  object("NetworkAdapter", "lan", { virtualMachine: "web", network: "lan", ...spec }, over);

const disk = (size: string): Resource =>
  object("VirtualDisk", "os", { source: { type: "Blank" }, size, attachment: { virtualMachine: "web" } });

const referring: Readonly<Record<string, (spec: never) => string>> = {
  NetworkAdapter: ({ virtualMachine }: { virtualMachine: string }) => virtualMachine,
  VirtualDisk: ({ attachment }: { attachment: { virtualMachine: string } }) => attachment.virtualMachine,
};

/** Kinds that decide nothing: what is in the plan comes from the edits; `made` machines are to be made. */
const kindsOf = (made: boolean): readonly Kind[] =>
  ["VirtualMachine", "VirtualDisk", "NetworkAdapter"].map((kind) => ({
    kind,
    refs: ({ spec }) => {
      const name = referring[kind]?.(spec as never);
      return name === undefined ? [] : [{ kind: "VirtualMachine", namespace: "default", name }];
    },
    decide: ({ status }): Decision => {
      const create = { operation: "vm.create", spec: {}, effect: "Hot", changes: [] } as unknown as Step;
      const plan = made && kind === "VirtualMachine" ? [create] : [];
      return { plan, act: { do: "nothing" }, ...(status !== undefined && { status }) };
    },
  }));

const objectsOf = (resources: readonly Resource[]): Objects => ({
  get: (key: Key) => resources.find((one) => keyText(keyOf(one)) === keyText(key)),
  list: (kind) => resources.filter((one) => one.kind === kind),
});

interface Edits {
  readonly stored?: readonly Resource[];
  readonly documents?: readonly Resource[];
  readonly removed?: readonly Resource[];
  readonly made?: boolean;
  readonly secrets?: readonly SecretName[];
}

const planOf = ({
  stored = [vm(), adapter(), disk("10Gi")],
  documents = [],
  removed = [],
  made = false,
  secrets = [],
}: Edits) =>
  planObjects({
    objects: objectsOf(stored),
    kinds: kindsOf(made),
    documents: documents.map((one) => ({
      object: { ...one, status: undefined },
      place: { file: "d.yaml", line: 1 },
    })),
    removed,
    secrets,
    now,
    uuid: () => "new-uid",
    world: (_, over) => over as World,
  });

const ofVm = (edits: Edits): PlannedObject | undefined => {
  const report = planOf(edits);
  expect(report.problems).toEqual([]);
  return report.objects.find(({ key }) => key.kind === "VirtualMachine");
};

const shown = (planned: PlannedObject | undefined): readonly string[] => {
  const { guest: inside, blocked, changes = [] } = planned ?? {};
  const rows = inside?.settings.map(({ name, meaning }) => `${name}: ${meaning}`) ?? [];
  return [
    ...changes.map(({ path, from, to, reason }) => `${path} ${JSON.stringify([from, to])} ${reason ?? ""}`),
    ...(inside?.at === "Change" ? rows : []),
    ...(inside?.at === "First" ? [`${inside.meaning}: ${inside.settings.map(({ name }) => name).join(", ")}`] : []),
    ...(inside?.at === "Dropped" ? [inside.meaning] : []),
    ...(blocked ? [`${blocked.reason}: ${blocked.message}`] : []),
  ];
};

const renamed = { guest: { ...guest, hostname: "planted-other" } };
const hostname = (when: string): readonly string[] => [`hostname: ${when}`];

interface Case extends Edits {
  readonly why: string;
  readonly shows: readonly string[];
}

const cases: readonly Case[] = [
  { why: "nothing is edited", shows: [] },
  { why: "documents as they are stored", documents: [vm(), adapter(), disk("10Gi")], shows: [] },
  {
    why: "it runs, and its agent was heard",
    documents: [vm({ spec: renamed })],
    shows: hostname("applied in the running guest"),
  },
  {
    why: "it is off",
    stored: [vm({ status: { ...running, powerState: "Stopped" } })],
    documents: [vm({ spec: renamed })],
    shows: hostname("applied at its next start"),
  },
  {
    why: "the same edit stops it",
    documents: [vm({ spec: { ...renamed, powerState: "Stopped" } })],
    shows: [
      'spec.powerState [null,"Stopped"] nothing changes on the host now',
      ...hostname("applied at its next start"),
    ],
  },
  {
    why: "no agent was ever heard",
    stored: [vm({ status: { ...running, guest: undefined } })],
    documents: [vm({ spec: renamed })],
    shows: hostname("applied when the guest agent reports"),
  },
  {
    why: "an agent was heard in another machine, before this one was rebuilt",
    stored: [vm({ status: { ...running, id: "id-new" } })],
    documents: [vm({ spec: renamed })],
    shows: hostname("applied when the guest agent reports"),
  },
  {
    why: "its key changed",
    stored: [
      vm({ status: { ...running, conditions: [{ ...running.conditions[0], status: "False", reason: "KeyChanged" }] } }),
    ],
    documents: [vm({ spec: renamed })],
    shows: hostname("applied once the guest's new key is approved"),
  },
  {
    why: "the object is paused",
    stored: [vm({ metadata: { annotations: { "aetherv.io/paused": "true" } } })],
    documents: [vm({ spec: renamed })],
    shows: hostname("applied once the pause of the object ends"),
  },
  {
    why: "Windows restarts for its name",
    stored: [vm({ spec: { osFamily: "Windows", guest: { hostname: "A1" } } })],
    documents: [vm({ spec: { osFamily: "Windows", guest: { hostname: "B1" } } })],
    shows: hostname("restarts the guest"),
  },
  {
    why: "what can't be derived is told, and nothing is said to happen",
    documents: [vm({ spec: { guest: { ...guest, timeZone: "Europe/Nowhere" } } })],
    shows: ["InvalidSpec: spec.guest.timeZone: Europe/Nowhere is no IANA time zone, as Europe/Berlin."],
  },
  {
    why: "an adapter's DNS server reaches its machine, which is not edited",
    documents: [adapter({ ipv4: { method: "DHCP", dnsServers: ["192.0.2.53"] } })],
    shows: ["network adapter lan (DNS): applied in the running guest"],
  },
  {
    why: "an adapter that is taken away",
    removed: [adapter()],
    shows: ["network adapter lan: no longer configured: stays in the guest as it is"],
  },
  {
    why: "a new adapter, whose address no host gave yet",
    stored: [vm(), disk("10Gi")],
    documents: [adapter()],
    shows: ["network adapter lan: applied in the running guest"],
  },
  {
    why: "the address that an adapter has anyway is no change",
    stored: [vm(), adapter(undefined, { status: { macAddress: "00:15:5D:01:02:03" } }), disk("10Gi")],
    documents: [adapter({ ipv4: { method: "DHCP" }, macAddress: "00:15:5d:01:02:03" })],
    shows: [],
  },
  {
    why: "the boot disk grows, and the root filesystem with it",
    documents: [disk("20Gi")],
    shows: ["root filesystem: applied in the running guest"],
  },
  {
    why: "the section goes",
    documents: [vm({ spec: { guest: undefined } })],
    shows: ["no longer configured: it stays as it is"],
  },
  {
    why: "the section comes, to a machine that runs",
    stored: [vm({ spec: { guest: undefined }, status: { ...running, guest: undefined } }), adapter()],
    documents: [vm()],
    shows: [
      "configured when the guest agent reports: hostname, network adapter lan, root filesystem, file /etc/app.conf",
    ],
  },
  {
    why: "a new machine, with an adapter that is stored already",
    stored: [adapter()],
    documents: [vm()],
    shows: ["configured at its first start: hostname, network adapter lan, root filesystem, file /etc/app.conf"],
  },
  {
    why: "a stored one that is still to be made, without any edit",
    stored: [vm({ status: {} }), adapter()],
    made: true,
    shows: ["configured at its first start: hostname, network adapter lan, root filesystem, file /etc/app.conf"],
  },
  {
    why: "one that is made anew",
    made: true,
    stored: [vm({ status: { ...running, powerState: "Stopped" } })],
    shows: ["configured at its next start: hostname, root filesystem, file /etc/app.conf"],
  },
  {
    why: "a machine that is only observed gets nothing",
    stored: [vm({ spec: { managementPolicy: "Observe" } })],
    documents: [vm({ spec: { managementPolicy: "Observe", ...renamed } })],
    shows: ["spec.guest [null,null] the guest's configuration stays the same"],
  },
  { why: "a machine that is deleted", removed: [vm()], shows: [] },
  {
    why: "another way to write the same",
    documents: [vm({ spec: { guest: { ...guest, files: [{ ...guest.files[0], mode: "0644" }] } } })],
    shows: ["spec.guest [null,null] the guest's configuration stays the same"],
  },
];

describe("what a plan tells of guests", () => {
  test.each(cases)("$why", ({ shows, ...edits }) => {
    expect(shown(ofVm(edits))).toEqual(shows);
    expect(JSON.stringify(planOf(edits))).not.toContain("planted");
  });

  test("an adapter's own part says where its address takes effect", () => {
    const { objects } = planOf({ documents: [adapter({ ipv4: { method: "DHCP", dnsServers: ["192.0.2.53"] } })] });
    expect(objects.map(({ key, action }) => `${action} ${key.kind}`)).toEqual([
      "update VirtualMachine",
      "update NetworkAdapter",
    ]);
    expect(objects[1]?.changes).toMatchObject([
      { path: "spec.ipv4.dnsServers", reason: "inside the guest: see VirtualMachine web" },
    ]);
  });

  test("of given Secrets it is told whose they are, and that nobody compares them", () => {
    const spec = {
      guest: {
        ...guest,
        localAdministrator: { name: "operator", passwordSecretRef: { name: "admin", key: "password" } },
        domainJoin: { domain: "ad.example.org", credentialsSecretRef: { name: "join" } },
      },
    };
    const given = (...names: readonly string[]) => names.map((name) => ({ namespace: "default", name }));
    const { objects, untold } = planOf({
      stored: [vm({ spec }), adapter()],
      secrets: given("join", "admin", "others"),
    });
    expect(objects).toEqual([]);
    expect(untold).toEqual([
      {
        key: { kind: "VirtualMachine", namespace: "default", name: "web" },
        secrets: ["admin", "join"],
        settings: ["user operator (password)", "domain (credentials)"],
      },
    ]);
    expect(planOf({ stored: [vm({ spec })], secrets: given("others") }).untold).toBeUndefined();
    const elsewhere = [{ namespace: "other", name: "admin" }];
    expect(planOf({ stored: [vm({ spec })], secrets: elsewhere }).untold).toBeUndefined();
    expect(planOf({ stored: [], documents: [vm({ spec })], secrets: given("admin") }).untold).toBeUndefined();
  });

  test("what is stored is not touched by the plan", () => {
    const stored = [vm(), adapter()];
    const before = structuredClone(stored);
    planOf({ stored, documents: [vm({ spec: renamed })] });
    expect(stored).toEqual(before);
    expect((stored[0] as VirtualMachine).spec.guest?.hostname).toBe("planted-host");
  });
});
