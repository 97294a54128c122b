import type { Kind } from "../../src/api/kinds.ts";

type Json = Readonly<Record<string, unknown>>;

/** An object of the campaign's world. */
export interface Declared {
  readonly kind: Kind;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: Json;
}

const networks = [
  { name: "lan", switchName: "External" },
  { name: "dmz", switchName: "Internal" },
];
const storageClasses = [
  { name: "standard", path: "D:\\VMs", default: true },
  { name: "fast", path: "C:\\Fast" },
];

const host = (name: string, connection: Json): Declared => ({
  kind: "VMHost",
  metadata: { name, labels: { zone: name } },
  spec: { ...connection, storageClasses, networks, imagePaths: ["D:\\Images"], virtualMachinePath: "D:\\VMs" },
});

const ssh = {
  type: "SSH",
  ssh: {
    address: "hv2.example.org",
    user: "svc",
    credentialsSecretRef: { namespace: "default", name: "hv2" },
    hostKeys: [`SHA256:${"a".repeat(43)}`],
  },
};

/** All that a spec may leave to the host is said: a revert then has a place to go back to. */
const machine = (disk: string): Json => ({
  osFamily: "Linux",
  generation: 2,
  notes: "first",
  cpu: {
    count: 2,
    reservePercent: 0,
    limitPercent: 100,
    relativeWeight: 100,
    exposeVirtualizationExtensions: false,
    compatibilityMode: false,
  },
  memory: { startup: "1Gi", weight: 5000 },
  firmware: { secureBoot: true, secureBootTemplate: "MicrosoftUEFICertificateAuthority" },
  integrationServices: {
    guestServiceInterface: false,
    heartbeat: true,
    keyValuePairExchange: true,
    shutdown: true,
    timeSynchronization: true,
    vss: true,
  },
  automaticStartAction: "StartIfRunning",
  automaticStopAction: "ShutDown",
  automaticStartDelaySeconds: 0,
  checkpointType: "Production",
  automaticCheckpoints: false,
  boot: { order: [{ type: "Disk", name: disk }] },
  powerState: "Running",
  shutdown: { mode: "TurnOff" },
  disruption: { approval: "Automatic" },
});

const image = { source: { type: "Image", image: "debian-12" } };

const adapter: Json = {
  network: "lan",
  connected: true,
  vlan: { mode: "Access", id: 10 },
  macSpoofing: false,
  dhcpGuard: false,
  routerGuard: false,
};

const namespace = "default";

/** Two hosts, a machine with two disks and an adapter, and a deployment. */
export const world: readonly Declared[] = [
  host("hv1", { driver: "Simulated", connection: { type: "Local" } }),
  // The in-process hosts answer whatever the driver: the fields of SSH have a host of their own.
  host("hv2", { connection: ssh }),
  { kind: "VirtualMachine", metadata: { namespace, name: "a" }, spec: { host: "hv1", ...machine("a-os") } },
  {
    kind: "VirtualDisk",
    metadata: { namespace, name: "a-os" },
    spec: { ...image, attachment: { virtualMachine: "a" } },
  },
  {
    kind: "VirtualDisk",
    metadata: { namespace, name: "a-data" },
    spec: {
      host: "hv1",
      source: { type: "Blank" },
      size: "10Gi",
      storageClass: "standard",
      attachment: { virtualMachine: "a", minIOPS: 0, maxIOPS: 0 },
    },
  },
  { kind: "NetworkAdapter", metadata: { namespace, name: "a-lan" }, spec: { virtualMachine: "a", ...adapter } },
  {
    kind: "ManagedDeployment",
    metadata: { namespace, name: "d" },
    spec: {
      // Placed by choice, and yet always there: where chance would place it is no question of these campaigns.
      virtualMachine: { hostSelector: { matchLabels: { zone: "hv1" } }, ...machine("root") },
      disks: [{ name: "root", spec: image }],
      networkAdapters: [{ name: "lan", spec: adapter }],
    },
  },
];

/** A change of one object's spec, as a merge patch (RFC 7386): null takes a member out. */
export interface Edit {
  readonly kind: Kind;
  readonly name: string;
  readonly patch: Json;
}

const secretRef = { name: "s", key: "k" };
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGq";
const window = { schedule: "0 2 * * 6", timeZone: "Europe/Berlin", durationMinutes: 120 };
const selector = { matchLabels: { zone: "hv1" }, matchExpressions: [{ key: "zone", operator: "In", values: ["hv1"] }] };
const common: readonly Json[] = [
  { managementPolicy: "Observe" },
  { deletionPolicy: "Orphan" },
  { deletionProtection: true },
];

const guests: readonly Json[] = [
  { hostname: "web-1" },
  { localAdministrator: { name: "admin", passwordSecretRef: secretRef } },
  { sshAuthorizedKeys: [key] },
  { automation: { user: "ansible", publicKey: key } },
  { domainJoin: { domain: "example.org", organizationalUnit: "OU=a,DC=b", credentialsSecretRef: { name: "s" } } },
  { timeZone: "Europe/Berlin" },
  { services: [{ name: "ssh", state: "Running", startup: "Enabled" }] },
  { files: [{ path: "/etc/motd", mode: "0644", content: "hello" }] },
  { files: [{ path: "/etc/key", contentSecretRef: secretRef }] },
  { scripts: [{ name: "s", interpreter: "sh", inline: "true", run: "OnChange", timeoutSeconds: 60 }] },
  { scripts: [{ name: "s", interpreter: "bash", secretRef }] },
  { growFilesystems: false },
];

const machines: readonly Json[] = [
  ...common,
  { host: "hv2" },
  { host: null, hostSelector: selector },
  { vmName: "a renamed" },
  { generation: 1, firmware: null },
  { osFamily: "Windows", firmware: { secureBootTemplate: "MicrosoftWindows" } },
  { notes: "second" },
  { storageClass: "fast" },
  { cpu: { count: 4 } },
  { cpu: { reservePercent: 10 } },
  { cpu: { limitPercent: 90 } },
  { cpu: { relativeWeight: 1 } },
  { cpu: { relativeWeight: 10_000 } },
  { cpu: { exposeVirtualizationExtensions: true } },
  { cpu: { compatibilityMode: true } },
  { memory: { startup: "2Gi" } },
  { memory: { dynamic: { minimum: "512Mi", maximum: "4Gi", bufferPercent: 20 } } },
  { memory: { weight: 10_000 } },
  { firmware: { secureBoot: false } },
  { firmware: { secureBootTemplate: "OpenSourceShieldedVM" } },
  { security: { tpm: true } },
  { integrationServices: { guestServiceInterface: true } },
  { integrationServices: { heartbeat: false } },
  { integrationServices: { keyValuePairExchange: false } },
  { integrationServices: { shutdown: false } },
  { integrationServices: { timeSynchronization: false } },
  { integrationServices: { vss: false } },
  { automaticStartAction: "Nothing" },
  { automaticStopAction: "Save" },
  { automaticStartDelaySeconds: 86_400 },
  { checkpointType: "Disabled" },
  { automaticCheckpoints: true },
  { dvdDrives: [{ name: "cd", image: "debian-12-netinst" }] },
  { powerState: "Stopped" },
  { powerState: "Saved" },
  { powerState: "Paused" },
  { powerPolicy: "OnCreate" },
  { shutdown: { mode: "GracefulThenTurnOff" } },
  { shutdown: { timeoutSeconds: 60 } },
  { disruption: { approval: "Manual" } },
  { disruption: { window } },
  ...guests.map((guest) => ({ guest })),
];

/** What names other objects, which a deployment's children have other names for. */
const placed = (disk: string, lan: string, data: string): readonly Json[] => [
  {
    boot: {
      order: [
        { type: "NetworkAdapter", name: lan },
        { type: "Disk", name: disk },
      ],
    },
  },
  { waitFor: { disks: [data], networkAdapters: [lan] } },
];

const adopts: readonly Json[] = [
  { adopt: { type: "ID", id: "00000000-0000-4000-8000-000000000001" } },
  { adopt: { type: "Name", name: "found" } },
];

const disks: readonly Json[] = [
  ...common,
  { source: { type: "VirtualDisk", image: null, disk: "a-data" } },
  { source: { type: "Differencing", image: null, parent: { type: "Image", name: "debian-12" } }, size: null },
  { source: { type: "File", image: null, path: "D:\\VMs\\found.vhdx" }, size: null, storageClass: null },
  { source: { type: "Blank", image: null }, size: "10Gi", blockSize: "1Mi", logicalSectorBytes: 4096 },
  { size: "40Gi" },
  { diskType: "Fixed" },
  { format: "VHD" },
  { storageClass: "fast" },
  { host: "hv1" },
];

const attachments: readonly Json[] = [
  { attachment: null },
  { attachment: { virtualMachine: "a" } },
  { attachment: { controller: "SCSI", controllerNumber: 1, controllerLocation: 5 } },
  { attachment: { minIOPS: 100 } },
  { attachment: { maxIOPS: 1_000_000_000 } },
];

const adapters: readonly Json[] = [
  ...common,
  { network: "dmz" },
  { network: null, connected: false },
  { macAddress: "00:15:5D:11:22:33" },
  { legacy: true },
  { connected: false },
  { vlan: { mode: "Access", id: 4094 } },
  { vlan: { mode: "Untagged", id: null } },
  { vlan: { mode: "Trunk", id: null, allowed: [10, "20-30"], nativeId: 0 } },
  { vlan: { mode: "Isolated", id: null, primaryId: 10, secondaryId: 20 } },
  { vlan: { mode: "Promiscuous", id: null, primaryId: 10, secondaryIds: [20, "30-31"] } },
  { macSpoofing: true },
  { dhcpGuard: true },
  { routerGuard: true },
  { bandwidth: { minimumWeight: 50 } },
  { bandwidth: { maximumMbps: 100 } },
  { bandwidth: { minimumMbps: 10 } },
  { ipv4: { method: "DHCP", dnsServers: ["192.0.2.53"], searchDomains: ["example.org"] } },
  { ipv4: { method: "Static", address: "192.0.2.10", prefixLength: 24, gateway: "192.0.2.1" } },
  { ipv6: { method: "DHCP", dnsServers: ["2001:db8::53"], searchDomains: ["example.org"] } },
  { ipv6: { method: "Static", address: "2001:db8::10", prefixLength: 64, gateway: "2001:db8::1" } },
];

const nicAdopts: readonly Json[] = [
  { adopt: { type: "ID", id: "Microsoft:00000000-0000-4000-8000-000000000001\\C" } },
  { adopt: { type: "MACAddress", macAddress: "00:15:5D:11:22:33" } },
];

const hosts: readonly Json[] = [
  ...common,
  { virtualMachinePath: "C:\\VMs" },
  { storageClasses: [...storageClasses, { name: "slow", path: "D:\\Slow", default: false }] },
  {
    networks: [
      { name: "lan", switchName: "External", vlanId: 7 },
      { name: "dmz", switchName: "Internal" },
    ],
  },
  { imagePaths: ["D:\\Images", "D:\\More"] },
  { unschedulable: true },
  { concurrency: 32 },
  { longConcurrency: 1 },
  { inventoryInterval: "5s" },
  { inventoryInterval: "1h" },
  { allowedNamespaces: { from: "All" } },
  { allowedNamespaces: { from: "Names", names: ["default", "other"] } },
  { allowedNamespaces: { from: "Selector", selector } },
  { adoption: { namespaces: ["default"], paths: ["D:\\Old"] } },
  { trashRetention: "48h" },
  { restartWindow: window },
];

const sshHosts: readonly Json[] = [
  { driver: "HyperV" },
  { connection: { ssh: { address: "192.0.2.1" } } },
  { connection: { ssh: { port: 2222 } } },
  { connection: { ssh: { user: "DOMAIN\\svc" } } },
  { connection: { ssh: { credentialsSecretRef: { name: "other" } } } },
  { connection: { ssh: { hostKeys: [`SHA256:${"b".repeat(43)}`] } } },
  { connection: { type: "Local", ssh: null, local: {} } },
];

const deployments: readonly Json[] = [
  ...common,
  { childMetadata: { labels: { team: "x" }, annotations: { "example.org/note": "y" } } },
  { progressDeadlineSeconds: 600 },
  { onFailure: "Keep" },
];

const on =
  (kind: Kind, name: string) =>
  (patch: Json): Edit => ({ kind, name, patch });

/** The same fields again within a deployment: the machine, the first disk, the first adapter. */
const within = (
  member: "disks" | "networkAdapters",
  name: string,
  spec: Json,
  patches: readonly Json[],
): readonly Json[] => patches.map((patch) => ({ [member]: [{ name, spec: merged(spec, patch) }] }));

/** RFC 7386. */
export const merged = (target: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return patch;
  const base = isObject(target) ? target : {};
  const kept = Object.entries(base).filter(([name]) => patch[name] !== null);
  const set = Object.entries(patch).filter(([, value]) => value !== null);
  return {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(set.map(([name, value]) => [name, merged(base[name], value)])),
  };
};

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Of a machine, a disk or an adapter, what a deployment's may have too: it is placed and attached by its deployment, and new. */
const ofDeployments = (patches: readonly Json[]): readonly Json[] =>
  patches.filter((patch) => !["host", "adopt"].some((name) => (patch[name] ?? null) !== null) && !isFile(patch));

const isFile = ({ source }: Json): boolean => isObject(source) && source["type"] === "File";

/** Edits that the model allows, together of every field; some only for a new object. */
export const allEdits: readonly Edit[] = [
  ...hosts.map(on("VMHost", "hv1")),
  ...sshHosts.map(on("VMHost", "hv2")),
  ...[...machines, ...placed("a-os", "a-lan", "a-data"), ...adopts].map(on("VirtualMachine", "a")),
  ...disks.map(on("VirtualDisk", "a-os")),
  ...[{ size: "20Gi" }, { storageClass: "fast" }, ...attachments].map(on("VirtualDisk", "a-data")),
  ...[...adapters, ...nicAdopts].map(on("NetworkAdapter", "a-lan")),
  ...[
    ...deployments,
    ...ofDeployments([...machines, ...placed("root", "lan", "root")]).map((virtualMachine) => ({ virtualMachine })),
    ...within("disks", "root", image, [
      ...ofDeployments(disks),
      { attachment: { controller: "SCSI", controllerNumber: 1, controllerLocation: 5, minIOPS: 100, maxIOPS: 200 } },
    ]),
    ...within("networkAdapters", "lan", adapter, ofDeployments(adapters)),
  ].map(on("ManagedDeployment", "d")),
];
