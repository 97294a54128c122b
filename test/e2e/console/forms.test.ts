import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../rig.ts";
import { Form } from "./form.ts";
import { browserPath, ConsoleRig, violations, whyNoBrowser } from "./rig.ts";

const host = (name: string): string => `
apiVersion: aetherv.io/v1alpha1
kind: VMHost
metadata: { name: ${name}, labels: { room: ${name === "hv1" ? "east" : "west"} } }
spec:
  driver: Simulated
  connection: { type: Local }
  storageClasses: [{ name: standard, path: 'D:\\VMs', default: true }, { name: fast, path: 'D:\\Fast' }]
  networks: [{ name: lan, switchName: External }]
  imagePaths: ['D:\\Images']
  inventoryInterval: 5s
`;

/** Written by hand: every comment, and what no form shows, has to survive an edit. */
const web = `# The shop's web server.
apiVersion: aetherv.io/v1alpha1
kind: VirtualMachine
metadata:
  name: web # short
  annotations:
    example.org/note: "<img src=x onerror=alert(1)>"
spec:
  host: hv1
  osFamily: Linux
  waitFor:
    disks: [web-system] # not without it
  cpu:
    count: 2 # as measured
  memory:
    startup: 1Gi
  notes: "<script>alert(2)</script>"
  boot:
    order:
      - { type: Disk, name: web-system }
---
# Its system.
apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata:
  name: web-system
spec:
  source: { type: Image, image: debian-12 }
  attachment:
    virtualMachine: web
---
apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata:
  name: spare
spec:
  source: { type: Blank }
  size: 5Gi # small
  host: hv1
---
apiVersion: aetherv.io/v1alpha1
kind: NetworkAdapter
metadata:
  name: web-lan
spec:
  virtualMachine: web
  network: lan
`;

const stopped = (name: string): string => `
apiVersion: aetherv.io/v1alpha1
kind: VirtualMachine
metadata: { name: ${name} }
spec: { host: hv1, powerState: Stopped, cpu: { count: 1 }, memory: { startup: 512Mi } }
`;

const long = 240_000;

describe.skipIf(browserPath === undefined)(`forms of the console${whyNoBrowser}`, { timeout: long }, () => {
  let rig: ConsoleRig;

  beforeAll(async () => {
    rig = await ConsoleRig.start({
      manifests: {
        "hv1.yaml": host("hv1"),
        "hv2.yaml": host("hv2"),
        "web.yaml": web,
        "quiet.yaml": stopped("quiet"),
        "busy.yaml": stopped("busy"),
      },
      factor: 0.02,
    });
    await rig.rig.ready(8, 120_000);
  }, long);
  afterAll(() => rig.dispose());

  const spec = async (kind: string, name: string): Promise<unknown> => (await rig.rig.object(kind, name))?.spec;
  const file = (name: string): Promise<string> => readFile(rig.rig.path(name), "utf8");
  const stored = async (kind: string, name: string, expected: object): Promise<void> => {
    await until(`${kind} ${name} is stored`, async () => (await rig.rig.object(kind, name)) !== undefined);
    const defaults = { managementPolicy: "Manage", deletionProtection: false };
    expect(await spec(kind, name)).toEqual({ ...defaults, ...expected });
  };

  it("makes a virtual machine with all that it can have", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/new/VirtualMachine"));
    await form.fill("metadata.name", "files");
    await form.add("metadata.labels", "app.kubernetes.io/name", "files");
    await form.choose("spec.placement", "This host");
    await form.select("spec.host", "hv1");
    await form.fill("spec.vmName", "Files 01");
    await form.select("spec.storageClass", "fast");
    await form.fill("spec.cpu.count", "4");
    await form.size("spec.memory.startup", "4Gi");
    await form.choose("spec.memory.dynamic", "Dynamic");
    await form.size("spec.memory.dynamic.minimum", "2Gi");
    await form.size("spec.memory.dynamic.maximum", "16Gi");
    await form.section("Generation and firmware");
    await form.switch("spec.security.tpm", true);
    await form.select("spec.firmware.secureBootTemplate", "MicrosoftWindows");
    await page.getByLabel("Name of a device that is made later").fill("files-system");
    await page.getByRole("button", { name: "Add device" }).click();
    await page.getByRole("button", { name: "Add DVD drive", exact: true }).click();
    await page.getByRole("button", { name: "DVD drive dvd", exact: true }).click();
    await form.section("Power");
    await form.select("spec.automaticStartAction", "Start");
    await form.select("spec.automaticStopAction", "Save");
    await form.fill("spec.automaticStartDelaySeconds", "30");
    await form.section("Changes that restart it");
    await form.choose("spec.disruption.approval", "Automatic");
    await form.choose("spec.disruption.window", "A window of its own");
    await form.fill("spec.disruption.window.schedule", "0 3 * * 6");
    await form.fill("spec.disruption.window.timeZone", "Europe/Berlin");
    await form.fill("spec.disruption.window.durationMinutes", "90");
    await form.section("Guest");
    await form.select("spec.osFamily", "Windows");
    await form.choose("spec.guest", "By the guest agent");
    await form.fill("spec.guest.hostname", "FILES01");
    await form.choose("spec.guest.domainJoin", "Join a domain");
    await form.fill("spec.guest.domainJoin.domain", "ad.example.org");
    await form.fill("spec.guest.domainJoin.credentialsSecretRef", "joiner");
    await form.fill("spec.guest.domainJoin.organizationalUnit", "OU=Servers,DC=ad,DC=example,DC=org");
    await form.plan.getByText("Create").first().waitFor();
    await form.plan.getByText("configured at its first start, with a restart: hostname, domain").waitFor();
    await form.saved("/vms/default/files");
    await stored("VirtualMachine", "files", {
      host: "hv1",
      vmName: "Files 01",
      storageClass: "fast",
      osFamily: "Windows",
      cpu: { count: 4 },
      memory: { startup: "4Gi", dynamic: { minimum: "2Gi", maximum: "16Gi" } },
      security: { tpm: true },
      firmware: { secureBootTemplate: "MicrosoftWindows" },
      boot: {
        order: [
          { type: "Disk", name: "files-system" },
          { type: "DVD", name: "dvd" },
        ],
      },
      dvdDrives: [{ name: "dvd" }],
      powerPolicy: "Enforce",
      automaticStartAction: "Start",
      automaticStopAction: "Save",
      automaticStartDelaySeconds: 30,
      disruption: {
        approval: "Automatic",
        window: { schedule: "0 3 * * 6", timeZone: "Europe/Berlin", durationMinutes: 90 },
      },
      guest: {
        hostname: "FILES01",
        growFilesystems: true,
        domainJoin: {
          domain: "ad.example.org",
          credentialsSecretRef: { name: "joiner" },
          organizationalUnit: "OU=Servers,DC=ad,DC=example,DC=org",
        },
      },
    });
    expect((await rig.rig.object("VirtualMachine", "files"))?.metadata.labels).toEqual({
      "app.kubernetes.io/name": "files",
    });
    expect(await file("virtualmachine-files.yaml")).toContain("secureBootTemplate: MicrosoftWindows");
  });

  it("takes the firmware of generation 2 away with it", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/new/VirtualMachine"));
    await form.fill("metadata.name", "old");
    await form.section("Generation and firmware");
    await form.switch("spec.security.tpm", true);
    await form.switch("spec.firmware.secureBoot", false);
    await form.select("spec.generation", "1");
    await form.field("spec.security.tpm").waitFor({ state: "detached" });
    await form.section("Power");
    await form.select("spec.powerState", "Stopped");
    await form.saved("/vms/default/old");
    await stored("VirtualMachine", "old", {
      generation: 1,
      cpu: { count: 2 },
      memory: { startup: "4Gi" },
      powerState: "Stopped",
      powerPolicy: "Enforce",
    });
  });

  it("changes a machine's file in one line, and shows before what it comes to", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/edit/VirtualMachine/default/web"));
    await form.plan.getByText("Nothing is changed yet.").waitFor();
    await form.fill("spec.cpu.count", "3");
    await form.plan.getByText("spec.cpu.count").waitFor();
    await form.plan.getByText("Restart", { exact: true }).waitFor();
    await form.plan.getByText("One change waits until somebody approves it.").waitFor();
    await page.getByRole("tab", { name: "YAML" }).click();
    await page.locator("aside pre").getByText("count: 3").waitFor();
    await form.saved("/vms/default/web");
    expect(await file("web.yaml")).toBe(web.replace("count: 2 #", "count: 3 #"));
    await until("the plan waits", async () => {
      const status = (await rig.rig.object("VirtualMachine", "web"))?.status as { planHash?: string };
      return status.planHash !== undefined;
    });
  });

  it("attaches a disk that no machine has, and lets it go again", async () => {
    const { page } = await rig.page();
    let form = await Form.open(page, rig.address("/edit/VirtualMachine/default/quiet"));
    await page.getByLabel("Disk to attach").selectOption("spare");
    await page.getByRole("button", { name: "Attach", exact: true }).click();
    await form.plan.getByText("disk spare").waitFor();
    await form.saved("/vms/default/quiet");
    await until("it is attached", async () => {
      const { attachment } = (await spec("VirtualDisk", "spare")) as { attachment?: { virtualMachine: string } };
      return attachment?.virtualMachine === "quiet";
    });
    expect(await file("web.yaml")).toContain("size: 5Gi # small");
    form = await Form.open(page, rig.address("/edit/VirtualMachine/default/quiet"));
    await page.getByRole("button", { name: "Detach spare" }).click();
    await page.getByText("spare is detached when saved.").waitFor();
    await form.saved("/vms/default/quiet");
    await until("it is let go", async () => {
      const { attachment } = (await spec("VirtualDisk", "spare")) as { attachment?: object };
      return attachment === undefined;
    });
  });

  it("makes a disk of an image of the host, and lets it only grow", async () => {
    const { page } = await rig.page();
    let form = await Form.open(page, rig.address("/new/VirtualDisk"));
    await form.fill("metadata.name", "archive");
    await form.select("spec.host", "hv2");
    await form.select("spec.source.image", "debian-12");
    await form.select("spec.storageClass", "fast");
    await form.size("spec.size", "30Gi");
    await form.saved("/disks/default/archive");
    await stored("VirtualDisk", "archive", {
      source: { type: "Image", image: "debian-12" },
      host: "hv2",
      storageClass: "fast",
      size: "30Gi",
    });
    form = await Form.open(page, rig.address("/edit/VirtualDisk/default/archive"));
    await form.size("spec.size", "20Gi");
    await form.save();
    await form.field("spec.size").locator("p.error").waitFor();
    expect(await form.faultAt("spec.size")).toMatch(/shrink|grow|smaller|less/i);
    expect(await form.control("spec.size").evaluate((input) => input.matches(":focus"))).toBe(true);
    expect(await form.control("spec.source.type").isDisabled()).toBe(true);
    await form.size("spec.size", "40Gi");
    expect(await form.field("spec.size").locator("p.error").count()).toBe(0);
    await form.saved("/disks/default/archive");
    expect(await spec("VirtualDisk", "archive")).toMatchObject({ size: "40Gi" });
  });

  it("switches an adapter between DHCP and static addresses, and forgets nothing on the way", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/new/NetworkAdapter?vm=busy"));
    await form.fill("metadata.name", "busy-lan");
    await form.select("spec.network", "lan");
    await form.select("spec.vlan.mode", "Access");
    await form.fill("spec.vlan.id", "120");
    await form.choose("spec.mac", "Static");
    await form.fill("spec.macAddress", "00:15:5D:01:02:03");
    await form.choose("spec.ipv4.method", "Static");
    await form.fill("spec.ipv4.address", "192.168.10.9");
    await form.fill("spec.ipv4.prefixLength", "24");
    await form.fill("spec.ipv4.gateway", "192.168.10.1");
    await form.add("spec.ipv4.dnsServers", "192.168.10.53");
    await form.choose("spec.ipv4.method", "DHCP");
    await form.field("spec.ipv4.address").waitFor({ state: "detached" });
    await form.choose("spec.ipv6.method", "DHCP");
    await form.saved("/adapters/default/busy-lan");
    const common = {
      virtualMachine: "busy",
      network: "lan",
      vlan: { mode: "Access", id: 120 },
      macAddress: "00:15:5D:01:02:03",
      ipv6: { method: "DHCP" },
    };
    await stored("NetworkAdapter", "busy-lan", {
      ...common,
      ipv4: { method: "DHCP", dnsServers: ["192.168.10.53"] },
    });
    const again = await Form.open(page, rig.address("/edit/NetworkAdapter/default/busy-lan"));
    await again.choose("spec.ipv4.method", "Static");
    await again.fill("spec.ipv4.address", "192.168.10.9");
    await again.choose("spec.ipv4.method", "DHCP");
    await again.choose("spec.ipv4.method", "Static");
    expect(await again.control("spec.ipv4.address").inputValue()).toBe("192.168.10.9");
    await again.save();
    await again.field("spec.ipv4.prefixLength").locator("p.error").waitFor();
    await again.fill("spec.ipv4.prefixLength", "24");
    await again.saved("/adapters/default/busy-lan");
    expect(await spec("NetworkAdapter", "busy-lan")).toMatchObject({
      ...common,
      ipv4: { method: "Static", address: "192.168.10.9", prefixLength: 24, dnsServers: ["192.168.10.53"] },
    });
  });

  it("makes a deployment in one form, and changes it", async () => {
    const { page } = await rig.page();
    let form = await Form.open(page, rig.address("/new/ManagedDeployment"));
    await form.fill("metadata.name", "crm");
    await form.size("spec.virtualMachine.memory.startup", "1Gi");
    await form.select("spec.disks[0].spec.source.image", "debian-12");
    await page.getByRole("button", { name: "Add disk", exact: true }).click();
    await form.size("spec.disks[1].spec.size", "10Gi");
    await form.fill("spec.disks[0].name", "root");
    await form.select("spec.networkAdapters[0].spec.network", "lan");
    await form.choose("spec.networkAdapters[0].spec.ipv4.method", "DHCP");
    await form.section("Guest");
    await form.choose("spec.virtualMachine.guest", "By the guest agent");
    await form.choose("spec.virtualMachine.guest.localAdministrator", "Set name and password");
    const password = form.field("spec.virtualMachine.guest.localAdministrator.passwordSecretRef").locator("input");
    await password.first().fill("crm-admin");
    await password.last().fill("password");
    await form.section("Automation");
    await page.getByRole("button", { name: "Add service" }).click();
    await form.fill("spec.virtualMachine.guest.services[0].name", "ssh");
    await page.getByRole("button", { name: "Add script" }).click();
    await form.fill("spec.virtualMachine.guest.scripts[0].inline", "echo done > /var/tmp/done");
    await form.plan.getByText("virtual machine crm").waitFor();
    await form.saved("/deployments/default/crm");
    const expected = {
      virtualMachine: {
        osFamily: "Linux",
        cpu: { count: 2 },
        memory: { startup: "1Gi" },
        boot: { order: [{ type: "Disk", name: "root" }] },
        guest: {
          hostname: "crm",
          localAdministrator: { name: "admin", passwordSecretRef: { name: "crm-admin", key: "password" } },
          services: [{ name: "ssh", state: "Running", startup: "Enabled" }],
          scripts: [{ name: "script-1", interpreter: "sh", inline: "echo done > /var/tmp/done" }],
        },
      },
      disks: [
        { name: "root", spec: { source: { type: "Image", image: "debian-12" } } },
        { name: "data", spec: { source: { type: "Blank" }, size: "10Gi" } },
      ],
      networkAdapters: [{ name: "lan", spec: { network: "lan", ipv4: { method: "DHCP" } } }],
      onFailure: "Rollback",
      progressDeadlineSeconds: 3600,
    };
    await stored("ManagedDeployment", "crm", expected);
    form = await Form.open(page, rig.address("/edit/ManagedDeployment/default/crm"));
    expect(await form.control("spec.disks[0].name").isDisabled()).toBe(true);
    await form.size("spec.disks[1].spec.size", "12Gi");
    await form.fill("spec.progressDeadlineSeconds", "1800");
    await form.saved("/deployments/default/crm");
    const [root, data] = expected.disks;
    expect(await spec("ManagedDeployment", "crm")).toMatchObject({
      ...expected,
      disks: [root, { ...data, spec: { ...data?.spec, size: "12Gi" } }],
      progressDeadlineSeconds: 1800,
    });
  });

  it("makes a host that is reached by SSH, and changes the networks of another", async () => {
    const { page } = await rig.page();
    let form = await Form.open(page, rig.address("/new/VMHost"));
    await form.fill("metadata.name", "hv9");
    await form.fill("spec.connection.ssh.address", "127.0.0.1");
    await form.fill("spec.connection.ssh.port", "1");
    await form.fill("spec.connection.ssh.user", "EXAMPLE\\aetherv");
    await form.fill("spec.connection.ssh.credentialsSecretRef.namespace", "default");
    await form.fill("spec.connection.ssh.credentialsSecretRef.name", "hv9");
    await form.add("spec.connection.ssh.hostKeys", `SHA256:${"A".repeat(43)}`);
    await page.getByRole("button", { name: "Add storage class" }).click();
    await form.fill("spec.storageClasses[0].name", "standard");
    await form.fill("spec.storageClasses[0].path", "D:\\VMs");
    await form.saved("/hosts/hv9");
    await stored("VMHost", "hv9", {
      driver: "HyperV",
      connection: {
        type: "SSH",
        ssh: {
          address: "127.0.0.1",
          port: 1,
          user: "EXAMPLE\\aetherv",
          credentialsSecretRef: { namespace: "default", name: "hv9" },
          hostKeys: [`SHA256:${"A".repeat(43)}`],
        },
      },
      storageClasses: [{ name: "standard", path: "D:\\VMs", default: true }],
      unschedulable: false,
      concurrency: 4,
      longConcurrency: 2,
      inventoryInterval: "30s",
      trashRetention: "24h",
    });
    form = await Form.open(page, rig.address("/edit/VMHost/-/hv2"));
    await page.getByRole("button", { name: "Add network" }).click();
    await form.fill("spec.networks[1].name", "dmz");
    await form.select("spec.networks[1].switchName", "External");
    await form.fill("spec.networks[1].vlanId", "120");
    await form.saved("/hosts/hv2");
    expect(await spec("VMHost", "hv2")).toMatchObject({
      networks: [
        { name: "lan", switchName: "External" },
        { name: "dmz", switchName: "External", vlanId: 120 },
      ],
    });
  });

  it("puts what the server refuses at its field, and all else at the top", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/new/VirtualMachine"));
    await form.fill("metadata.name", "Not A Name");
    await form.fill("spec.cpu.count", "many");
    await form.save();
    await form.field("metadata.name").locator("p.error").waitFor();
    expect(await form.faultAt("spec.cpu.count")).toMatch(/integer/);
    expect(await form.control("metadata.name").evaluate((input) => input.matches(":focus"))).toBe(true);
    expect(await page.locator(".summary").textContent()).toMatch(/2 fields need another value/);
    await form.fill("metadata.name", "fresh");
    await form.fill("spec.cpu.count", "2");
    await form.fill("spec.memory.startup", "");
    await form.save();
    await form.field("spec.memory.startup").locator("p.error").waitFor();
    expect(await form.faultAt("spec.memory.startup")).toMatch(/required/i);
    expect(await form.faultAt("spec.boot.order")).toMatch(/required/i);
    await form.size("spec.memory.startup", "1Gi");
    await form.section("Power");
    await form.select("spec.powerState", "Stopped");
    await form.fill("metadata.name", "web");
    await form.save();
    await form.field("metadata.name").locator("p.error").waitFor();
    expect(await form.faultAt("metadata.name")).toBe("There is one of this name already.");
  });

  it("keeps a draft whose session ends", async () => {
    const { page, context } = await rig.page();
    const form = await Form.open(page, rig.address("/edit/VirtualMachine/default/busy"));
    await context.clearCookies();
    await form.fill("spec.cpu.count", "2");
    await form.save();
    const login = page.getByRole("dialog", { name: "Your session has ended" });
    await login.waitFor();
    expect(await form.control("spec.cpu.count").inputValue()).toBe("2");
    await login
      .locator("input")
      .first()
      .fill(await rig.token("admin"));
    await login.getByRole("button", { name: /log in/i }).click();
    await login.waitFor({ state: "hidden" });
    if (!page.url().endsWith("/vms/default/busy")) {
      await page.waitForURL("**/vms/default/busy");
    }
    expect(await spec("VirtualMachine", "busy")).toMatchObject({ cpu: { count: 2 } });
  });

  it("shows what somebody else changed meanwhile, and lets the edits go on over it", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/edit/VirtualMachine/default/quiet"));
    await form.fill("spec.cpu.count", "3");
    await form.section("Checkpoints and integration services");
    await form.fill("spec.notes", "mine");
    const before = await file("quiet.yaml");
    const changed = before.replace("cpu: { count: 1 }", "cpu: { count: 8 }, generation: 2, osFamily: Linux");
    await writeFile(rig.rig.path("quiet.yaml"), changed.replace(", generation: 2", ""));
    await page.getByText("Somebody changed this virtual machine while you were here.").waitFor();
    await form.save();
    const dialog = page.getByRole("dialog", { name: "Somebody changed it meanwhile" });
    await dialog.getByText("spec.osFamily").waitFor();
    const cpu = dialog.getByRole("radiogroup", { name: "Which spec.cpu.count" });
    expect(await cpu.getByRole("radio").first().isChecked()).toBe(true);
    await cpu.getByRole("radio", { name: /On the server/ }).check();
    await dialog.getByRole("button", { name: "Go on over this" }).click();
    expect(await form.control("spec.cpu.count").inputValue()).toBe("8");
    expect(await form.control("spec.notes").inputValue()).toBe("mine");
    await form.saved("/vms/default/quiet");
    expect(await spec("VirtualMachine", "quiet")).toMatchObject({
      cpu: { count: 8 },
      osFamily: "Linux",
      notes: "mine",
    });
  });

  it("asks before what was typed is lost", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/new/VirtualDisk"));
    await form.fill("metadata.name", "half");
    await page.getByRole("link", { name: "Jobs" }).click();
    const dialog = page.getByRole("dialog", { name: "Leave without saving?" });
    await dialog.getByRole("button", { name: "Stay" }).click();
    expect(await form.control("metadata.name").inputValue()).toBe("half");
    await page.getByRole("link", { name: "Jobs" }).click();
    await dialog.getByRole("button", { name: "Leave" }).click();
    await page.waitForURL("**/jobs");
    expect(await rig.rig.object("VirtualDisk", "half")).toBeUndefined();
  });

  it("shows a viewer everything, changes nothing, and says why", async () => {
    const { page } = await rig.page("viewer");
    const form = await Form.open(page, rig.address("/edit/VirtualMachine/default/web"));
    await page.getByText(/You can look, and change nothing: .*viewer/).waitFor();
    expect(await form.control("spec.cpu.count").isDisabled()).toBe(true);
    const save = page.getByRole("button", { name: "Save" });
    expect(await save.getAttribute("aria-disabled")).toBe("true");
    const before = await rig.rig.object("VirtualMachine", "web");
    await save.click({ force: true });
    await form.control("spec.cpu.count").evaluate((input) => input.removeAttribute("disabled"));
    expect((await rig.rig.object("VirtualMachine", "web"))?.spec).toEqual(before?.spec);
  });

  it("leaves hostile texts texts", async () => {
    const { page } = await rig.page();
    const form = await Form.open(page, rig.address("/edit/VirtualMachine/default/web"));
    await form.section("Keeping and deleting");
    await form.section("Checkpoints and integration services");
    expect(await form.control("spec.notes").inputValue()).toBe("<script>alert(2)</script>");
    await form.fill("spec.notes", "<img src=y onerror=alert(3)>");
    await form.plan.getByText("<img src=y onerror=alert(3)>").waitFor();
    await page.getByRole("tab", { name: "YAML" }).click();
    await page.locator("aside pre").getByText("<img src=x onerror=alert(1)>").waitFor();
    expect(await page.locator('img[src="x"], img[src="y"], pre script').count()).toBe(0);
  });

  it.each(["light", "dark"] as const)("has nothing serious against it in axe's eyes, %s", async (theme) => {
    const { page } = await rig.page("admin", { theme });
    const addresses = [
      "/new/VirtualMachine",
      "/edit/VirtualMachine/default/files",
      "/new/VirtualDisk",
      "/edit/VirtualDisk/default/web-system",
      "/new/NetworkAdapter",
      "/new/ManagedDeployment",
      "/edit/ManagedDeployment/default/crm",
      "/new/VMHost",
      "/edit/VMHost/-/hv1",
    ];
    for (const address of addresses) {
      const form = await Form.open(page, rig.address(address));
      await page.locator("details.section").evaluateAll((all) => all.forEach((each) => each.setAttribute("open", "")));
      await form.plan.waitFor();
      expect({ address, found: await violations(page) }).toEqual({ address, found: [] });
    }
  });

  it("raised no error in any page", () => expect(rig.faults).toEqual([]));
});
